"""What can be named: ``mbcost list``, and by kind ``mbcost list networks``.

To add a list: its line in ``LISTS``.
"""

from __future__ import annotations

from collections.abc import Callable

from mbcost.errors import MbcostError, did_you_mean
from mbcost.networks.settings import FIELD_OF
from mbcost.networks.yaml import builtin, builtins
from mbcost.output.table import Column, Record, Table
from mbcost.studies.device.profile import device_files, load_device
from mbcost.studies.keys import COUNTER_FIELDS, KEY_FIELDS, LIST_FIELDS, groups
from mbcost.studies.spaces.space_file import load_space, space_files

COLUMNS = (
    Column("name", "name"),
    Column("kind", "kind"),
    Column("source", "source", "prose"),
)


KEY_COLUMNS = (
    Column("key", "key"),
    Column("unit", "unit"),
    Column("meaning", "meaning", "prose"),
    Column("commands", "commands", "prose"),
)
COUNTER_COLUMNS = (
    Column("name", "name"),
    Column("key", "key"),
    Column("installed", "installed", "truth"),
    Column("counts", "counts", "prose"),
)


def list_table(what: str | None = None) -> Table:
    """Return what can be named: all that is built in, or one of ``LISTS``."""
    if what is None:
        return _named((*_builtins(), *_spaces(), *_devices()))
    if what not in LISTS:
        raise MbcostError(
            f"nothing is listed as {what!r}", place="list", way_out=did_you_mean(what, LISTS)
        )
    return LISTS[what]()


def _named(rows: tuple[Record, ...]) -> Table:
    return Table(COLUMNS, rows, LIST_FIELDS, rows, rows)


def _builtins() -> tuple[Record, ...]:
    """Return the networks and blocks, with the settings each takes and its source."""
    rows = []
    for name, entry in builtins().items():
        spec = builtin(name)
        short = set(FIELD_OF.values())
        takes = [setting for setting in spec.accepts if setting not in short]
        rows.append(
            {
                "name": name,
                "kind": entry.kind,
                "title": getattr(spec, "title", name),
                "settings": " ".join(takes),
                "source": getattr(spec, "source", ""),
            }
        )
    return tuple(rows)


def _spaces() -> tuple[Record, ...]:
    return tuple(_space_row(name) for name in space_files())


def _devices() -> tuple[Record, ...]:
    return tuple(_device_row(name) for name in device_files())


def _networks() -> Table:
    return _named(tuple(row for row in _builtins() if row["kind"] != "block"))


def _blocks() -> Table:
    return _named(tuple(row for row in _builtins() if row["kind"] == "block"))


def _columns() -> Table:
    """Return a row per key and meaning, with the commands whose files hold it."""
    places: dict[tuple[str, str, str], dict[str, None]] = {}
    for group in groups().values():
        for line in group.lines():
            places.setdefault(line, {}).update(dict.fromkeys(group.commands))
    rows = [
        dict(zip(KEY_FIELDS, (*line, ", ".join(commands)), strict=True))
        for line, commands in places.items()
    ]
    return Table(KEY_COLUMNS, rows, KEY_FIELDS, rows, rows)


def _counters() -> Table:
    from mbcost.modules.counters import COUNTERS

    rows: list[Record] = [
        {
            "name": counter.name,
            "key": counter.key,
            "installed": counter.installed,
            "counts": counter.convention.counts,
        }
        for counter in COUNTERS.values()
    ]
    return Table(COUNTER_COLUMNS, rows, COUNTER_FIELDS, rows, rows)


LISTS: dict[str, Callable[[], Table]] = {
    "networks": _networks,
    "blocks": _blocks,
    "spaces": lambda: _named(_spaces()),
    "devices": lambda: _named(_devices()),
    "columns": _columns,
    "counters": _counters,
}


def _space_row(name: str) -> Record:
    spec = load_space(name).spec
    return {
        "name": name,
        "kind": "space",
        "title": getattr(spec, "title", name),
        "settings": " ".join(spec.accepts),
        "source": spec.source,
    }


def _device_row(name: str) -> Record:
    device = load_device(name)
    return {
        "name": name,
        "kind": "device",
        "title": device.title,
        "settings": "",
        "source": device.source,
    }
