"""What changed between two reports, a row per layer, kind of layer or target."""

from __future__ import annotations

from mbcost.cost import KINDS
from mbcost.errors import MbcostError
from mbcost.networks.settings import as_text
from mbcost.output.table import Record
from mbcost.studies.compare.conditions import OF_INPUT
from mbcost.studies.guard.matching import match_layers, same
from mbcost.studies.guard.snapshots import FIGURES, Snapshot
from mbcost.units import shape_text

_COMPARED = {
    "kind": "kind",
    "kernel": "kernel",
    "stride": "stride",
    "groups": "groups",
    "input": "input",
    "output": "output",
}


def compared(change: str, before: Record | None, after: Record | None) -> Record:
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


def by_layer(before: Snapshot, after: Snapshot) -> list[Record]:
    """Return a row per layer; what it says of a change is empty where there is none."""
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
        return row | compared("changed" if changed else "", before, after)
    row["what"] = _described(layer)
    return row | compared("added" if after else "removed", before, after)


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


def by_kind(before: Snapshot, after: Snapshot) -> list[Record]:
    """Return a row per kind of layer that either side has."""
    sides = [_kinds(side) for side in (before, after)]
    rows = []
    for kind in sorted({*sides[0], *sides[1]}, key=_kind_order):
        old, new = sides[0].get(kind), sides[1].get(kind)
        change = "changed" if old != new else ""
        if old is None or new is None:
            change = "added" if new else "removed"
        rows.append({"kind": kind, **compared(change, old, new)})
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


def target_row(before: Snapshot | None, after: Snapshot | None) -> Record:
    """Return the row of a target, which may be on one side only."""
    change, what = "", ""
    if before and after:
        differing = conditions(before, after)
        figures = [(before.record[f], after.record[f]) for f in FIGURES]
        change = "changed" if differing or any(old != new for old, new in figures) else ""
        what = ", ".join(differing)
    else:
        change = "added" if after else "removed"
    side = after or before
    row = {"target": side.target if side else "", "what": what}
    return row | compared(
        change, before.record if before else None, after.record if after else None
    )


def conditions(before: Snapshot, after: Snapshot) -> list[str]:
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
