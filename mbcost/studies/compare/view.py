"""What a row of ``mbcost model`` is: a layer, a block, a kind, or a branch of the tree of modules.

To add a view: its line in ``VIEWS``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mbcost.cost import LAYER_KEYS, CostReport
from mbcost.cost.tree import tree
from mbcost.errors import MbcostError, did_you_mean
from mbcost.output.table import Column, Record
from mbcost.units import percent

_FIGURES = (
    Column("params", "params", "count"),
    Column("params_share", "share", "share", rank=2),
    Column("mult_adds", "mult-adds", "count"),
    Column("mult_adds_share", "share", "share", rank=1),
)
LAYER_COLUMNS = {
    column.key: column
    for column in (
        Column("path", "layer"),
        Column("kind", "kind", rank=3),
        Column("kernel", "k", "size", rank=4),
        Column("stride", "s", "size", rank=4),
        Column("groups", "groups", "whole", rank=5),
        Column("input", "input", "shape", rank=6),
        Column("output", "output", "shape", rank=3),
        *_FIGURES,
    )
}


def _grouped(*names: Column) -> dict[str, Column]:
    return {column.key: column for column in (*names, *_FIGURES)}


def _by_layer(report: CostReport) -> list[Record]:
    return report.records()


def _by_block(report: CostReport) -> list[Record]:
    return [
        {"block": block or report.name, "params": params, "mult_adds": mult_adds}
        for block, (params, mult_adds) in report.by_block().items()
    ]


def _by_kind(report: CostReport) -> list[Record]:
    params, mult_adds = report.by_kind("params"), report.by_kind("mult_adds")
    kinds = dict.fromkeys((*params, *mult_adds))
    return [
        {"kind": kind, "params": params.get(kind, 0), "mult_adds": mult_adds.get(kind, 0)}
        for kind in kinds
    ]


VIEWS: dict[str, tuple[dict[str, Column], Callable[[CostReport], list[Record]]]] = {
    "layer": (LAYER_COLUMNS, _by_layer),
    "block": (_grouped(Column("block", "block")), _by_block),
    "kind": (_grouped(Column("kind", "kind")), _by_kind),
}
BRANCHES = _grouped(
    Column("path", "layer"), Column("kind", "kind", rank=3), Column("layers", "layers", "whole", 4)
)
"""Columns of a view of branches: ``layers`` is how many layers that cost something are in one."""
BRANCH_KEYS = ("path", "depth", "kind", "layers", "params", "mult_adds")
"""Keys of a branch in files."""


class View(NamedTuple):
    """Which rows of a network people see."""

    by: str = "layer"
    depth: int | None = None
    """Levels of the tree of modules: what is deeper is summed."""
    top: int | None = None
    """How many of the rows, those that cost most."""
    tree: bool = False
    """Every branch, indented, before those in it."""

    def checked(self) -> View:
        """Return the view, or raise for what does not go together."""
        if self.by not in VIEWS:
            way_out = did_you_mean(self.by, VIEWS)
            raise MbcostError(f"unknown view {self.by!r}", place="--by", way_out=way_out)
        word = "--tree" if self.tree else "--depth"
        if self.branches and self.by != "layer":
            raise MbcostError(
                f"{word} sums modules, not each {self.by}",
                place=f"--by {self.by}",
                way_out=f"leave out {word} or --by",
            )
        if self.tree and self.top is not None:
            raise MbcostError(
                "takes branches out of their tree", place="--top", way_out="--depth N --top N"
            )
        return self

    @property
    def branches(self) -> bool:
        """Whether a row is a branch."""
        return self.tree or self.depth is not None

    @property
    def columns(self) -> dict[str, Column]:
        """The columns there are, by key."""
        return BRANCHES if self.branches else VIEWS[self.by][0]

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of a row in files, but its unit's."""
        if self.branches:
            return BRANCH_KEYS
        return LAYER_KEYS if self.by == "layer" else (self.by, "params", "mult_adds")

    @property
    def key(self) -> str:
        """The key of the rows in the JSON; empty for layers, which are always there."""
        return "by_branch" if self.branches else "" if self.by == "layer" else f"by_{self.by}"

    def rows(self, report: CostReport) -> list[Record]:
        """Return the rows as plain data, mult_adds for the batch."""
        if not self.branches:
            return VIEWS[self.by][1](report)
        found = tree(report.layers, report.scale)
        deepest = max((branch.depth for branch in found), default=0)
        last = deepest if self.depth is None else self.depth - 1
        return [
            {key: getattr(branch, key) for key in BRANCH_KEYS}
            for branch in found
            if branch.depth == last or (branch.depth < last and (self.tree or branch.leaf))
        ]

    def added(self, rows: list[Record]) -> list[Record]:
        """Return the rows whose sums are those of all: of a tree its outermost branches."""
        return [row for row in rows if not row["depth"]] if self.tree else rows

    def shown(self, rows: list[Record]) -> list[Record]:
        """Return the rows as people see them, each name under that of the branch it is in."""
        if not self.tree:
            return rows
        return [{**row, "path": f"{'  ' * row['depth']}{row['path']}"} for row in rows]

    def cut(self, rows: list[Record], sort: str | None) -> tuple[list[Record], list[Record]]:
        """Return the first rows, those with the most mult-adds unless they are sorted, and the
        others."""
        if self.top is None:
            return rows, []
        if sort is None:
            rows = sorted(rows, key=lambda row: (row["mult_adds"], row["params"]), reverse=True)
        return rows[: self.top], rows[self.top :]


def others(rows: list[Record], first: str) -> list[Record]:
    """Return the row that stands for what ``--top`` leaves out, or none."""
    if not rows:
        return []
    keys = ("params", "params_share", "mult_adds", "mult_adds_share", "flops")
    sums: Record = {key: sum(row[key] or 0 for row in rows) for key in keys}
    return [{**sums, first: f"{len(rows)} other{'s' if len(rows) > 1 else ''}"}]


def top_line(rows: list[Record], count: int) -> str:
    """Return how much of the whole the shown rows are."""
    shares = [sum(row[f"{key}_share"] or 0 for row in rows) for key in ("mult_adds", "params")]
    return (
        f"the first {len(rows)} of {count}: {percent(shares[0])} of the mult-adds, "
        f"{percent(shares[1])} of the params"
    )
