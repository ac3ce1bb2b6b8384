"""YAML written: a network or block as mbcost built it, every width applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields as dataclass_fields
from dataclasses import replace
from typing import Any

from mbcost.errors import CheckFailedError, visible
from mbcost.graph.graph import Graph
from mbcost.networks.blocks import Block, block_fields
from mbcost.networks.blocks.fields import stride_fields
from mbcost.networks.lowering import Lowering
from mbcost.networks.network import Network
from mbcost.networks.rows import Row, wired
from mbcost.networks.scaling import Feed, ScaledRow
from mbcost.networks.settings import Settings
from mbcost.networks.spec import Spec
from mbcost.networks.yaml.document import parse_document
from mbcost.networks.yaml.specs import read_specs


class _Recorded(Lowering):
    """A lowering that keeps what it made of each row, the fields and the block per repeat."""

    def __init__(self, network: Network, settings: Settings) -> None:
        first, scaling = network.first_feed(settings), network.scaling(settings)
        super().__init__(network.rows, first, scaling, network.place or network.name)
        self.made: list[list[tuple[Mapping[str, Any], Block]]] = []
        self.graph()

    def lower(self, row: Row, path: str, feeds: Sequence[Feed]) -> None:
        self.made.append([])
        super().lower(row, path, feeds)

    def block(self, row: Row, scaled: ScaledRow, repeat: int, feed: Feed) -> tuple[Block, Feed]:
        block, after = super().block(row, scaled, repeat, feed)
        self.made[-1].append((self.scaling.tailed(row), block))
        return block, after


def built_network(network: Network, settings: Settings) -> Network:
    """Return the network with these settings worked into its rows: the same layers at α = 1.

    Repeats that differ by more than their stride become rows of their own.
    """
    lowering = _Recorded(network, settings)
    rows: list[Row] = []
    for row, made in zip(network.rows, lowering.made, strict=True):
        rows += wired(_built_rows(row, made), row) if made else [row]
    return replace(
        network,
        x=lowering.first.x,
        rows=tuple(rows),
        classes=lowering.scaling.classes,
        width="none" if network.width == "none" else "truncate",
        divisor=8,
        min_width=0,
        expansion="absolute",
        output_stride=None,
        published=(),
    )


def _built_rows(row: Row, made: Sequence[tuple[Mapping[str, Any], Block]]) -> list[Row]:
    """Return a row per stretch of equal layers: a repeat is read with every stride at 1."""
    rows: list[Row] = []
    before: Block | None = None
    for given, block in made:
        fields = _fields(block)
        if given.get("c") == "classes":
            fields["c"] = "classes"
        if before is not None and block == _unstrided(before) and not row.taps:
            rows[-1] = rows[-1]._replace(n=rows[-1].n + 1)
        else:
            rows.append(Row(row.block, fields, place=row.place))
        before = block
    return rows


def _unstrided(block: Block) -> Block:
    return replace(block, **dict.fromkeys(stride_fields(type(block)), 1))


def _fields(block: Block) -> dict[str, Any]:
    """Return the fields that differ from their defaults."""
    return {
        known.name: getattr(block, known.name)
        for known in dataclass_fields(block)
        if getattr(block, known.name) != block_fields(type(block))[known.name].default
        or block_fields(type(block))[known.name].required
    }


def spec_yaml(spec: Spec, settings: Settings, comment: str) -> str:
    """Return the YAML of a spec under these settings: ``mbcost model FILE`` costs the same.

    It is read back: a YAML of other layers is never written.
    """
    note = "".join(f"# {visible(line)}\n" for line in comment.splitlines())
    folded = bool(settings.get("fold_bn", spec.fold_bn))
    if isinstance(spec, Network):
        text = note + _network_yaml(replace(built_network(spec, settings), fold_bn=folded))
    else:
        x = [settings.get("in", spec.x[0]), *settings.get("size", spec.x[1:])]
        row = {"block": spec.block, **_fields(spec.built(settings))}
        fold = "fold_bn: true\n" if folded else ""
        text = f"{note}input: {_flow(x)}\n{fold}blocks:\n  {_flow(spec.name)}: {_flow(row)}\n"
    _check_same(text, spec.graph(settings), spec.name)
    return text


def _check_same(text: str, graph: Graph, name: str) -> None:
    """Raise where ``text`` is not read as the layers of ``graph``."""
    document = parse_document(text, f"{name} as YAML")
    (written,) = read_specs(document, name).values()
    again = written.graph()
    layers = [[node[2:] for node in each.nodes] for each in (graph, again)]
    if layers[0] != layers[1] or (graph.x, graph.outputs) != (again.x, again.outputs):
        raise CheckFailedError(
            "would be written as a YAML of other layers",
            place=name,
            way_out="a bug in mbcost: please report it with --version",
        )


def _network_yaml(network: Network) -> str:
    head: dict[str, Any] = {"source": network.source, "input": list(network.x)}
    if network.classes is not None:
        head["classes"] = network.classes
    head |= {"width": network.width}
    if network.fold_bn:
        head["fold_bn"] = True
    lines = [f"{key}: {_flow(value)}" for key, value in head.items() if value != ""]
    lines.append("rows:")
    for row in network.rows:
        lines.append(f"  - {_flow(_row(row))}")
    return "\n".join(lines) + "\n"


def _row(row: Row) -> dict[str, Any]:
    optional = {
        "n": row.n if row.n > 1 else None,
        "name": row.name,
        "tap": dict(row.taps),
        "inputs": list(row.inputs),
        "output": row.output,
    }
    return {"block": row.block, **row.fields, **{k: v for k, v in optional.items() if v}}


def _flow(value: Any) -> str:
    import yaml

    broken = isinstance(value, str) and len(value.splitlines()) > 1
    style = '"' if broken else None  # on one line: its line breaks are written as \\n
    text = yaml.safe_dump(
        value, default_flow_style=True, default_style=style, sort_keys=False, width=10**6
    )
    return text.removesuffix("\n").removesuffix("...").strip()
