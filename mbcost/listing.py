"""What can be named: ``mbcost list``."""

from __future__ import annotations

from mbcost.config import builtin, builtins
from mbcost.settings import FIELD_OF
from mbcost.tables import Column, Table

COLUMNS = (
    Column("name", "name"),
    Column("kind", "kind"),
    Column("source", "source", "prose"),
)
FIELDS = ("name", "kind", "title", "settings", "source")


def list_table() -> Table:
    """Return every built-in network and block with the settings it takes and its source."""
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
    return Table(COLUMNS, rows, FIELDS, rows, rows)
