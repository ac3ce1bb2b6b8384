"""The choices of ``mbcost memory`` as options."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mbcost.cli.groups import Group
from mbcost.studies.memory.how import RULES, How, how

_METAVARS = {
    "in_place": "none|add|depthwise",
    "align": "BYTES",
    "fit": "BYTES",
}
_HELP = {
    "in_place": "Deployed layers that write over their input; several with commas. Default none."
}
_FLAGS = ("train", "amp")


def _option(name: str) -> tuple[Any, Any]:
    """Return the option of a choice, and its default."""
    flag = f"--{name.replace('_', '-')}"
    if name in _FLAGS:
        return Annotated[bool, typer.Option(flag, help=_sentence(name))], False
    words = getattr(RULES.get(name), "words", ())
    option = typer.Option(
        flag,
        metavar=_METAVARS.get(name) or "|".join(words),
        help=_sentence(name),
        show_default=False,
    )
    return Annotated[str | None, option], None


def _sentence(name: str) -> str:
    if name in _HELP:
        return _HELP[name]
    doc = RULES[name].doc
    default = getattr(How, name)
    shown = f" Default {default}." if isinstance(default, str | int) and name not in _FLAGS else ""
    return f"{doc[:1].upper()}{doc[1:]}.{shown}"


def _made(**given: Any) -> How:
    return how({name: value or None for name, value in given.items()})


HowGiven = Annotated[How, Group(_made, {name: _option(name) for name in How.__dataclass_fields__})]
