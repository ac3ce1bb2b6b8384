"""What a target may cost: limits on its figures, and how they are given.

``--max-params 3.5M`` on the command line, ``max_params: 3.5M`` in a budget file. To add a limit:
its line in ``LIMITS``; the option of ``check``, ``sweep`` and ``search``, the key and the schema
follow.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any

from mbcost.cost import DTYPES, CostReport, LayerCost, weight_bytes
from mbcost.errors import MbcostError
from mbcost.graph.kernels import Fusion
from mbcost.graph.training import Optimizer
from mbcost.networks.rules import Bytes, Count, OneOf, Percent
from mbcost.networks.settings import SETTINGS
from mbcost.studies.memory.how import RULES
from mbcost.studies.memory.stated import (
    Stated,
    arena_words,
    peak_words,
    subject_peak_bytes,
    subject_whole,
    train_words,
)

if TYPE_CHECKING:
    from mbcost.targets.subject import Subject


@dataclass(frozen=True, slots=True)
class Limit:
    """An upper bound on one figure of a subject, and on what it is made of, layer by layer."""

    key: str
    figure: str
    rule: Count | Bytes
    of_subject: Callable[[Subject, Stated], int]
    of_layer: Callable[[LayerCost, CostReport, Stated], int] | None = None
    """None where the figure is not a sum over the layers."""
    column: str | None = None
    """The figure in sweeps and searches; None where they do not count it."""
    alias: str | None = None
    """Another key that means the same."""
    depends: tuple[str, ...] = ()
    """On which fields of ``Stated`` the figure depends."""
    words: Callable[[Stated], str] | None = None
    """What it is, where that depends on something."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that set it; the first is its own."""
        return (self.key,) if self.alias is None else (self.key, self.alias)

    def title(self, stated: Stated) -> str:
        """Return the figure as a row of the check names it: ``weight bytes int8``."""
        chosen = [getattr(stated, name) for name in self.depends]
        return " ".join([self.figure, *filter(None, chosen)])


LIMITS = {
    limit.key: limit
    for limit in (
        Limit(
            "max_params",
            "params",
            Count("trainable parameters, like 3.5M or 35e5"),
            lambda subject, _: subject.report.params,
            lambda layer, _, __: layer.params,
            column="params",
        ),
        Limit(
            "max_mult_adds",
            "mult-adds",
            Count("multiply-adds of the batch, like 300M"),
            lambda subject, _: subject.report.mult_adds,
            lambda layer, report, _: layer.mult_adds * report.scale,
            column="mult_adds",
        ),
        Limit(
            "max_weight_bytes",
            "weight bytes",
            Bytes("bytes of the weights as --dtype stores them, like 4MB or 512KiB"),
            lambda subject, stated: subject.report.weight_bytes(stated.dtype),
            lambda layer, _, stated: weight_bytes(layer.terms, DTYPES[stated.dtype]),
            column="weight_bytes",
            alias="max_param_bytes",
            depends=("dtype",),
            words=lambda stated: f"{stated.dtype}: {DTYPES[stated.dtype].stores}",
        ),
        Limit(
            "max_activation_bytes",
            "peak activation bytes",
            Bytes("bytes of the batch's maps alive at once, in --dtype, like 2MB"),
            subject_peak_bytes,
            column="peak_activation_bytes",
            depends=("dtype", "fuse"),
            words=peak_words,
        ),
        Limit(
            "max_arena_bytes",
            "arena bytes",
            Bytes("bytes of the arena that TFLite Micro plans for the maps, like 320KiB"),
            lambda subject, stated: subject_whole(subject, "arena_bytes", stated),
            column="arena_bytes",
            depends=("dtype", "fuse"),
            words=arena_words,
        ),
        Limit(
            "max_train_peak_bytes",
            "training peak bytes",
            Bytes("bytes alive in a step of training with --optimizer, like 24GB"),
            lambda subject, stated: subject_whole(subject, "train_peak_bytes", stated),
            column="train_peak_bytes",
            depends=("optimizer",),
            words=train_words,
        ),
        Limit(
            "max_total_bytes",
            "total bytes",
            Bytes("bytes of torchinfo's estimated total, always float32, like 100MB"),
            lambda subject, _: subject.report.total_bytes,
        ),
    )
}

GROWING = ("max_params", "max_mult_adds")
"""The limits whose figures are compared with a baseline."""


@dataclass(frozen=True)
class Budget:
    """The limits of one target, by key of ``LIMITS``, and by how much it may outgrow a baseline."""

    limits: Mapping[str, int] = field(default_factory=dict)
    dtype: Annotated[
        str, OneOf(tuple(DTYPES), "type that bytes are counted in; int8 has int32 biases")
    ] = "fp32"
    fuse: Annotated[
        Fusion | None,
        OneOf(
            RULES["fuse"].words,
            "count the deployed network's maps, these activations fused into the layer before them",
        ),
    ] = None
    optimizer: Annotated[Optimizer, OneOf(RULES["optimizer"].words, "of a step of training")] = (
        "sgd"
    )
    fold_bn: Annotated[bool, SETTINGS["fold_bn"]] = False
    max_growth: Annotated[Fraction | None, Percent("above the baseline, like 1%")] = None
    place: str = ""
    """Where it is written, ``budgets.yaml:4: budgets.v2``."""
    written: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """File and line by key; under an empty one those of the whole."""

    @property
    def stated(self) -> Stated:
        """What its bytes are stated in."""
        return Stated(self.dtype, self.fuse, self.optimizer)


def option_of(key: str) -> str:
    """Return the option of a key: ``--max-params``."""
    return f"--{key.replace('_', '-')}"


def budget_of(values: Mapping[str, Any], place: str = "") -> Budget:
    """Return the budget that parsed values make, each limit under its own key."""
    limits = {key: value for key, value in values.items() if key in LIMITS}
    others = {key: value for key, value in values.items() if key not in LIMITS}
    return Budget(limits, place=place, **others)


_DEPENDENT = {
    "dtype": ("the bytes of weights or maps", "--max-weight-bytes 4MB"),
    "fuse": ("the bytes of maps", "--max-activation-bytes 2MB"),
    "optimizer": ("the bytes of training", "--max-train-peak-bytes 24GB"),
}
"""Options that change nothing by themselves: what a limit must be on, and such a limit."""


def refuse_idle_options(keys: Collection[str], stated: Mapping[str, object]) -> None:
    """Raise for a field of ``Stated`` that was given where none of these limits depends on it."""
    for name in stated:
        if not any(name in LIMITS[key].depends for key in keys):
            what, like = _DEPENDENT[name]
            raise MbcostError(
                f"changes nothing without a limit on {what}", place=option_of(name), way_out=like
            )
