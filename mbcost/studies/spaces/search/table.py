"""What a search answers, as a table: the winner or the front, and the slack under each budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mbcost.output.table import Table, choose_columns
from mbcost.studies.spaces.search.search import Answer
from mbcost.studies.spaces.sweep.table import (
    FLOPS,
    PREDICTED,
    columns_of,
    memory_notes,
    predicted_notes,
    said,
    title,
    with_flops,
)
from mbcost.units import percent, thousands


def answer_table(answer: Answer, notes: Sequence[str], columns: str | None = None) -> Table:
    """Return the winner, or the Pareto front, with the slack under every budget."""
    layout = answer.layout
    known = columns_of(layout)
    keys = [axis.key for axis in layout.plan.space.axes]
    constrained = [constraint.key for constraint in answer.constraints]
    default = list(dict.fromkeys([*keys, *(o.key for o in answer.objectives), *constrained]))
    default += [key for key in ("params", "mult_adds") if key not in default]
    if "top1" in known and "top1" not in default:
        default.append("top1")
    if layout.plan.predicted:
        default = [key for key in default if key not in PREDICTED] + [*PREDICTED]
    chosen = choose_columns(known | FLOPS, columns, default)
    rows = answer.found.records
    if FLOPS.keys() & {column.key for column in chosen}:
        rows = with_flops(rows)
    document: dict[str, Any] = {
        "target": layout.plan.space.target,
        "objective": [("-" if o.sign < 0 else "") + o.key for o in answer.objectives],
        "configs": answer.looked,
        "feasible": answer.feasible,
    }
    if len(answer.objectives) == 1:
        binding = answer.binding()
        document["winner"] = answer.winner
        document["constraints"] = [
            {
                "key": c.key,
                "limit": c.limit,
                "value": answer.winner[c.key],
                "slack": c.limit - answer.winner[c.key],
                "binding": c.key in binding,
            }
            for c in answer.constraints
        ]
    else:
        rows = sorted(rows, key=answer.found.value, reverse=True)
        document["front"] = rows
    return Table(
        chosen,
        rows,
        tuple(known) if columns is None else tuple(column.key for column in chosen),
        rows,
        document,
        title=_title(answer),
        caption=f"{_title(answer)}.",
        said=said(layout),
        notes=(*_lines(answer), *memory_notes(layout), *predicted_notes(layout), *notes),
    )


def _title(answer: Answer) -> str:
    words = [("smallest " if o.sign < 0 else "largest ") + o.key for o in answer.objectives]
    what = words[0] if len(words) == 1 else "Pareto front of " + ", ".join(words)
    return f"{title(answer.layout)}: {what}"


def _lines(answer: Answer) -> list[str]:
    """Return how many configs fit, and each budget's slack and whether it binds."""
    looked = thousands(answer.looked)
    lines = [f"{thousands(answer.feasible)} of {looked} configs are within the budget"]
    if not answer.constraints:
        lines = [f"configs looked at, without a budget: {looked}"]
    if answer.unrated:
        lines[0] += (
            f"; {thousands(answer.unrated)} of them have no published accuracy and do not compete"
        )
    if len(answer.objectives) > 1:
        return [f"{thousands(len(answer.found.records))} configs are on the front", *lines]
    binding = answer.binding()
    for constraint in answer.constraints:
        value, limit = answer.winner[constraint.key], constraint.limit
        share = f" ({percent((limit - value) / limit)})" if limit else ""
        slack = f"slack {thousands(limit - value)}{share}"
        words = (
            "binding: without it a better one wins" if constraint.key in binding else "not binding"
        )
        lines.append(f"{constraint.option} {thousands(limit)}: {slack}, {words}")
    if answer.constraints and not binding and answer.limited():
        lines.append("no budget binds alone: a better config breaks several at once")
    elif answer.constraints and not binding:
        lines.append("no budget binds: this is the best config there is in the space")
    return lines
