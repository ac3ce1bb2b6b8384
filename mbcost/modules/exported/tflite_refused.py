"""What TFLite has no operator for, said by the layer."""

from __future__ import annotations

from math import prod

from mbcost.errors import MbcostError
from mbcost.graph.kernels import Kernel, Kernels
from mbcost.graph.primitives import AdaptiveAvgPool2d, Crop, Linear, LocalResponseNorm, Pool2d
from mbcost.graph.shapes import shape_of


class NotWrittenError(MbcostError):
    """TFLite has no operator for a layer."""


def check(found: Kernels, kernel: Kernel, exact: bool) -> None:
    """Raise where TFLite has no operator for what the schedule takes as one; ``exact`` where it has
    to compute what torch does, too."""
    if exact:
        _check_average(found, kernel)
    layer, x = kernel.layer, found.shape(kernel.reads[0])
    if isinstance(layer, LocalResponseNorm) and layer.size % 2 == 0:
        raise NotWrittenError(
            f"normalises over an even number of channels, {layer.size}, which no operator of "
            "TFLite does",
            place=kernel.path,
            way_out="an odd size",
        )
    if isinstance(layer, Crop):
        raise NotWrittenError(
            "crops boxes of a map, for which TFLite has no operator of its own",
            place=kernel.path,
            way_out="a network without a crop row",
        )
    if len(kernel.y) == 1 and not isinstance(layer, Linear):
        for shape in map(found.shape, kernel.reads):
            if prod(shape[1:]) > 1:
                raise NotWrittenError(
                    f"reads a flattened map of {shape_of(shape)} as a vector",
                    place=kernel.path,
                    way_out="a global pool before it",
                )
    if isinstance(layer, AdaptiveAvgPool2d) and (x[1] % layer.size[0] or x[2] % layer.size[1]):
        raise NotWrittenError(
            f"{shape_of(layer.size)} cells of {shape_of(x[1:])} pixels are not of one size",
            place=kernel.path,
            way_out="an input of another size",
        )


def _check_average(found: Kernels, kernel: Kernel) -> None:
    """Raise where TFLite counts other cells of a window than torch: those past a padded map."""
    layer, x = kernel.layer, found.shape(kernel.reads[0])
    if not isinstance(layer, Pool2d) or layer.mode == "max" or kernel.operator != "PAD":
        return
    sides = zip(x[1:], kernel.y[1:], layer.padding, strict=True)
    if any(out > n + 2 * p for n, out, p in sides):
        raise NotWrittenError(
            "averages windows that reach past the end of their map",
            place=kernel.path,
            way_out="-o net.onnx, or a pool that is not rounded up",
        )
