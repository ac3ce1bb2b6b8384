"""Memory as tables: targets side by side, or one step by step."""

from __future__ import annotations

from collections.abc import Sequence

from mbcost.output.table import PENDING, Column, Table, choose_columns, sort_rows, with_names
from mbcost.studies.compare import conditions
from mbcost.studies.compare.words import title_of
from mbcost.studies.memory.figures import COLUMNS, KEYS, Memory, record
from mbcost.studies.memory.how import How
from mbcost.studies.memory.steps import STEP_COLUMNS, TENSOR_COLUMNS, arena_rows, step_rows
from mbcost.studies.memory.verify import Ran, added, lines
from mbcost.studies.memory.words import caption_of, fit_lines, notes_of
from mbcost.targets.subject import Subject, labels_of, named

VIEWS = ("layer", "tensor")
VERIFIED = Column("verified", "verified", "truth")
VERIFIED_PENDING = {"verified": PENDING, "arena_persistent_bytes": PENDING}

_RUN = ("peak_activation_bytes", "peak_at", "lower_bound_bytes", "arena_bytes", "arena_overhead")
_TRAIN = (
    "saved_bytes",
    "grad_bytes",
    "optimizer_bytes",
    "peak_forward_bytes",
    "peak_backward_bytes",
    "peak_step_bytes",
    "train_peak_bytes",
)
_FIT = ("max_batch", "max_batch_bytes", "next_batch_bytes")


def memory_table(
    subjects: Sequence[Subject],
    how: How,
    ran: Sequence[Ran | None] | None = None,
    columns: str | None = None,
    sort: str | None = None,
) -> Table:
    """Return a row per subject: to run and to be deployed, or with ``train`` to be trained.

    ``ran`` is what a real run said of each subject so far, where one was asked for.
    """
    records = [record(subject, how) for subject in subjects]
    if ran is not None:
        records = [
            {**row, **VERIFIED_PENDING} if found is None else added(row, found)
            for row, found in zip(records, ran, strict=True)
        ]
    known = COLUMNS if ran is None else COLUMNS | {VERIFIED.key: VERIFIED}
    default = ["target"]
    default += ["settings"] if conditions.differing(subjects) else []
    default += ["batch"] if len({subject.batch for subject in subjects}) > 1 else []
    default += ["weight_bytes", *(_TRAIN if how.train else _RUN)]
    if how.order == "best" and not how.train:
        default += ["best_order_bytes", "order_is_best"]
    default += _FIT if how.fit is not None else ()
    default += ["arena_persistent_bytes"] if ran is not None and not how.train else []
    default += [VERIFIED.key] if ran is not None else []
    chosen = choose_columns(known, columns, default)
    fields = (*KEYS, *([VERIFIED.key] if ran is not None else ()))
    if columns is not None:
        fields = tuple(column.key for column in chosen)
    document = records if columns is None else [{k: row[k] for k in fields} for row in records]
    labels = labels_of(subjects)
    rows = sort_rows(records, sort)
    return Table(
        with_names(chosen, (known["target"], *([known["name"]] if "name" in known else []))),
        [named(row, labels) for row in rows] if labels else rows,
        fields,
        records,
        document,
        title=title_of(subjects),
        caption=caption_of(subjects, how),
        notes=(
            *fit_lines(records, how),
            *(
                line
                for s, found in zip(subjects, ran or (), strict=False)
                if found
                for line in lines(s, found)
            ),
            *notes_of(subjects),
        ),
    )


def parts_table(
    subject: Subject,
    how: How,
    by: str,
    columns: str | None = None,
    sort: str | None = None,
) -> Table:
    """Return a row per step of what is run, or per tensor of the arena; ``by`` is of ``VIEWS``."""
    memory = Memory(subject.graph, subject.batch, how)
    known, rows = TENSOR_COLUMNS, arena_rows(memory.deployed, memory.arena)
    default = list(known)
    if by == "layer":
        known, rows = STEP_COLUMNS, step_rows(memory.schedule, memory.ends)
        default = [key for key in known if how.train or key != "phase"]
    chosen = choose_columns(known, columns, default)
    fields = tuple(column.key for column in chosen) if columns else tuple(known)
    data = [{key: row[key] for key in fields} for row in rows]
    return Table(
        chosen,
        sort_rows(data, sort),
        fields,
        data,
        {**record(subject, how), f"by_{by}": data},
        title=f"{subject.target}: {title_of([subject])}",
        caption=f"{subject.target}: {caption_of([subject], how, by)}",
        notes=notes_of([subject]),
    )
