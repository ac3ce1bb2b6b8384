"""Under which conditions memory is stated: the choices of ``mbcost memory``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, cast

from mbcost.errors import MbcostError
from mbcost.graph.deployed import IMAGES, IN_PLACE, Image, InPlace
from mbcost.graph.kernels import FUSIONS, Fusion
from mbcost.graph.training import OPTIMIZERS, Optimizer
from mbcost.networks.rules import Bytes, OneOf, Truth, Whole, fields_of, parse
from mbcost.networks.settings import as_text
from mbcost.units import parse_words

ITEM_BYTES = {"fp32": 4, "fp16": 2, "bf16": 2, "int8": 1}
"""Bytes of an element of a map."""
ORDERS = ("as-is", "best")


@dataclass(frozen=True)
class How:
    """What is run, and how it is counted."""

    dtype: Annotated[str, OneOf(tuple(ITEM_BYTES), "type of maps and weights")] = "fp32"
    fuse: Annotated[
        Fusion,
        OneOf(FUSIONS, "which activations are fused into the deployed layer before them"),
    ] = "tflite"
    image: Annotated[
        Image | None,
        OneOf(
            IMAGES,
            "image held by its caller all along, released after its last reader, or excluded; by "
            "default held in eager execution and planned like any tensor in the arena",
        ),
    ] = None
    in_place: tuple[InPlace, ...] = ()
    order: Annotated[str, OneOf(ORDERS, "order in which deployed layers run")] = "as-is"
    align: Annotated[
        int, Whole(1, 4096, "bytes of which each place in the arena is a multiple")
    ] = 16
    train: Annotated[bool, Truth("a training step too")] = False
    optimizer: Annotated[Optimizer, OneOf(OPTIMIZERS, "optimizer of the training step")] = "sgd"
    amp: Annotated[bool, Truth("train under autocast, maps and copies of weights in bf16")] = False
    fit: Annotated[int | None, Bytes("bytes to fit in, like 24GB: the largest batch that does")] = (
        None
    )

    @property
    def itemsize(self) -> int:
        """Return the bytes of an element of a map."""
        return ITEM_BYTES[self.dtype]

    @property
    def fusion(self) -> str:
        """Return the fusion with what it was planned with, as records state it."""
        return "+".join((self.fuse, *(f"in-place-{name}" for name in self.in_place)))


RULES = {name: field.rule for name, field in fields_of(How).items()}
"""What each choice may be; ``in_place`` is a list of ``IN_PLACE``, or none."""


def _in_place(value: object, place: str) -> tuple[InPlace, ...]:
    text = ",".join(map(str, value)) if isinstance(value, tuple | list) else as_text(value)
    try:
        return () if text == "none" else cast("tuple[InPlace, ...]", parse_words(text, IN_PLACE))
    except MbcostError as error:
        raise error.at(place) from None


def how(given: Mapping[str, Any]) -> How:
    """Return the choices made, each as typed or None where it was not; raise for a wrong one."""
    made = {name: value for name, value in given.items() if value is not None}
    found: dict[str, Any] = {}
    for name, value in made.items():
        place = f"--{name.replace('_', '-')}"
        if name == "in_place":
            found[name] = _in_place(value, place)
        else:
            is_flag = isinstance(value, bool) and isinstance(RULES[name], Truth)
            found[name] = value if is_flag else parse(RULES[name], as_text(value), place)
    chosen = How(**found)
    if chosen.train and chosen.dtype != "fp32":
        raise MbcostError(
            f"no training step in {chosen.dtype} is counted",
            place="--dtype",
            way_out="leave it out; --amp trains with maps of 2 bytes",
        )
    for name in ("optimizer", "amp"):
        if made.get(name) and not chosen.train:
            raise MbcostError("is of a training step", place=f"--{name}", way_out="with --train")
    return chosen
