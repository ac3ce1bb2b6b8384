"""The options that mean the same on every command."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from mbcost.networks.settings import SETTINGS

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
Sort = Annotated[
    str | None,
    typer.Option("--sort", metavar="KEY", help="Sort rows by a record key; -KEY for descending."),
]
Columns = Annotated[
    str | None,
    typer.Option("--columns", metavar="KEY,...", help="Record keys to show, in this order."),
]
Exact = Annotated[
    bool, typer.Option("--exact", help="Every digit in tables, instead of three and a prefix.")
]
FormatName = Annotated[
    str,
    typer.Option(
        "--format", metavar="NAME", help="Format on stdout: table, markdown, csv, latex or json."
    ),
]
Output = Annotated[
    list[str] | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="Write to FILE instead; the suffix decides (.txt .md .csv .tex .json). "
        "Repeatable; - is stdout.",
        show_default=False,
    ),
]

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
        "fvcore, ptflops-aten, ptflops-pytorch, thop or torchprofile.",
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

_ALIASES = {"rho": ("--rho", "--resolution")}
_FLAGS = ("reduced_tail", "fold_bn")
_LISTS = ("input",)


def _setting_option(name: str) -> Any:
    flags = _ALIASES.get(name, (f"--{name.replace('_', '-')}",))
    help_text = SETTINGS[name].doc[:1].upper() + SETTINGS[name].doc[1:] + "."
    if name in _FLAGS:
        return Annotated[bool, typer.Option(*flags, help=help_text)]
    if name in _LISTS:
        return Annotated[
            list[str] | None,
            typer.Option(
                *flags, metavar="SHAPE", help=f"{help_text} Repeatable.", show_default=False
            ),
        ]
    return Annotated[
        str | None, typer.Option(*flags, metavar="VALUE", help=help_text, show_default=False)
    ]


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give ``command`` an option per setting; it gets those given as one dict, ``settings``."""
    signature = inspect.signature(command, eval_str=True)
    own = [p for p in signature.parameters.values() if p.name != "settings"]
    options = [
        inspect.Parameter(
            f"{name}_",
            inspect.Parameter.KEYWORD_ONLY,
            default=False if name in _FLAGS else None,
            annotation=_setting_option(name),
        )
        for name in SETTINGS
    ]

    @functools.wraps(command)
    def wrapper(**given: Any) -> None:
        settings = {}
        for name in SETTINGS:
            value = given.pop(f"{name}_")
            if name in _LISTS:
                value = "+".join(value or ())
            if value:
                settings[name] = value
        command(**given, settings=settings)

    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own] + options
    wrapper.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
    del wrapper.__wrapped__  # or Typer would read the original
    return wrapper
