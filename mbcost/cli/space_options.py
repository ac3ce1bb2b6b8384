"""The options that ``sweep`` and ``search`` share: the space, the budgets, what is verified."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from mbcost.errors import MbcostError, did_you_mean
from mbcost.units import parse_bytes, parse_count

if TYPE_CHECKING:
    from mbcost.studies.spaces.space import Space

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
MaxParams = Annotated[
    str | None, typer.Option("--max-params", metavar="N", help="Budget of params, like 4M.")
]
MaxMultAdds = Annotated[
    str | None, typer.Option("--max-mult-adds", metavar="N", help="Budget of mult-adds, like 200M.")
]
MaxWeightBytes = Annotated[
    str | None,
    typer.Option(
        "--max-weight-bytes", metavar="N", help="Budget of params in the dtype, like 4MB."
    ),
]
MaxActivationBytes = Annotated[
    str | None,
    typer.Option(
        "--max-activation-bytes",
        metavar="N",
        help="Budget of peak activation memory in the dtype, like 2MB.",
    ),
]
Dtype = Annotated[
    str, typer.Option("--dtype", metavar="fp32|fp16|int8", help="Type that bytes are counted for.")
]
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
Workers = Annotated[
    int, typer.Option("--workers", metavar="N", min=1, max=256, help="Processes that count.")
]


def space_of(target: str, settings: Mapping[str, str], sets: Sequence[str] | None) -> Space:
    """Return the space of a target with its axes, from what was typed."""
    from mbcost.networks.settings import split_inline
    from mbcost.studies.spaces.space_file import load_space

    name, inline = split_inline(target)
    space = load_space(name).narrowed(inline)
    return space.narrowed(settings).with_fields(sets or ())


def limits(
    dtype: str,
    max_params: str | None,
    max_mult_adds: str | None,
    max_weight_bytes: str | None,
    max_activation_bytes: str | None,
) -> dict[str, int]:
    """Return the budgets by column of a sweep."""
    from mbcost.cost import DTYPES

    if dtype not in DTYPES:
        raise MbcostError(
            f"unknown dtype {dtype!r}", place="--dtype", way_out=did_you_mean(dtype, DTYPES)
        )
    typed = {
        "params": (max_params, parse_count, "--max-params"),
        "mult_adds": (max_mult_adds, parse_count, "--max-mult-adds"),
        "weight_bytes": (max_weight_bytes, parse_bytes, "--max-weight-bytes"),
        "peak_activation_bytes": (max_activation_bytes, parse_bytes, "--max-activation-bytes"),
    }
    found = {}
    for key, (text, parse, option) in typed.items():
        if text is not None:
            try:
                found[key] = parse(text)
            except MbcostError as error:
                raise error.at(option) from None
    return found
