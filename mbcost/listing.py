"""What can be named: ``mbcost list``."""

from __future__ import annotations

from mbcost.config import builtin, builtins
from mbcost.tables import Column, Table

COLUMNS = (
    Column("name", "name"),
    Column("kind", "kind"),
    Column("settings", "settings", rank=2),
    Column("source", "source", rank=1),
)


def list_table() -> Table:
    """Return every built-in network and block with the settings it takes and its source."""
    rows = []
    for name, entry in builtins().items():
        spec = builtin(name)
        takes = [setting for setting in spec.accepts if setting != "batch"]
        rows.append(
            {
                "name": name,
                "kind": entry.kind,
                "settings": " ".join(takes),
                "source": getattr(spec, "source", ""),
            }
        )
    return Table(COLUMNS, rows, tuple(c.key for c in COLUMNS), rows, rows)
