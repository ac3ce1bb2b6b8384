"""What a target cost at one time: counted now, or read back from JSON that mbcost wrote.

``diff`` and ``check`` compare snapshots; ``baseline`` writes them, sorted and without anything that
changes by itself (no versions, no dates), so that the file under version control changes only when
a cost does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mbcost.cost import PAPERS
from mbcost.errors import MbcostError, did_you_mean, shown
from mbcost.output.table import Column, Record, Table
from mbcost.paths import read_whole
from mbcost.studies.compare.records import COLUMNS, DEPLOYED_COLUMNS, deployed_record, record
from mbcost.studies.compare.versions import versions
from mbcost.targets.subject import Subject
from mbcost.units import shape_text, thousands

FORMAT = "mbcost baseline"
FORMAT_VERSION = 1
MAX_BYTES = 256 * 10**6
MAX_LAYERS = 200_000
MAX_FIGURE = 10**60

FIGURES = ("params", "mult_adds")
CONDITIONS = ("convention", "alpha", "batch", "input", "fold_bn")
"""What must be equal for a growth to mean anything."""

KEPT = (
    *(key for key in COLUMNS if key.startswith(("params", "mult_adds")) and "ratio" not in key),
    *("alpha", "rho", "size", "classes", "batch", "input", "output", "convention", "settings"),
    *("input_bytes", "forward_backward_bytes", "param_bytes", "total_bytes"),
    *DEPLOYED_COLUMNS,
    *("params_by_kind", "mult_adds_by_kind"),
)


@dataclass(frozen=True)
class Snapshot:
    """A target's record, and its layers that cost something; None where they were not saved."""

    record: Record
    layers: tuple[Record, ...] | None
    source: str = ""
    """The file it was read from."""

    @property
    def target(self) -> str:
        """What was typed."""
        return str(self.record["target"])

    @property
    def params(self) -> int:
        """Trainable parameters."""
        return int(self.record["params"])

    @property
    def mult_adds(self) -> int:
        """Multiply-adds of the batch."""
        return int(self.record["mult_adds"])

    @property
    def settings(self) -> Record | None:
        """The settings it was counted under; None in a report of an mbcost that wrote none."""
        found = self.record.get("settings")
        return found if isinstance(found, dict) else None

    @property
    def uncounted(self) -> tuple[str, ...]:
        """Operators whose cost is missing from the totals; none are known of an older file."""
        found = self.record.get("uncounted")
        return tuple(map(str, found)) if isinstance(found, dict) else ()

    def condition(self, key: str, sign: str = "x") -> str:
        """Return one of ``CONDITIONS`` as text, equal where the condition is."""
        value = self.record.get(key)
        if isinstance(value, list):
            return shape_text(value, sign)
        return str(bool(value)).lower() if key == "fold_bn" else str(value)


def snapshot_of(subject: Subject) -> Snapshot:
    """Return what a subject costs now."""
    return Snapshot(record(subject) | deployed_record(subject), _costly(subject.report.records()))


def _costly(layers: Any) -> tuple[Record, ...]:
    return tuple(layer for layer in layers if any(layer[figure] for figure in FIGURES))


COLUMNS_SHOWN = (
    Column("target", "target"),
    Column("input", "input", "shape"),
    Column("params", "params", "count"),
    Column("mult_adds", "mult-adds", "count"),
    Column("param_bytes", "params", "bytes"),
    Column("layers", "layers", "whole"),
)


def baseline_table(subjects: Sequence[Subject]) -> Table:
    """Return the baseline of these subjects by target; its JSON is what ``check`` reads."""
    known = {subject.target: snapshot_of(subject) for subject in subjects}
    snapshots = [known[target] for target in sorted(known)]
    rows = [{**s.record, "layers": len(s.layers or ())} for s in snapshots]
    documents = [
        {
            "target": s.target,
            "name": s.record["name"],
            **{key: s.record[key] for key in sorted(KEPT)},
            **({"uncounted": s.record["uncounted"]} if s.uncounted else {}),
            "layers": list(s.layers or ()),
        }
        for s in snapshots
    ]
    return Table(
        COLUMNS_SHOWN,
        rows,
        tuple(column.key for column in COLUMNS_SHOWN),
        rows,
        {"format": FORMAT, "format_version": FORMAT_VERSION, "targets": documents},
        title="baseline",
        caption="params: weights, biases, batch-norm γ and β. "
        f"mult-adds: {PAPERS.counts}. Layers: those that cost something.",
    )


def is_report(text: str) -> bool:
    """Return whether ``text`` names saved JSON, ``cost.json`` or ``cost.json:v2``, not a target."""
    return text.endswith(".json") or ".json:" in text


def read_report(text: str) -> list[Snapshot]:
    """Return the reports in ``cost.json``, or the one called ``v2`` in ``cost.json:v2``."""
    if text.endswith(".json"):
        return read_snapshots(Path(text))
    path, _, member = text.partition(".json:")
    return [named(read_snapshots(Path(f"{path}.json")), member)]


def named(snapshots: Sequence[Snapshot], target: str) -> Snapshot:
    """Return the one report of ``target``, or raise."""
    found = [s for s in snapshots if s.target == target]
    if len(found) == 1:
        return found[0]
    known = [s.target for s in snapshots]
    raise MbcostError(
        f"holds {len(found)} reports of {target!r}" if found else f"no report of {target!r}",
        place=snapshots[0].source,
        way_out="keep one of them" if found else did_you_mean(target, known),
    )


def read_snapshots(path: Path) -> list[Snapshot]:
    """Return the reports in a JSON file that model, compare or baseline wrote."""
    document = _parsed(path)
    if isinstance(document, dict) and "format" in document:
        if (document["format"], document.get("format_version")) != (FORMAT, FORMAT_VERSION):
            found, version = (_brief(document.get(key)) for key in ("format", "format_version"))
            raise MbcostError(
                f"is {found} of version {version}",
                place=str(path),
                way_out=f"this mbcost reads {FORMAT!r} of version {FORMAT_VERSION}; "
                "write it anew with `mbcost baseline`",
            )
        document = document.get("targets")
    records = [document] if isinstance(document, dict) else document
    if not isinstance(records, list) or not records:
        raise _foreign(str(path), "holds no reports")
    return [
        _snapshot(item, str(path), f"[{i}]" if len(records) > 1 else "")
        for i, item in enumerate(records)
    ]


def _parsed(path: Path) -> Any:
    raw = read_whole(path, MAX_BYTES, "JSON", "`mbcost baseline TARGET… -o cost.json` writes one")
    try:
        return json.loads(raw.decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise MbcostError(
            f"is not valid JSON: {error.msg}",
            place=f"{path}:{error.lineno}",
            way_out="write it anew with `mbcost baseline` or `mbcost model -o`",
        ) from None
    except (ValueError, RecursionError):  # not UTF-8, a number of too many digits, too deep
        raise _foreign(str(path), "is not JSON that mbcost wrote") from None


def _foreign(place: str, problem: str) -> MbcostError:
    return MbcostError(
        problem,
        place=place,
        way_out="JSON of `mbcost model`, `compare` or `baseline`, written without --columns",
    )


def _snapshot(item: Any, path: str, where: str) -> Snapshot:
    place = f"{path}: {where}" if where else path
    if not isinstance(item, dict):
        raise _foreign(place, "is not a report")
    missing = [key for key in ("target", *FIGURES, "convention") if key not in item]
    if missing:
        raise _foreign(place, f"lacks {missing[0]!r}{_writer(item)}")
    _check(item, place, RECORD_FIELDS)
    layers = item.get("layers")
    if layers is None:
        return Snapshot(item, None, path)
    if not isinstance(layers, list) or len(layers) > MAX_LAYERS:
        raise _foreign(
            f"{place}: layers", f"is not a list of at most {thousands(MAX_LAYERS)} layers"
        )
    for i, layer in enumerate(layers):
        where = f"{place}: layers[{i}]"
        if not isinstance(layer, dict):
            raise _foreign(where, "is not a layer")
        layer.setdefault("kind", "")
        _check(layer, where, LAYER_FIELDS)
    return Snapshot(item, _costly(layers), path)


def _is_count(value: Any) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole and 0 <= value <= MAX_FIGURE


def _is_number(value: Any) -> bool:
    return _is_count(value) or (isinstance(value, float) and 0 <= value <= MAX_FIGURE)


def _is_shape(value: Any) -> bool:
    """Return whether ``value`` is ``[C, H, W]``, or a list of these for several maps."""
    if not isinstance(value, list):
        return False
    return all(map(_is_count, value)) or all(
        isinstance(each, list) and all(map(_is_count, each)) for each in value
    )


def _is_sums(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_count, value.values()))


class _Kind(NamedTuple):
    """What a value of a report must be, in words; ``null`` is valid where it may be missing."""

    fits: Callable[[Any], bool]
    words: str
    null: bool = True


_TEXT = _Kind(lambda value: isinstance(value, str), "text", null=False)
_COUNT = _Kind(_is_count, "a count", null=False)
_NUMBER = _Kind(_is_number, "a number")
_SHAPE = _Kind(_is_shape, "a shape")
_SUMS = _Kind(_is_sums, "counts by kind")
_PLAIN = _Kind(
    lambda value: (
        isinstance(value, dict)
        and not any(isinstance(each, dict | list) for each in value.values())
    ),
    "a mapping of words and numbers",
)
_PART = _Kind(lambda value: isinstance(value, str) or _is_number(value), "a number")

RECORD_FIELDS = {
    "target": _TEXT,
    "convention": _TEXT,
    **dict.fromkeys(FIGURES, _COUNT),
    **dict.fromkeys(("input", "output"), _SHAPE),
    **dict.fromkeys(("alpha", "batch"), _NUMBER),
    **dict.fromkeys((f"{figure}_by_kind" for figure in FIGURES), _SUMS),
    "settings": _PLAIN,
    "fold_bn": _Kind(lambda value: isinstance(value, bool), "true or false"),
}
"""What is read of a report; the rest of it may be anything."""

LAYER_FIELDS = {
    "path": _TEXT,
    "kind": _TEXT,
    **dict.fromkeys(FIGURES, _COUNT),
    **dict.fromkeys(("input", "output"), _SHAPE),
    **dict.fromkeys(("kernel", "stride", "groups"), _PART),
}


def _check(item: Record, place: str, known: Mapping[str, _Kind]) -> None:
    for key, kind in known.items():
        value = item.get(key)
        if (value is None and kind.null) or kind.fits(value):
            continue
        if key not in item:
            raise _foreign(place, f"lacks {key!r}")
        raise _foreign(f"{place}: {key}", f"{_brief(value)} is not {kind.words}")


def _brief(value: Any) -> str:
    """Return a value from JSON in a few words."""
    if isinstance(value, dict | list):
        return "a list" if isinstance(value, list) else "a mapping"
    return shown(value)


def _writer(item: Record) -> str:
    """Return which other mbcost wrote a record, if one did."""
    found = item.get("versions")
    theirs = found.get("mbcost") if isinstance(found, dict) else None
    ours = versions()["mbcost"]
    return f" (written by mbcost {theirs}, this is {ours})" if theirs not in (None, ours) else ""
