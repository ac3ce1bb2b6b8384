"""ONNX files: written straight from the graph, read by onnx, run by ONNX Runtime.

Nodes, maps and parameters are named by our paths, and equal networks make equal bytes; torch's
exporter, which runs a module's forward through its own tracer, promises neither. Only operators of
the standard are written, so that any runtime reads the file; which of them run as one is what a
runtime decides when it loads it. ``onnx_nodes`` writes the layers, ``onnx_file`` reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mbcost._version import __version__
from mbcost.modules.exported.deployed import Deployed
from mbcost.modules.exported.onnx_file import read, run
from mbcost.modules.exported.onnx_nodes import write_layer
from mbcost.modules.exported.onnx_quantised import Quantised
from mbcost.modules.exported.onnx_sheet import INPUT, OPSET, Sheet

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

__all__ = ["read", "run", "write"]

_IR_VERSION = 9
"""That of the releases of onnx which know ``OPSET``: the oldest runtimes that read it."""


def write(network: Deployed) -> bytes:
    """Return the file of a network, which reads and puts out float32 whatever its dtype."""
    sheet = Quantised(network) if network.dtype == "int8" else Sheet(network)
    _write_input(sheet)
    for i, node in enumerate(network.graph.nodes):
        write_layer(sheet, i, node)
        sheet.finish(i)
    outputs = _write_outputs(sheet)
    model = _model(sheet, outputs)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _write_input(sheet: Sheet) -> None:
    name = INPUT
    if sheet.network.layout == "nhwc" and len(sheet.network.graph.x) == 3:
        name = sheet.node("Transpose", [name], f"{INPUT}/nchw", perm=[0, 3, 1, 2])
    if sheet.half:
        name = sheet.node("Cast", [name], f"{INPUT}/float16", to=sheet.element_type("float16"))
    sheet.maps[-1] = name
    sheet.finish(-1)


def _write_outputs(sheet: Sheet) -> list[str]:
    """Write what lies between the last maps and the outputs; return the names of the latter."""
    graph = sheet.network.graph
    sources = graph.outputs or (len(graph.nodes) - 1,)
    names = ["output"] if len(sources) == 1 else [f"output.{i}" for i in range(len(sources))]
    for name, source, shape in zip(names, sources, graph.ys, strict=True):
        last = sheet.maps[source]
        if sheet.half:
            last = sheet.node("Cast", [last], f"{name}/float32", to=sheet.element_type("float32"))
        if sheet.network.layout == "nhwc" and len(shape) == 3:
            last = sheet.node("Transpose", [last], f"{name}/nhwc", perm=[0, 2, 3, 1])
        sheet.put_out(last, name)
    return names


def _model(sheet: Sheet, outputs: Sequence[str]) -> ModelProto:
    from onnx import helper

    network = sheet.network
    graph = helper.make_graph(
        sheet.nodes,
        "mbcost",
        [_value(sheet, INPUT, network.graph.x)],
        [_value(sheet, name, y) for name, y in zip(outputs, network.graph.ys, strict=True)],
        list(sheet.tensors.values()),
    )
    model = helper.make_model(
        graph,
        producer_name="mbcost",
        producer_version=__version__,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=_IR_VERSION,
    )
    for key, value in network.metadata.items():
        model.metadata_props.add(key=key, value=value)
    return model


def _value(sheet: Sheet, name: str, shape: tuple[int, ...]) -> ValueInfoProto:
    from onnx import helper

    if sheet.network.layout == "nhwc" and len(shape) == 3:
        shape = (*shape[1:], shape[0])
    value: ValueInfoProto = helper.make_tensor_value_info(
        name, sheet.element_type("float32"), [sheet.network.batch, *shape]
    )
    return value
