"""What can be named: ``mbcost list``."""

from __future__ import annotations

from mbcost.networks.settings import FIELD_OF
from mbcost.networks.yaml import builtin, builtins
from mbcost.output.table import Column, Record, Table
from mbcost.studies.device.profile import device_files, load_device
from mbcost.studies.spaces.space_file import load_space, space_files

COLUMNS = (
    Column("name", "name"),
    Column("kind", "kind"),
    Column("source", "source", "prose"),
)
FIELDS = ("name", "kind", "title", "settings", "source")


def list_table() -> Table:
    """Return all that is built in, with the settings each takes and its source."""
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
    rows += [_space_row(name) for name in space_files()]
    rows += [_device_row(name) for name in device_files()]
    return Table(COLUMNS, rows, FIELDS, rows, rows)


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
