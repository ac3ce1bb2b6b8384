"""What multiplies in ONNX Runtime, where it is installed: in float32, and in int8."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mbcost.errors import missing
from mbcost.modules.roof.case import Call, Case
from mbcost.modules.roof.compute import CONVOLUTIONS, SIDES, Convolution

PACKAGES = ("onnx", "onnxruntime")
_OPSET = 17
_IR = 8
"""Those of ONNX 1.12, which every runtime since knows."""


def cases(threads: int) -> Iterator[Case]:
    """Yield the calls of each type; none where a package is missing."""
    if missing(PACKAGES):
        return
    for dtype in ("fp32", "int8"):
        for side in SIDES:
            yield _product(dtype, side, threads)
        for convolution in CONVOLUTIONS:
            yield _convolution(dtype, convolution, threads)


def _product(dtype: str, side: int, threads: int) -> Case:
    def make() -> Call:
        import torch
        from onnx import helper, numpy_helper

        if dtype == "fp32":
            x, weight = torch.rand(side, side), torch.rand(side, side)
            node = helper.make_node("MatMul", ["x", "w"], ["y"])
        else:
            x = torch.randint(0, 256, (side, side), dtype=torch.uint8)
            weight = torch.randint(-128, 128, (side, side), dtype=torch.int8)
            node = helper.make_node("MatMulInteger", ["x", "w"], ["y"])
        held = [numpy_helper.from_array(weight.numpy(), "w")]
        return _session_call(node, held, x, dtype, threads)

    return Case(dtype, f"ONNX Runtime product, {side}×{side}", side**3, make)


def _convolution(dtype: str, convolution: Convolution, threads: int) -> Case:
    c, k, size = convolution

    def make() -> Call:
        import torch
        from onnx import helper, numpy_helper

        pads = [k // 2] * 4
        if dtype == "fp32":
            x, weight = torch.rand(1, c, size, size), torch.rand(c, c, k, k)
            held = [numpy_helper.from_array(weight.numpy(), "w")]
            node = helper.make_node("Conv", ["x", "w"], ["y"], pads=pads)
        else:
            x = torch.randint(0, 256, (1, c, size, size), dtype=torch.uint8)
            weight = torch.randint(-128, 128, (c, c, k, k), dtype=torch.int8)
            scale, zero = torch.tensor(0.01), torch.tensor(128, dtype=torch.uint8)
            given = {"w": weight, "s": scale, "z": zero, "zw": torch.tensor(0, dtype=torch.int8)}
            held = [numpy_helper.from_array(value.numpy(), name) for name, value in given.items()]
            names = ["x", "s", "z", "w", "s", "zw", "s", "z"]
            node = helper.make_node("QLinearConv", names, ["y"], pads=pads)
        return _session_call(node, held, x, dtype, threads)

    return Case(dtype, f"ONNX Runtime convolution {convolution.words}", convolution.mult_adds, make)


def _session_call(node: Any, held: list[Any], x: Any, dtype: str, threads: int) -> Call:
    """Return what runs a graph of one operator on ``x``."""
    import onnxruntime
    from onnx import TensorProto, helper

    read = TensorProto.FLOAT if dtype == "fp32" else TensorProto.UINT8
    put_out = {"MatMulInteger": TensorProto.INT32, "QLinearConv": TensorProto.UINT8}
    graph = helper.make_graph(
        [node],
        "roof",
        [helper.make_tensor_value_info("x", read, list(x.shape))],
        [helper.make_tensor_value_info("y", put_out.get(node.op_type, read), None)],
        held,
    )
    opset = [helper.make_opsetid("", _OPSET)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=_IR)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    feed = {"x": x.numpy()}
    return lambda: session.run(None, feed)
