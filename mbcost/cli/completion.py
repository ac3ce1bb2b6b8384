"""``mbcost completion``: scripts by which bash, zsh and fish complete what is typed."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from mbcost.cli.app import app
from mbcost.errors import MbcostError

_BASH = r"""# mbcost completion bash: source it, or keep it where bash-completion looks
_mbcost() {
    local line="${COMP_LINE:0:COMP_POINT}"
    local -a words
    read -ra words <<<"$line"
    [[ $line == *[$' \t'] ]] && words+=("")
    local whole="${words[*]: -1}" part="${COMP_WORDS[COMP_CWORD]}"
    case $part in [=:@]) part="" ;; esac
    # bash breaks words at = : @, and replaces the last part alone, with the @ before it
    local before="${whole%"$part"}"
    before="${before%@}"
    mapfile -t COMPREPLY < <(mbcost completion bash -- "${words[@]:1}" 2>/dev/null)
    COMPREPLY=("${COMPREPLY[@]#"$before"}")
    [[ ${COMPREPLY[0]} == *[=:/@] ]] && compopt -o nospace
    return 0
}
complete -o default -o nosort -F _mbcost mbcost
"""
_ZSH = r"""#compdef mbcost
# mbcost completion zsh: source it behind compinit, or keep it as _mbcost in a folder of $fpath
_mbcost() {
    local -a found names shown open opened
    local each
    found=("${(@f)$(mbcost completion zsh -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    for each in $found; do
        case ${each%%$'\t'*} in
            *[=:/@]) open+=(${each%%$'\t'*}); opened+=("${each//$'\t'/  }") ;;
            *) names+=(${each%%$'\t'*}); shown+=("${each//$'\t'/  }") ;;
        esac
    done
    (( $#names + $#open )) || { _files; return }
    (( $#names )) && compadd -V mbcost -l -d shown -a names
    (( $#open )) && compadd -V mbcost -S '' -l -d opened -a open
}
if [[ $funcstack[1] == _mbcost ]]; then _mbcost "$@"; else compdef _mbcost mbcost; fi
"""
_FISH = r"""# mbcost completion fish: source it, or keep it in ~/.config/fish/completions
function __mbcost_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l found (mbcost completion fish -- $words[2..-1] 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c mbcost -f -k -a '(__mbcost_complete)'
"""
SHELLS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
"""The script of each, which asks this command for what a line can go on with."""


@app.command()
def completion(
    shell: Annotated[str, typer.Argument(metavar="|".join(SHELLS), help="Which shell.")],
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[-- WORD...]",
            help="What has been typed behind `mbcost`, the last word perhaps in part: what it can "
            "be is printed, for the script.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """The script that completes commands, options, targets, settings and columns in a shell.

    mbcost completion bash > ~/.local/share/bash-completion/completions/mbcost

    mbcost completion fish > ~/.config/fish/completions/mbcost.fish

    mbcost completion zsh > ~/.zfunc/_mbcost   (a folder of $fpath, before compinit)
    """
    if shell not in SHELLS:
        raise MbcostError(
            f"there is no script for {shell!r}",
            place="SHELL",
            way_out=f"one of: {', '.join(SHELLS)}",
        )
    if words is None:
        sys.stdout.write(SHELLS[shell])
        return
    from mbcost.cli.candidates import candidates

    for found in candidates(typer.main.get_command(app), words):
        described = found.help and shell != "bash"
        line = f"{found.text}\t{found.help}" if described else found.text
        sys.stdout.write(" ".join(line.split("\n")) + "\n")
