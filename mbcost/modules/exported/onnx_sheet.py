"""What an ONNX file is put together from: nodes and tensors, by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from mbcost.errors import MbcostError
from mbcost.modules.exported.deployed import Deployed

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

OPSET = 20
"""The first with Gelu; AveragePool counts padding as torch does since 19."""
INPUT = "input"


class Sheet:
    """The nodes and tensors of a file, as layers write them; how they are stored is decided here.

    Tensors beside parameters have a ``/`` in their names, which no path has.
    """

    def __init__(self, network: Deployed) -> None:
        self.network = network
        self.parameters = network.parameters()
        self.nodes: list[NodeProto] = []
        self.tensors: dict[str, TensorProto] = {}
        self.maps: dict[int, str] = {}
        """By node of the graph, -1 for the input, the name of its map."""
        self.outputs: set[str] = set()

    @property
    def half(self) -> bool:
        """Whether the file computes in float16."""
        return self.network.dtype == "fp16"

    def node(
        self, op: str, inputs: Sequence[str], output: str, name: str = "", **attributes: Any
    ) -> str:
        """Write a node that is named as what it puts out unless told otherwise; return that."""
        from onnx import helper

        self.nodes.append(helper.make_node(op, inputs, [output], name or output, **attributes))
        return output

    def tensor(self, name: str, values: Tensor) -> str:
        """Write a tensor once, as it is; return its name."""
        from onnx import helper

        if name not in self.tensors:
            kind = self.element_type(str(values.dtype).removeprefix("torch."))
            raw = values.contiguous().numpy().tobytes()
            self.tensors[name] = helper.make_tensor(name, kind, values.shape, raw, raw=True)
        return name

    def constant(self, name: str, *values: float) -> str:
        """Write numbers that a layer computes with; return the name of the tensor, a scalar where
        it is one number."""
        numbers = torch.tensor(values[0] if len(values) == 1 else values, dtype=torch.float32)
        return self.tensor(name, numbers.half() if self.half else numbers)

    def whole(self, name: str, *values: int) -> str:
        """Write whole numbers, such as a shape; return the name of the tensor."""
        return self.tensor(name, torch.tensor(values, dtype=torch.int64))

    def weight(self, path: str, source: int) -> list[str]:
        """Write the weight of a convolution or linear layer, and its bias where it has one; return
        the names to compute with. ``source`` is the node whose map the layer reads."""
        keys = [key for key in (f"{path}.weight", f"{path}.bias") if key in self.parameters]
        return [self.plain(key) for key in keys]

    def plain(self, key: str, shape: Sequence[int] | None = None) -> str:
        """Write a parameter as a float; return its name."""
        values = self.parameters[key]
        if self.half:
            values = values.half()
            if not bool(torch.isfinite(values).all()):
                raise MbcostError(
                    "has a value too large for float16",
                    place=key,
                    way_out="--dtype fp32, or other weights",
                )
        return self.tensor(key, values if shape is None else values.reshape(tuple(shape)))

    def finish(self, i: int) -> None:
        """Do what is to be done with the map of node ``i`` before others read it."""

    def put_out(self, source: str, output: str) -> None:
        """Call the map ``source`` ``output``; a map that has such a name already is copied."""
        writer = next((node for node in self.nodes if source in node.output), None)
        self.outputs.add(output)
        if writer is None or source in self.outputs:
            self.node("Identity", [source], output)
            return
        for node in self.nodes:
            for names in (node.input, node.output):
                for k, name in enumerate(names):
                    if name == source:
                        names[k] = output
        self.maps = {i: output if name == source else name for i, name in self.maps.items()}

    def element_type(self, name: str) -> int:
        """Return onnx's number of an element type."""
        from onnx import TensorProto

        number: int = TensorProto.DataType.Value({"float32": "FLOAT"}.get(name, name.upper()))
        return number
