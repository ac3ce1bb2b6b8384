"""A sweep's units as files: CSV, and Parquet through pyarrow, whose door this is.

Each unit is a part of its own, and ``join`` makes the parts one file. To add a format: its writer
and its line in ``WRITERS``.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, Protocol

import numpy as np

from mbcost.errors import not_installed
from mbcost.output.formats.csv import cell, line
from mbcost.studies.spaces.columns import Layout
from mbcost.studies.spaces.plan import Batch


class Writer(Protocol):
    """How units become parts, and parts a file."""

    suffix: str

    def __init__(self, layout: Layout) -> None: ...

    def write_part(self, batch: Batch, path: Path) -> None:
        """Write one unit."""
        ...

    def join(self, parts: Iterable[bytes], path: Path) -> None:
        """Write all parts, each as ``write_part`` wrote it, in order as one file."""
        ...

    def some_rows(self, path: Path, k: int, random: Random) -> list[dict[str, Any]]:
        """Read back up to ``k`` different rows of a file, any of them."""
        ...


class CsvWriter:
    """A header and a line per config; what means nothing is empty."""

    suffix = ".csv"

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.texts = {field.key: [cell(label) for label in field.labels] for field in layout.fields}

    @property
    def header(self) -> str:
        """The names of the columns."""
        return line(field.key for field in self.layout.fields)

    def text(self, batch: Batch) -> str:
        """Return a line per config."""
        n = batch.choices.shape[1]
        columns: list[Sequence[str]] = []
        for field in self.layout.fields:
            if field.figure:
                columns.append(list(map(str, self.layout.column(field, batch))))
                continue
            positions = self.layout.positions(field, batch)
            texts = self.texts[field.key]
            if positions is None:
                columns.append([texts[0]] * n)
            else:
                columns.append(np.array(texts, object)[positions].tolist())
        lines = list(map(",".join, zip(*columns, strict=True)))
        return "\n".join(lines) + "\n" if lines else ""

    def write_part(self, batch: Batch, path: Path) -> None:
        """Write the unit's lines, without the header."""
        path.write_text(self.text(batch), "utf-8", newline="")

    def join(self, parts: Iterable[bytes], path: Path) -> None:
        """Write the header and the lines of all parts."""
        with path.open("wb") as whole:
            whole.write(self.header.encode())
            whole.writelines(parts)

    def some_rows(self, path: Path, k: int, random: Random) -> list[dict[str, Any]]:
        """Read back up to ``k`` different rows of a file, any of them."""
        if "\n" in self.layout.plan.space.spec.name:  # then a row is several lines
            with path.open(newline="", encoding="utf-8") as text:
                return list(islice(csv.DictReader(text), k))
        with path.open("rb") as file:
            keys = next(csv.reader([file.readline().decode()]))
            first, end = file.tell(), path.stat().st_size
            lines: dict[int, bytes] = {}
            for _ in range(20 * k if end > first else 0):
                file.seek(random.randrange(first, end))
                file.readline()  # the rest of a row; behind the last one comes the first
                if file.tell() == end:
                    file.seek(first)
                lines.setdefault(file.tell(), file.readline())
                if len(lines) == k:
                    break
        rows = csv.reader(line.decode() for line in lines.values())
        return [dict(zip(keys, row, strict=True)) for row in rows]


class ParquetWriter:
    """A column per field, choices dictionary-encoded, a row group per unit."""

    suffix = ".parquet"

    def __init__(self, layout: Layout) -> None:
        try:
            import pyarrow
            import pyarrow.ipc
            import pyarrow.parquet
        except ImportError:
            raise not_installed(
                "Parquet",
                ["pyarrow"],
                place="-o",
                install="'mbcost[parquet]'",
                instead=", or write .csv",
            ) from None
        self.layout = layout
        self.arrow: Any = pyarrow
        self.parquet: Any = pyarrow.parquet
        fields = [pyarrow.field(f.key, self._type(f.labels)) for f in layout.fields]
        self.schema: Any = pyarrow.schema(fields)
        self.chosen = [field.key for field in layout.fields if not field.figure]

    def _type(self, labels: Sequence[Any]) -> Any:
        there = [label for label in labels if label is not None]
        if all(isinstance(label, bool) for label in there):
            return self.arrow.bool_() if there else self.arrow.int64()  # without labels: a figure
        if all(isinstance(label, int) for label in there):
            return self.arrow.int16() if max(there) < 2**15 else self.arrow.int64()
        if all(isinstance(label, int | float) for label in there):
            return self.arrow.float64()
        return self.arrow.string()

    def some_rows(self, path: Path, k: int, random: Random) -> list[dict[str, Any]]:
        """Read back up to ``k`` different rows of a file, any of them."""
        with self.parquet.ParquetFile(path) as file:
            groups = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
            found: list[dict[str, Any]] = []
            for row in random.sample(range(sum(groups)), min(k, sum(groups))):
                group = 0
                while row >= groups[group]:
                    row, group = row - groups[group], group + 1
                found += file.read_row_group(group).slice(row, 1).to_pylist()
        return found

    def table(self, batch: Batch) -> Any:
        """Return the unit as an arrow table."""
        columns = []
        n = batch.choices.shape[1]
        for field, known in zip(self.layout.fields, self.schema, strict=True):
            if field.figure:
                columns.append(self.arrow.array(batch.figures[field.figure]))
                continue
            labels = field.labels
            if self.arrow.types.is_string(known.type):
                labels = tuple(None if label is None else str(label) for label in labels)
            values = self.arrow.array(labels, known.type)
            positions = self.layout.positions(field, batch)
            columns.append(
                values.take(
                    self.arrow.array(np.zeros(n, np.int64) if positions is None else positions)
                )
            )
        return self.arrow.Table.from_arrays(columns, schema=self.schema)

    def write_part(self, batch: Batch, path: Path) -> None:
        """Write the unit as an Arrow file, which is quicker than Parquet to write and read."""
        options = self.arrow.ipc.IpcWriteOptions(compression="lz4")
        with self.arrow.ipc.new_file(str(path), self.schema, options=options) as part:
            part.write_table(self.table(batch))

    def join(self, parts: Iterable[bytes], path: Path) -> None:
        """Write a row group per part, one in memory at a time."""
        with self.parquet.ParquetWriter(
            path, self.schema, use_dictionary=self.chosen, write_statistics=False
        ) as whole:
            for part in parts:
                with self.arrow.ipc.open_file(self.arrow.BufferReader(part)) as file:
                    whole.write_table(file.read_all())


WRITERS: dict[str, type[Writer]] = {".csv": CsvWriter, ".parquet": ParquetWriter}
