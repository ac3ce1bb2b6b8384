"""A row of an architecture table against the lowered graph, part by part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mbcost.errors import MbcostError, did_you_mean
from mbcost.graph.graph import Graph, Node
from mbcost.graph.primitives import Activation, AdaptiveAvgPool2d, BatchNorm2d, Conv2d, Scale
from mbcost.units import shape_text

ACT_LETTERS = {"hardswish": "HS", "relu": "RE", "relu6": "ReLU6"}
"""The letters of V3's column NL."""


def selected(graph: Graph, at: str) -> list[Node]:
    """Return the nodes of a row or layer: ``rows.3``, ``rows.7.*.depthwise``; a ``*`` stands for
    the number of a repeat."""
    wanted = at.split(".")
    found = []
    for node in graph.nodes:
        path = node.path.split(".")
        pairs = zip(wanted, path, strict=False)
        if len(path) >= len(wanted) and all(w in ("*", p) for w, p in pairs):
            found.append(node)
    if not found:
        paths = {node.path for node in graph.nodes}
        raise MbcostError(f"no layer {at!r}", way_out=did_you_mean(at, paths))
    return found


def built_parts(graph: Graph, at: str) -> dict[str, Any]:
    """Return what the graph has where a printed row stands, by the names of its parts.

    ``at: output`` is the row after the last layer, of which only the input can be known.
    """
    if at == "output":
        return {"input": shape_text(_chw(graph.y))}
    nodes = selected(graph, at)
    first = nodes[0]
    blocks = list(dict.fromkeys(node.block for node in nodes))
    convs = [node.layer for node in nodes if isinstance(node.layer, Conv2d)]
    main = [node for node in nodes if ".se." not in node.path]
    depthwise = [conv for conv in convs if conv.groups == conv.c_in > 1]
    parts: dict[str, Any] = {
        "input": shape_text(_chw(first.x)),
        "c": nodes[-1].y[0],
        "n": len(blocks),
        "se": any(isinstance(node.layer, Scale) for node in nodes),
        "act": "".join(
            dict.fromkeys(
                ACT_LETTERS.get(node.layer.name, node.layer.name)
                for node in main
                if isinstance(node.layer, Activation)
            )
        ),
        "nbn": not any(isinstance(node.layer, BatchNorm2d) for node in nodes),
    }
    if convs:
        parts["kernel"] = max(conv.kernel[0] for conv in convs)
        first_block = [n.layer for n in nodes if n.block == blocks[0]]
        parts["stride"] = max(c.stride[0] for c in first_block if isinstance(c, Conv2d))
    elif isinstance(first.layer, AdaptiveAvgPool2d):
        parts["kernel"] = first.x[1]
    else:
        parts["kernel"] = parts["stride"] = 1  # a linear layer is the paper's 1 x 1 convolution
    if depthwise:
        parts["exp"] = depthwise[0].c_in
        ratio = depthwise[0].c_in / first.x[0]
        parts["t"] = int(ratio) if ratio == int(ratio) else ratio
    return parts


def _chw(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return H, W, C as the tables print them; a vector is 1 x 1."""
    if len(shape) == 3:
        return shape[1], shape[2], shape[0]
    return 1, 1, shape[0]


def differing(printed: Mapping[str, Any], built: Mapping[str, Any]) -> list[str]:
    """Return the names of the printed parts that the graph has otherwise."""
    return [name for name, value in printed.items() if built.get(name) != value]


def parts_text(parts: Mapping[str, Any], names: Mapping[str, Any]) -> str:
    """Return a row's parts as one line: ``112×112×32, k 3, c 64, stride 1``."""
    words = []
    for name in names:
        value = parts.get(name)
        if name == "input":
            words.append(str(value).replace("x", "×"))
        elif name == "se":
            words.append("SE" if value else "no SE")
        elif name == "act":
            words.append(str(value))
        else:
            words.append(f"{'stride' if name == 'stride' else name} {value}")
    return ", ".join(words).replace("kernel", "k")
