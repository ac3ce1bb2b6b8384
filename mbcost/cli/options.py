"""The options that mean the same on every command, and groups of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mbcost.cli.groups import Group
from mbcost.cli.messages import say
from mbcost.networks.settings import SETTINGS

if TYPE_CHECKING:
    from mbcost.studies.spaces.space import Space

Targets = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[TARGET]...",
        help="Names, YAML paths or models from elsewhere (torchvision:NAME, timm:NAME, "
        "file.py:factory, which runs its code), with settings inline: v2@alpha=0.5,size=160.",
        show_default=False,
    ),
]
Target = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="A name, YAML path or model from elsewhere (torchvision:NAME, timm:NAME, "
        "file.py:factory, which runs the file's code), with settings inline: v2@alpha=0.5.",
    ),
]
CounterNames = Annotated[
    list[str] | None,
    typer.Option(
        "--counter",
        metavar="NAME",
        help="Counter to run: torchinfo, fvcore, torch or, with the extra counters, ptflops-aten, "
        "ptflops-pytorch, thop, torchprofile. Repeatable; default torchinfo, fvcore.",
        show_default=False,
    ),
]
Fast = Annotated[bool, typer.Option("--fast", help="The closed form alone; torch is not imported.")]


def _keys(text: str | None) -> str | None:
    """Return the keys that were typed, those of other tools under their names here."""
    if text is None:
        return None
    from mbcost.studies.keys import canonical

    found = [canonical(word) for word in text.split(",")]
    for said in dict.fromkeys(said for _, said in found if said):
        say(f"mbcost: {said}")
    return ",".join(key for key, _ in found)


Sort = Annotated[
    str | None,
    typer.Option(
        "--sort",
        metavar="KEY",
        callback=_keys,
        help="Sort rows by a record key; -KEY for descending.",
    ),
]
Columns = Annotated[
    str | None,
    typer.Option(
        "--columns",
        metavar="KEY,...",
        callback=_keys,
        help="Record keys to show, in this order (`mbcost list columns`).",
    ),
]
Exact = Annotated[
    bool, typer.Option("--exact", help="Every digit in tables, instead of three and a prefix.")
]


def _format(rest: str) -> Any:
    known = "table (txt), markdown (md), csv, latex (tex), html"
    return typer.Option("--format", metavar="NAME", help=f"Format on stdout: {known}{rest}.")


def _output(more: str = "") -> Any:
    known = f".txt .md .csv .tex .html .json{more}"
    return typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help=f"Write to FILE instead; the suffix decides ({known}). Repeatable; - is stdout.",
        show_default=False,
    )


_GITHUB = "or github: annotations, the table in the step's summary"
FormatName = Annotated[str, _format(" or json")]
DiffFormat = Annotated[str, _format(f", json, {_GITHUB}")]
CheckFormat = Annotated[str, _format(f", json, junit (xml), {_GITHUB}")]
Output = Annotated[list[str] | None, _output()]
CheckOutput = Annotated[list[str] | None, _output(", .xml for JUnit")]

Strict = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Fail (exit 1) also where a model from elsewhere is not verified or runs an operator "
        "without a formula.",
    ),
]
AllowUncounted = Annotated[
    bool,
    typer.Option(
        "--allow-uncounted",
        help="Accept models from elsewhere with operators that have no formula, whose cost is "
        "missing from the totals.",
    ),
]
ConventionName = Annotated[
    str | None,
    typer.Option(
        "--convention",
        metavar="NAME",
        help="State mult-adds as another counter would: papers (the default), torch, torchinfo, "
        "fvcore, ptflops-aten, ptflops-pytorch, thop, torchprofile; of mbcost's own networks also "
        "tensorflow-profile and tensorflow-exporter.",
        show_default=False,
    ),
]
Apart = Annotated[
    str | None,
    typer.Option(
        "--convention",
        metavar="NAME",
        help="Take this convention apart beside the closed form, and run no counter but its own: "
        "one of those above, or of mbcost's own networks tensorflow-profile or "
        "tensorflow-exporter, which no counter speaks.",
        show_default=False,
    ),
]
Unit = Annotated[
    str | None,
    typer.Option(
        "--unit",
        metavar="UNIT",
        help="mult-add (the default), or flop: each counts as two.",
        show_default=False,
    ),
]

SpaceTarget = Annotated[
    str,
    typer.Argument(
        metavar="TARGET", help="A network, block or design space by name, or a YAML path."
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUES",
        help="A field of rows to vary or fix: rows.3.t=3,4,6, '*.k=3,5,7'. Repeatable.",
        show_default=False,
    ),
]
Samples = Annotated[
    int | None,
    typer.Option("--samples", metavar="N", min=1, help="Draw N configs instead of all of them."),
]
Seed = Annotated[int, typer.Option("--seed", metavar="S", min=0, help="Seed of what is drawn.")]
Verify = Annotated[
    int,
    typer.Option(
        "--verify",
        metavar="K",
        min=0,
        max=10_000,
        help="Configs of the output that are really built and counted by torchinfo and fvcore.",
    ),
]
Accuracy = Annotated[
    str,
    typer.Option(
        "--accuracy",
        metavar="KIND",
        help="published, or predicted: of v1, v2, v3-large and v3-small within the alpha and size "
        "that are published, by a fit over those points, with its error bar.",
    ),
]
Workers = Annotated[
    int, typer.Option("--workers", metavar="N", min=1, max=256, help="Processes that count.")
]

DeviceName = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="NAME|FILE.yaml",
        help="A device by name (`mbcost list`), or a YAML that `mbcost roof -o` wrote.",
        show_default=False,
    ),
]


_ALIASES = {"rho": ("--rho", "--resolution")}
_FLAGS = ("reduced_tail", "fold_bn")
_LISTS = ("input",)


def _setting(name: str) -> tuple[Any, Any]:
    """Return the option of a setting, and its default."""
    flags = _ALIASES.get(name, (f"--{name.replace('_', '-')}",))
    help_text = SETTINGS[name].doc[:1].upper() + SETTINGS[name].doc[1:] + "."
    if name in _FLAGS:
        return Annotated[bool, typer.Option(*flags, help=help_text)], False
    if name in _LISTS:
        option = typer.Option(
            *flags, metavar="SHAPE", help=f"{help_text} Repeatable.", show_default=False
        )
        return Annotated[list[str] | None, option], None
    option = typer.Option(*flags, metavar="VALUE", help=help_text, show_default=False)
    return Annotated[str | None, option], None


def _settings_given(**given: Any) -> dict[str, str]:
    """Return the settings that were given, as typed."""
    values = {name: given[f"{name}_"] for name in SETTINGS}
    texts = {n: "+".join(v or ()) if n in _LISTS else v for n, v in values.items()}
    return {name: text for name, text in texts.items() if text}


Settings = Annotated[
    dict[str, str], Group(_settings_given, {f"{name}_": _setting(name) for name in SETTINGS})
]
"""An option per setting, with an underscore behind: ``in_``."""


@dataclass(frozen=True)
class Rows:
    """Which columns a table has, and in which order its rows stand."""

    sort: Sort = None
    columns: Columns = None


@dataclass(frozen=True)
class SpaceOf:
    """Which configs are counted, of a design space or a grid of settings, and how many built."""

    target: SpaceTarget
    set_: Sets = None
    samples: Samples = None
    seed: Seed = 0
    verify: Verify = 3
    accuracy: Accuracy = "published"

    @property
    def predicted(self) -> bool:
        """Whether the top-1 is predicted."""
        from mbcost.networks.rules import OneOf, parse

        words = OneOf(("published", "predicted"), "which top-1")
        return bool(parse(words, self.accuracy, "--accuracy") == "predicted")

    def space(self, settings: Mapping[str, str]) -> Space:
        """Return the space of the target with its axes."""
        from mbcost.studies.spaces.selection import space_of

        return space_of(self.target, settings, self.set_ or ())
