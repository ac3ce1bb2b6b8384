"""TFLite files: written straight from the graph, read by LiteRT's schema, run by LiteRT.

Maps and parameters are named by our paths, and equal networks make equal bytes. Operators are those
of TFLite itself, in batch × H × W × C: relu and relu6 are part of the operator before them, zeros
that no scheme of TFLite gives are a ``PAD``. ``tflite_writer`` writes them, ``tflite_weights`` what
they read, ``tflite_file`` reads.
"""

from __future__ import annotations

from mbcost.graph.kernels import kernels
from mbcost.modules.exported.constants import Dtype
from mbcost.modules.exported.deployed import Deployed
from mbcost.modules.exported.tflite_file import read, run
from mbcost.modules.exported.tflite_weights import Parameters, map_scales
from mbcost.modules.exported.tflite_writer import written

__all__ = ["read", "run", "write"]


def write(network: Deployed) -> bytes:
    """Return the file of a network; in int8 it reads and puts out int8, otherwise float32."""
    found = kernels(network.graph, "tflite", network.dtype)
    dtype: Dtype = "int8" if network.dtype == "int8" else "fp32"
    constants = Parameters(
        dtype,
        network.batch,
        exact=True,
        half=network.dtype == "fp16",
        values=network.parameters(),
        scales=map_scales(network, found) if dtype == "int8" else (),
    )
    return written(found, constants, network.metadata)
