"""What changed between two targets or two saved reports: ``mbcost diff``.

By layer where both sides know their layers, else by kind of layer; files of several reports are
compared target by target.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mbcost.cost import KINDS
from mbcost.cost.coverage import names
from mbcost.errors import MbcostError, did_you_mean
from mbcost.networks.settings import as_text
from mbcost.output.table import Column, Record, Table, choose_columns, sort_rows
from mbcost.studies.compare.conditions import OF_INPUT
from mbcost.studies.guard.matching import match_layers, same
from mbcost.studies.guard.snapshots import (
    FIGURES,
    Snapshot,
    is_report,
    named,
    read_report,
    snapshot_of,
)
from mbcost.targets.resolve import resolve, resolve_one
from mbcost.units import shape_text, signed, signed_percent, thousands

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
    "target": _columns(Column("change", "change"), Column("target", "target"), _WHAT),
}
"""Columns by what a row is; ``target`` where a file holds several reports."""

_COMPARED = {
    "kind": "kind",
    "kernel": "kernel",
    "stride": "stride",
    "groups": "groups",
    "input": "input",
    "output": "output",
}


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
    rows_of = {"layer": _by_layer, "kind": _by_kind}
    rows = rows_of[view](*single) if single else [_target_row(*pair) for pair in diff.pairs]
    changed = [row for row in rows if row["change"]]
    known = VIEWS[view]
    leading = [key for key in known if key not in {column.key for column in _FIGURES}]
    shown = [key for key in leading if known[key].rank < 7]
    chosen = choose_columns(known, columns, (*shown, *_DEFAULT))
    fields = tuple(known) if columns is None else tuple(column.key for column in chosen)
    total = {leading[0]: "total", **_totals(diff.pairs)}
    return Table(
        chosen,
        sort_rows(changed, sort),
        fields,
        changed,
        {
            "before": diff.before,
            "after": diff.after,
            "by": view,
            **{key: total[key] for key in _totals(())},
            "changes": [{key: row.get(key) for key in known} for row in changed],
        },
        title=f"{diff.before} → {diff.after}",
        caption="Before: " + diff.before + ", after: " + diff.after + ". Layers that cost "
        "something, matched by path or, where rows moved, by shape.",
        total=total,
        notes=tuple(_notes(diff, rows, view, total)),
    )


def _row(change: str, before: Record | None, after: Record | None) -> Record:
    """Return the figures of both sides, their difference and growth; null where there is none."""
    row: Record = {"change": change}
    for figure in FIGURES:
        old = before[figure] if before else None
        new = after[figure] if after else None
        delta = (new or 0) - (old or 0)
        row |= {
            f"{figure}_before": old,
            f"{figure}_after": new,
            f"{figure}_delta": delta,
            f"{figure}_growth": delta / old if old and after else None,
        }
    return row


def _by_layer(before: Snapshot, after: Snapshot) -> list[Record]:
    old, new = before.layers or (), after.layers or ()
    return [
        _layer_row(None if i is None else old[i], None if j is None else new[j])
        for i, j in match_layers(old, new)
    ]


def _layer_row(before: Record | None, after: Record | None) -> Record:
    layer = after or before or {}
    row = {
        "path": layer["path"],
        "path_before": before["path"] if before else None,
        "kind": layer["kind"],
        "what": "",
    }
    if before and after:
        changed = not same(before, after)
        row["what"] = _what(before, after) if changed else ""
        return row | _row("changed" if changed else "", before, after)
    row["what"] = _described(layer)
    return row | _row("added" if after else "removed", before, after)


def _what(before: Record, after: Record) -> str:
    """Return what differs: ``kernel 3 → 5, output 16×112×112 → 24×112×112``."""
    parts = [
        f"{word} {_shown(before.get(key))} → {_shown(after.get(key))}"
        for key, word in _COMPARED.items()
        if before.get(key) != after.get(key)
    ]
    return ", ".join(parts) or "params"


def _described(layer: Record) -> str:
    """Return what a layer is: ``depthwise 3, 96×112×112 → 96×56×56``."""
    kernel = f" {layer['kernel']}" if layer.get("kernel") is not None else ""
    shapes = f"{_shown(layer.get('input'))} → {_shown(layer.get('output'))}"
    return f"{layer['kind']}{kernel}, {shapes}".replace("_", "-")


def _shown(value: object) -> str:
    if isinstance(value, list | tuple):
        return shape_text(value, "×")
    return "none" if value is None else str(value)


def _by_kind(before: Snapshot, after: Snapshot) -> list[Record]:
    sides = [_kinds(side) for side in (before, after)]
    rows = []
    for kind in sorted({*sides[0], *sides[1]}, key=_kind_order):
        old, new = sides[0].get(kind), sides[1].get(kind)
        change = "changed" if old != new else ""
        if old is None or new is None:
            change = "added" if new else "removed"
        rows.append({"kind": kind, **_row(change, old, new)})
    return rows


def _kind_order(kind: str) -> tuple[int, str]:
    """Return the order in which ``CostReport.by_kind`` has the kinds; others behind."""
    return (KINDS.index(kind) if kind in KINDS else len(KINDS), kind)


def _kinds(snapshot: Snapshot) -> dict[str, Record]:
    """Return params and mult_adds by kind, from the layers or else from the record."""
    sums: dict[str, Record] = {}
    if snapshot.layers is not None:
        for layer in snapshot.layers:
            row = sums.setdefault(layer["kind"], dict.fromkeys(FIGURES, 0))
            for figure in FIGURES:
                row[figure] += layer[figure]
        return sums
    for figure in FIGURES:
        by_kind = snapshot.record.get(f"{figure}_by_kind")
        counts = by_kind.values() if isinstance(by_kind, dict) else [None]
        if not all(isinstance(count, int) for count in counts):
            raise MbcostError(
                f"has neither layers nor {figure}_by_kind",
                place=f"{snapshot.source}: {snapshot.target}",
                way_out="write it anew with `mbcost model -o` or `mbcost baseline`",
            )
        for kind, count in by_kind.items() if isinstance(by_kind, dict) else ():
            sums.setdefault(kind, dict.fromkeys(FIGURES, 0))[figure] = count
    return sums


def _target_row(before: Snapshot | None, after: Snapshot | None) -> Record:
    change, what = "", ""
    if before and after:
        differing = _conditions(before, after)
        figures = [(before.record[f], after.record[f]) for f in FIGURES]
        change = "changed" if differing or any(old != new for old, new in figures) else ""
        what = ", ".join(differing)
    else:
        change = "added" if after else "removed"
    side = after or before
    row = {"target": side.target if side else "", "what": what}
    return row | _row(change, before.record if before else None, after.record if after else None)


def _conditions(before: Snapshot, after: Snapshot) -> list[str]:
    """Return what the two were counted under and differs: ``input 3×224×224 → 3×160×160``."""
    found = []
    for key in ("alpha", "batch", "input", "fold_bn"):
        old, new = before.condition(key, "×"), after.condition(key, "×")
        if old != new:
            found.append(f"{key} {old} → {new}")
    sides = before.settings, after.settings
    if sides[0] is None or sides[1] is None:
        return found
    told = {"alpha", "fold_bn", *OF_INPUT}
    for key in dict.fromkeys(name for side in sides if side for name in side if name not in told):
        was, is_ = (as_text((side or {}).get(key, "unset")) for side in sides)
        found += [f"{key} {was} → {is_}"] if was != is_ else []
    return found


def _totals(pairs: Iterable[tuple[Snapshot | None, Snapshot | None]]) -> Record:
    sums = [dict.fromkeys(FIGURES, 0), dict.fromkeys(FIGURES, 0)]
    for pair in pairs:
        for side, total in zip(pair, sums, strict=True):
            for figure in FIGURES:
                total[figure] += int(side.record[figure]) if side else 0
    row = _row("", *sums)
    del row["change"]
    return row


def _notes(diff: Diff, rows: Sequence[Record], view: str, total: Record) -> list[str]:
    """Return the totals in full, and how much there was to compare."""
    lines = [
        f"{word}: {thousands(total[f'{figure}_before'])} → {thousands(total[f'{figure}_after'])} "
        f"({_in_words(total, figure)})"
        for figure, word in zip(FIGURES, ("params", "mult-adds"), strict=True)
    ]
    lines += [
        f"{side.source or side.target}: operators without a formula, whose cost is missing from "
        f"the totals: {names(side.uncounted)}"
        for pair in diff.pairs
        for side in pair
        if side and side.uncounted
    ]
    if diff.single:
        differing = _conditions(*diff.single)
        lines += [f"counted under different conditions: {', '.join(differing)}"] * bool(differing)
    counts = {
        change: sum(row["change"] == change for row in rows)
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
