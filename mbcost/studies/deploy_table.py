"""Deployed files as a table, and in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite

from mbcost.modules.exported import PARAMETERS
from mbcost.networks.settings import as_record
from mbcost.output.table import Column, Record, Table, choose_columns
from mbcost.studies.compare.versions import versions_of, versions_text
from mbcost.studies.deploy import Deployment, Planned, Written
from mbcost.units import number, scientific, shape_text, thousands

COLUMNS = {
    column.key: column
    for column in (
        Column("file", "file"),
        Column("target", "target"),
        Column("file_format", "format"),
        Column("dtype", "dtype"),
        Column("layout", "layout"),
        Column("input", "input", "shape"),
        Column("input_low", "from", "number"),
        Column("input_high", "to", "number"),
        Column("batch", "batch", "whole"),
        Column("weights_from", "weights"),
        Column("file_bytes", "file bytes", "whole"),
        Column("predicted_bytes", "predicted", "whole"),
        Column("overhead_bytes", "overhead", "whole", rank=1),
        Column("layers", "layers", "whole", rank=2),
        Column("layers_matched", "matched", "whole"),
        Column("mult_adds", "mult-adds", "whole", rank=3),
        Column("max_difference", "max difference", "difference"),
        Column("predicted_peak_bytes", "predicted peak", "whole", rank=5),
        Column("arena_bytes", "arena", "whole", rank=1),
        Column("arena_measured", "measured", "truth"),
        Column("verified", "verified", "truth", rank=4),
        Column("versions", "versions", "versions"),
    )
}
FIELDS = tuple(COLUMNS)
SHOWN = (
    "file",
    "file_bytes",
    "predicted_bytes",
    "overhead_bytes",
    "layers",
    "layers_matched",
    "mult_adds",
    "max_difference",
    "predicted_peak_bytes",
    "arena_bytes",
    "verified",
)
"""What is shown unless columns are named."""


def record(made: Deployment, file: Written) -> Record:
    """Return what is known of a file: ``FIELDS``."""
    low, high = made.storage.input_range
    return {
        "file": file.file,
        "target": made.subject.target,
        "file_format": file.form.name,
        "dtype": made.storage.dtype,
        "layout": file.layout,
        "input": list(made.report.x),
        "input_low": low,
        "input_high": high,
        "batch": made.report.batch,
        "weights_from": made.storage.weights_from,
        "file_bytes": len(file.data),
        "predicted_bytes": made.predicted_bytes,
        "overhead_bytes": len(file.data) - made.predicted_bytes,
        "layers": len(made.layers),
        "layers_matched": made.matched(file),
        "mult_adds": sum(layer.mult_adds for layer in file.contents.layers),
        "max_difference": file.difference if isfinite(file.difference) else None,
        "predicted_peak_bytes": file.peak,
        "arena_bytes": file.arena.size if file.arena else None,
        "arena_measured": isinstance(file.arena.measured, int) if file.arena else None,
        "verified": made.verified(file),
        "versions": versions_of(file.form.packages),
    }


def deploy_table(made: Deployment, columns: str | None = None) -> Table:
    """Return a row per file."""
    rows = [record(made, file) for file in made.written]
    chosen = choose_columns(COLUMNS, columns, SHOWN)
    packages = dict.fromkeys(name for file in made.written for name in file.form.packages)
    return Table(
        chosen,
        rows,
        FIELDS if columns is None else tuple(column.key for column in chosen),
        rows,
        [
            {**row, "settings": as_record(made.subject.settings), **_further(file)}
            for row, file in zip(rows, made.written, strict=True)
        ],
        title=f"{made.subject.target}: input {shape_text(made.report.x, '×')}, "
        f"batch {made.report.batch}, {made.storage.dtype}, batch-norms folded",
        caption=f"{made.subject.target} as files in {made.storage.dtype}, bytes. "
        f"{versions_text(versions_of(packages))}.",
        notes=tuple(_notes(made)),
    )


def _further(file: Written) -> Record:
    """Return what the JSON has beyond ``FIELDS``."""
    return {
        "parameters": file.contents.parameters,
        "constants": file.contents.constants,
        "overhead": _overhead(file),
        "file_layers": [layer._asdict() for layer in file.contents.layers],
    }


def _notes(made: Deployment) -> Iterator[str]:
    low, high = map(number, made.storage.input_range)
    for file in made.written:
        sums = ", ".join(f"{part} {thousands(n)}" for part, n in _overhead(file).items() if n)
        yield f"{file.file}: {file.layout}, input from {low} to {high}; {_elements(file)}"
        yield f"{file.file}: overhead: {sums}"
        if file.arena:
            yield f"{file.file}: {_arena(file.arena)}"
    yield f"weights: {made.storage.weights_from}"
    if made.storage.dtype == "int8":
        yield (
            "int8: a scale per output channel, and per map from random images: no accuracy is "
            "claimed"
        )
    if all(map(made.verified, made.written)):
        most = max(file.form.tolerance for file in made.written)
        near = f"; outputs within {scientific(most)} of torch's"
        yield (
            "verified: read back, each layer by name: weights, mult-adds and bytes as the closed "
            f"form says{near if made.storage.dtype == 'fp32' else ''}"
        )


def _arena(arena: Planned) -> str:
    size = f"arena of maps {thousands(arena.size)}"
    if isinstance(arena.measured, int):
        return f"{size}: what TFLite Micro plans for it"
    return f"{size}, predicted; not measured: {arena.measured}"


def _overhead(file: Written) -> dict[str, int]:
    return {part: n for part, n in file.contents.parts.items() if part != PARAMETERS}


def _elements(file: Written) -> str:
    contents = file.contents
    found = f"{_listed(contents.parameters)} as parameters"
    return f"{found}, {_listed(contents.constants)} beside them" if contents.constants else found


def _listed(elements: Mapping[str, int]) -> str:
    return ", ".join(f"{thousands(n)} {kind}" for kind, n in elements.items())
