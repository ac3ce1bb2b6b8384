"""YAML written: a network or block as mbcost built it, every width applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields as dataclass_fields
from dataclasses import replace
from typing import Any

from mbcost.blocks import Block, block_fields
from mbcost.layers import Shape
from mbcost.network import Lowering, Network, Row, SingleBlock, Spec, lowered
from mbcost.settings import Settings


def built_network(network: Network, settings: Settings) -> Network:
    """Return the network with these settings worked into its rows: the same layers at α = 1.

    Repeats that differ by more than their stride become rows of their own.
    """
    scaling = Lowering(network, settings)
    x: Shape = scaling.x
    rows: list[Row] = []
    for row in network.rows:
        given = {**row.fields, **(row.reduced_tail or {})} if scaling.tail else row.fields
        start = len(rows)
        for repeat in range(row.n):
            block = scaling.block(row, given, repeat, x)
            fields = _fields(block)
            if given.get("c") == "classes":
                fields["c"] = "classes"
            _, x = lowered(block, x)
            last = rows[-1] if len(rows) > start else None
            if last is not None and {**last.fields, "s": 1} == {**fields, "s": 1}:
                rows[-1] = last._replace(n=last.n + 1)
            else:
                rows.append(Row(row.block, fields, place=row.place))
    return replace(
        network,
        x=scaling.x,
        rows=tuple(rows),
        classes=scaling.classes,
        width="truncate",
        divisor=8,
        expansion="absolute",
        published=(),
    )


def _fields(block: Block) -> dict[str, Any]:
    """Return the fields that differ from their defaults."""
    return {
        known.name: getattr(block, known.name)
        for known in dataclass_fields(block)
        if getattr(block, known.name) != block_fields(type(block))[known.name].default
        or block_fields(type(block))[known.name].required
    }


def spec_yaml(spec: Spec, settings: Settings, comment: str) -> str:
    """Return the YAML of a spec under these settings: ``mbcost model FILE`` costs the same."""
    note = "".join(f"# {line}\n" for line in comment.splitlines())
    if isinstance(spec, Network):
        return note + _network_yaml(built_network(spec, settings))
    assert isinstance(spec, SingleBlock)
    block = spec.built(settings)
    x = [settings.get("in", spec.x[0]), *settings.get("size", spec.x[1:])]
    row = {"block": spec.block, **_fields(block)}
    return f"{note}input: {_flow(x)}\nblocks:\n  {spec.name}: {_flow(row)}\n"


def _network_yaml(network: Network) -> str:
    head: dict[str, Any] = {"source": network.source, "input": list(network.x)}
    if network.classes is not None:
        head["classes"] = network.classes
    head |= {"width": network.width}
    lines = [f"{key}: {_flow(value)}" for key, value in head.items() if value != ""]
    lines.append("rows:")
    for row in network.rows:
        data: Mapping[str, Any] = {"block": row.block, **row.fields}
        lines.append(f"  - {_flow({**data, 'n': row.n} if row.n > 1 else data)}")
    return "\n".join(lines) + "\n"


def _flow(value: Any) -> str:
    import yaml

    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6)
    return text.removesuffix("\n").removesuffix("...").strip()
