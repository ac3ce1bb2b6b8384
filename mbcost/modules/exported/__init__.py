"""Networks as files that other programs run: which formats there are, and what is asked of each.

``deployed`` makes the network that is written: batch-norms folded, weights drawn or loaded,
calibrated where it is quantised. To add a format: a module beside these with ``write``, ``read``
and ``run`` as ``FileFormat`` calls them, and its line in ``FILE_FORMATS``; its packages are
imported when a file is first written. ``micro`` has ``tflite_writer`` write files with weights of
zero to learn what an interpreter takes of memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from mbcost.errors import missing, not_installed

if TYPE_CHECKING:
    from torch import Tensor

    from mbcost.modules.exported.deployed import Deployed

LAYOUTS = ("nchw", "nhwc")
"""Order of a batch's dimensions in what a file reads and puts out: channels first, or last."""


class FileLayer(NamedTuple):
    """A convolution or linear layer as a file has it, by the shapes that stand in the file."""

    path: str
    weights: int
    biases: int
    mult_adds: int
    """For the batch."""


class Contents(NamedTuple):
    """What a file holds, as the format's own library reads it."""

    layers: tuple[FileLayer, ...]
    parameters: dict[str, int]
    """Elements of weights, biases, and of what is left of batch-norms, by element type."""
    constants: dict[str, int]
    """Elements of every other tensor, by element type."""
    parts: dict[str, int]
    """Bytes by part of the file; their sum is its size. ``PARAMETERS`` are one part."""


PARAMETERS = "parameters"
"""The part of a file that the prediction is of: the elements of its parameters."""


class FileFormat(NamedTuple):
    """A format of files: its suffix, what it needs, and the module that writes and reads it."""

    name: str
    suffix: str
    packages: tuple[str, ...]
    extra: str
    layouts: tuple[str, ...]
    """Of ``LAYOUTS``, those that it can have; the first unless told otherwise."""
    largest: int
    """Bytes of the parameters that a file can hold at most."""
    map_bytes: Mapping[str, int]
    """By dtype, the bytes of an element of a map."""
    planned: bool
    """Whether a file says which operators run, so that an arena can be planned for its maps."""
    tolerance: float
    """Of the largest element of an output, how far a float32 file may be from torch at most."""
    whole_constants: bool
    """Whether operators read int8 and int32 numbers that are no parameters: paddings, sizes."""
    module: str

    def require(self) -> None:
        """Raise where a package is missing."""
        lacking = missing(self.packages)
        if lacking:
            raise not_installed(self.name, lacking, install=f"'mbcost[{self.extra}]'")

    def write(self, network: Deployed) -> bytes:
        """Return the file; equal networks make equal bytes."""
        written: bytes = self._module.write(network)
        return written

    def read(self, data: bytes) -> Contents:
        """Return what a file holds, read by the format's own library."""
        contents: Contents = self._module.read(data)
        return contents

    def run(self, data: bytes, images: Tensor) -> tuple[Tensor, ...]:
        """Return what a file puts out, run by the format's own runtime on the CPU.

        ``images`` are in the layout that the file reads.
        """
        outputs: tuple[Tensor, ...] = self._module.run(data, images)
        return outputs

    @property
    def _module(self) -> Any:
        return import_module(self.module)


FILE_FORMATS = {
    form.suffix: form
    for form in (
        FileFormat(
            "ONNX",
            ".onnx",
            ("torch", "onnx", "onnxruntime"),
            "onnx",
            LAYOUTS,
            2_000_000_000,  # protobuf: a message has less than 2 GiB
            {"fp32": 4, "fp16": 2, "int8": 1},
            False,
            1e-5,
            False,
            "mbcost.modules.exported.onnx",
        ),
        FileFormat(
            "TFLite",
            ".tflite",
            ("torch", "ai_edge_litert", "flatbuffers"),
            "tflite",
            ("nhwc",),
            2_000_000_000,  # FlatBuffers: offsets are below 2 GiB
            {"fp32": 4, "fp16": 4, "int8": 1},
            True,
            3e-5,  # LiteRT's own rounding: 1.8e-5 seen, in raspp-v3-large
            True,
            "mbcost.modules.exported.tflite",
        ),
    )
}
"""By suffix."""
