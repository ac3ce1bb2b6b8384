"""What changed between two targets or two saved reports: ``mbcost diff``.

By layer where both sides know their layers, else by kind of layer; files of several reports are
compared target by target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mbcost.cost.coverage import names
from mbcost.errors import MbcostError, did_you_mean
from mbcost.output.table import Column, Finding, Record, Table, choose_columns, sort_rows
from mbcost.studies.guard.changes import by_kind, by_layer, compared, conditions, target_row
from mbcost.studies.guard.findings import place_of
from mbcost.studies.guard.snapshots import (
    FIGURES,
    Snapshot,
    is_report,
    named,
    read_report,
    snapshot_of,
)
from mbcost.targets.resolve import resolve, resolve_one
from mbcost.units import signed, signed_percent, thousands

_FIGURES = (
    Column("params_before", "params before", "count", rank=6),
    Column("params_after", "params", "count", rank=3),
    Column("params_delta", "Δ params", "delta"),
    Column("params_growth", "in %", "growth", rank=5),
    Column("mult_adds_before", "mult-adds before", "count", rank=6),
    Column("mult_adds_after", "mult-adds", "count", rank=2),
    Column("mult_adds_delta", "Δ mult-adds", "delta"),
    Column("mult_adds_growth", "in %", "growth", rank=4),
)
_WHAT = Column("what", "what", "prose", rank=1)
_DEFAULT = tuple(
    column.key for column in _FIGURES if not column.key.endswith(("_before", "_after"))
)


def _columns(*first: Column) -> dict[str, Column]:
    return {column.key: column for column in (*first, *_FIGURES)}


VIEWS = {
    "layer": _columns(
        Column("change", "change"),
        Column("path", "layer"),
        Column("path_before", "layer before", rank=7),
        Column("kind", "kind", rank=7),
        _WHAT,
    ),
    "kind": _columns(Column("change", "change"), Column("kind", "kind")),
    "target": _columns(
        Column("change", "change"),
        Column("target", "target"),
        Column("path", "layer"),
        Column("path_before", "layer before", rank=7),
        Column("kind", "kind", rank=7),
        _WHAT,
    ),
}
"""Columns by what a row is; ``target`` where a file holds several reports: of each the totals, then
its layers."""


@dataclass(frozen=True)
class Diff:
    """Two sides; of each the reports to be compared, pairwise by position."""

    before: str
    after: str
    pairs: Sequence[tuple[Snapshot | None, Snapshot | None]]

    @property
    def single(self) -> tuple[Snapshot, Snapshot] | None:
        """The two reports, where each side has just one."""
        if len(self.pairs) != 1:
            return None
        before, after = self.pairs[0]
        return (before, after) if before and after else None


def diff_of(before: str, after: str, settings: Mapping[str, object] | None = None) -> Diff:
    """Return two sides read or counted: targets, or JSON files (``cost.json:v2`` is one of it).

    ``settings`` go to the targets; a side of several reports meets the other by target.
    """
    live = [side for side in (before, after) if not is_report(side)]
    subjects = resolve(live, settings)
    if len(subjects) != len(live):
        for side in live:
            resolve_one(side)  # raises for the one that holds several blocks
    counted = iter(subjects)
    one, two = (
        read_report(side) if is_report(side) else [snapshot_of(next(counted))]
        for side in (before, after)
    )
    if len(one) == 1 and len(two) != 1:
        two = [named(two, one[0].target)]
    if len(two) == 1 and len(one) != 1:
        one = [named(one, two[0].target)]
    pairs = [(one[0], two[0])] if len(one) == len(two) == 1 else _by_target(one, two)
    for pair in pairs:
        _same_convention(*pair)
    return Diff(before, after, pairs)


def _by_target(
    before: Sequence[Snapshot], after: Sequence[Snapshot]
) -> list[tuple[Snapshot | None, Snapshot | None]]:
    targets = list(dict.fromkeys(s.target for s in (*before, *after)))
    sides = [
        {t: named(side, t) for t in dict.fromkeys(s.target for s in side)}
        for side in (before, after)
    ]
    return [(sides[0].get(target), sides[1].get(target)) for target in targets]


def _same_convention(before: Snapshot | None, after: Snapshot | None) -> None:
    if before and after and before.condition("convention") != after.condition("convention"):
        raise MbcostError(
            f"counts mult-adds by the convention {after.condition('convention')!r}, not "
            f"{before.condition('convention')!r}",
            place=after.source or after.target,
            way_out="compare reports of one convention",
        )


def diff_table(
    diff: Diff, by: str = "layer", columns: str | None = None, sort: str | None = None
) -> Table:
    """Return what changed, a row per layer, kind or target that differs; files get the same."""
    single = diff.single
    view = by if single else "target"
    if single and by == "layer" and any(side.layers is None for side in single):
        view = "kind"
    rows = _ROWS[view](*single) if single else _by_target_and_layer(diff.pairs, by)
    changed = [row for row in rows if row["change"]]
    known = VIEWS[view]
    leading = [key for key in known if key not in {column.key for column in _FIGURES}]
    shown = [key for key in leading if known[key].rank < 7]
    chosen = choose_columns(known, columns, (*shown, *_DEFAULT))
    fields = tuple(known) if columns is None else tuple(column.key for column in chosen)
    total = {leading[0]: "total", **_totals(single)} if single else None
    return Table(
        chosen,
        sort_rows(changed if single else [_as_shown(row) for row in changed], sort),
        fields,
        changed,
        {
            "before": diff.before,
            "after": diff.after,
            "by": view,
            **(_totals(single) if single else {}),
            "changes": [{key: row.get(key) for key in known} for row in changed],
        },
        title=f"{diff.before} → {diff.after}",
        caption="Before: " + diff.before + ", after: " + diff.after + ". Layers that cost "
        "something, matched by path or, where rows moved, by shape.",
        total=total,
        notes=tuple(_notes(diff, rows, view, total)),
        findings=tuple(_finding(pair, changed) for pair in diff.pairs),
    )


def _finding(pair: tuple[Snapshot | None, Snapshot | None], changed: Sequence[Record]) -> Finding:
    """Return what CI is told of a target: what of it changed, at the row that changed most."""
    before, after = pair
    row = target_row(*pair)
    target = row["target"]
    parts = [each for each in changed if each.get("target", target) == target and "kind" in each]
    said = _said(row, parts)
    if before and after and before.uncounted != after.uncounted:
        old, new = (names(side.uncounted) or "none" for side in (before, after))
        said.append(f"operators without a formula: {old} → {new}")
    if not said:
        return Finding(target, "unchanged", passed=True)
    there = [each for each in parts if each["change"] != "removed" and each.get("path")]
    there.sort(key=lambda each: [-abs(each[f"{figure}_delta"]) for figure in reversed(FIGURES)])
    file, line = place_of(target, [each["path"] for each in there]) if after else (None, None)
    change = row["change"] or "changed"
    return Finding(target, change, False, "\n".join(said), "notice", file, line)


def _said(row: Record, parts: Sequence[Record]) -> list[str]:
    """Return what changed of a target in words, nothing where nothing did."""
    if row["change"] in ("added", "removed"):
        side = "after" if row["change"] == "added" else "before"
        return [", ".join(f"{thousands(row[f'{key}_{side}'])} {_WORDS[key]}" for key in FIGURES)]
    said = [f"{len(parts)} row{'s' if len(parts) > 1 else ''} changed"] if parts else []
    if said or row["change"]:
        said += _in_full(row)
    return [*said, row["what"]] if row["what"] else said


_WORDS = dict(zip(FIGURES, ("params", "mult-adds"), strict=True))
_ROWS = {"layer": by_layer, "kind": by_kind}


def _by_target_and_layer(
    pairs: Sequence[tuple[Snapshot | None, Snapshot | None]], by: str
) -> list[Record]:
    """Return the totals of each target, and below them a row per layer or kind."""
    rows: list[Record] = []
    for before, after in pairs:
        total = target_row(before, after)
        parts: list[Record] = []
        if before and after:
            known = before.layers is not None and after.layers is not None
            found = _ROWS[by if known else "kind"](before, after)
            parts = [{**row, "target": total["target"]} for row in found if row["change"]]
            if parts:  # also where what they cost in all is the same
                total["change"] = "changed"
        rows += [total, *parts]
    return rows


def _is_total(row: Record) -> bool:
    return "kind" not in row


def _as_shown(row: Record) -> Record:
    """Return a row of several targets as people see it: what it is of stands under ``layer``."""
    return {**row, "path": "total" if _is_total(row) else row.get("path") or row["kind"]}


def _totals(pair: tuple[Snapshot, Snapshot]) -> Record:
    row = compared("", *(side.record for side in pair))
    del row["change"]
    return row


def _in_full(total: Record) -> list[str]:
    """Return the totals with every digit, a line a figure."""
    return [
        f"{word}: {thousands(total[f'{figure}_before'])} → {thousands(total[f'{figure}_after'])} "
        f"({_in_words(total, figure)})"
        for figure, word in _WORDS.items()
    ]


def _notes(diff: Diff, rows: Sequence[Record], view: str, total: Record | None) -> list[str]:
    """Return the totals in full, and how much there was to compare."""
    lines = [] if total is None else _in_full(total)
    lines += [
        f"{side.source or side.target}: operators without a formula, whose cost is missing from "
        f"the totals: {names(side.uncounted)}"
        for pair in diff.pairs
        for side in pair
        if side and side.uncounted
    ]
    if diff.single:
        differing = conditions(*diff.single)
        lines += [f"counted under different conditions: {', '.join(differing)}"] * bool(differing)
    counted = [row for row in rows if view != "target" or _is_total(row)]
    counts = {
        change: sum(row["change"] == change for row in counted)
        for change in ("added", "removed", "changed", "")
    }
    words = [f"{n} {change or 'unchanged'}" for change, n in counts.items() if n]
    lines.append(f"{view}s: {', '.join(words) or 'none'}")
    if view == "kind" and diff.single and any(side.layers is None for side in diff.single):
        lines.append("a report without layers (of `mbcost compare`) is compared by kind of layer")
    return lines


def _in_words(total: Record, figure: str) -> str:
    if not total[f"{figure}_delta"]:
        return "unchanged"
    growth = total[f"{figure}_growth"]
    percent = f", {signed_percent(growth)}" if growth is not None else ""
    return f"{signed(total[f'{figure}_delta'], None)}{percent}"


def view_named(name: str) -> str:
    """Return ``name`` if a single diff can be shown so, or raise with the nearest."""
    known = [view for view in VIEWS if view != "target"]
    if name not in known:
        raise MbcostError(f"unknown view {name!r}", place="--by", way_out=did_you_mean(name, known))
    return name
