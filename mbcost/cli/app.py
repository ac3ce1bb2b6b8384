"""The Typer app, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from mbcost.errors import MbcostError


class ErrorsAsMessages(TyperGroup):
    """Prints an ``MbcostError`` on stderr as one message and exits with its code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a user's mistake never shows a traceback."""
        try:
            return super().invoke(ctx)
        except MbcostError as error:
            sys.stdout.flush()
            typer.echo(f"mbcost: {error}", err=True)
            raise typer.Exit(error.exit_code) from None
        except BrokenPipeError:  # a reader like `head` has seen enough
            _abandon_stdout()
            raise typer.Exit(0) from None
        except KeyboardInterrupt:
            raise typer.Exit(130) from None


app = typer.Typer(
    name="mbcost",
    cls=ErrorsAsMessages,
    no_args_is_help=True,
    add_completion=False,
    # plain help: rich markup costs 130 ms at every start
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from mbcost.cli.catalog import version_text

        typer.echo(version_text())
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Versions of mbcost and of the counters, then exit.",
        ),
    ] = False,
) -> None:
    """What a convolution block or a mobile network costs: parameters, mult-adds and memory.

    A TARGET is the name of a block or network (`mbcost list`) or the path of a YAML file, with
    settings inline where several differ: v2@alpha=0.5,size=160.

    Exit codes: 0 fine; 1 a check failed; 2 bad usage, config or target; 130 interrupted.
    """


def main() -> NoReturn:
    """Run the command line as a process; what stdout still holds may meet a closed pipe."""
    try:
        app()
    except SystemExit as exit_:
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            _abandon_stdout()
        sys.exit(exit_.code)
    sys.exit(0)


def _abandon_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's last flush cannot fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
