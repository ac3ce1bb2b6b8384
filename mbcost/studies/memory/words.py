"""What a table of memory says around its figures: definitions, and what is not modelled."""

from __future__ import annotations

from collections.abc import Sequence

from mbcost.graph.kernels import Fusion
from mbcost.output.table import Record
from mbcost.studies.compare.words import title_of
from mbcost.studies.memory.how import How
from mbcost.targets.subject import Subject
from mbcost.units import decimals, thousands

NOT_MODELLED = (
    "not modelled: workspace of kernels, caching allocators, LiteRT's own planner and delegates"
)

FUSED: dict[Fusion, str] = {
    "none": "no activation fused",
    "tflite": "relu and relu6 fused as TFLite fuses them",
    "all": "every activation fused",
}


def caption_of(subjects: Sequence[Subject], how: How, by: str = "target") -> str:
    """Return what the figures mean, under which choices; a row is ``by`` target or one of the
    views."""
    title = title_of(subjects)
    parts = [f"{title}."] if title else []
    parts.append(f"Maps in {how.dtype}.")
    if how.train and by != "tensor":
        parts.append(_training(how))
    elif by != "tensor":
        parts.append(_inference(how))
    if by == "tensor" or (by == "target" and not how.train):
        parts.append(_deployed(how))
    return " ".join(parts)


def _inference(how: How) -> str:
    image = {
        "held": "the image held by its caller",
        "released": "the image freed after its last reader",
        "excluded": "without the image",
    }[how.image or "held"]
    return (
        "Peak: the most bytes of maps alive in eager inference when a layer has run and freed "
        f"nothing yet, every layer writing a new map, {image}; weights are not in it."
    )


def _deployed(how: How) -> str:
    fused = FUSED[how.fuse]
    image = {
        "held": "the image held throughout",
        "released": "the image planned like any tensor",
        "excluded": "the image elsewhere",
    }[how.image or "released"]
    over = f", {' and '.join(how.in_place)} in place" if how.in_place else ""
    return (
        f"Bound: the same of the deployed network (batch-norms folded, {fused}{over}, {image}). "
        f"Arena: those maps placed greedily by size, as TFLite Micro does, {how.align} bytes "
        "aligned."
    )


def _training(how: How) -> str:
    amp = " under autocast (bf16)" if how.amp else ""
    return (
        f"A step of training with {how.optimizer}{amp}, gradients accumulated in place: weights, "
        "buffers, optimizer state, batch and targets are in every peak. Saved: what the forward "
        "keeps for the backward, parameters not counted again."
    )


def notes_of(subjects: Sequence[Subject]) -> tuple[str, ...]:
    """Return what is not in the figures."""
    if not any(subject.traced for subject in subjects):
        return (NOT_MODELLED,)
    return (
        "models from elsewhere are watched on tensors without values: in training gradients are "
        "then added up out of place; bound and arena are of networks in closed form alone",
        NOT_MODELLED,
    )


def fit_lines(records: Sequence[Record], how: How) -> tuple[str, ...]:
    """Return the answer to ``--fit`` for each record."""
    if how.fit is None:
        return ()
    return tuple(_fit_line(row, "trains" if how.train else "runs", how.fit) for row in records)


def _fit_line(row: Record, does: str, limit: int) -> str:
    within = f"within {in_both(limit)}"
    after = f"batch {thousands(row['max_batch'] + 1)} takes {in_both(row['next_batch_bytes'])}"
    if not row["max_batch"]:
        return f"{row['target']} {does} at no batch {within}: {after}"
    return (
        f"{row['target']} {does} at batch {thousands(row['max_batch'])} {within}: "
        f"{in_both(row['max_batch_bytes'])}; {after}"
    )


def in_both(size: int) -> str:
    """Return bytes with MB of 10⁶ and MiB of 2²⁰."""
    return (
        f"{thousands(size)} bytes ({decimals(size / 10**6, 1)} MB, {decimals(size / 2**20, 1)} MiB)"
    )
