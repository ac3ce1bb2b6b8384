"""What a search looks at where nothing varies: α and size, as far as they are not fixed."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from mbcost.networks.network import Network
from mbcost.studies import prediction
from mbcost.studies.spaces.space import Axis, Space

ALPHAS = tuple(float(Decimal(i) / 20) for i in range(5, 29))
SIZES = tuple((size, size) for size in range(96, 257, 32))
"""Where α and size are left open: 0.25 to 1.4 in steps of 0.05 and 96 to 256 in steps of 32, and
whatever else is published."""


def opened(space: Space, *, predicted: bool = False) -> Space:
    """Return the space with α and size as axes, where nothing varies and they are not fixed.

    Where the top-1 is ``predicted`` they stay within what is published.
    """
    if space.axes or not isinstance(space.spec, Network):
        return space
    network = space.spec
    axes = []
    if "alpha" in network.accepts and "alpha" not in space.settings:
        alphas = {*ALPHAS, *(row.alpha for row in network.published)}
        if predicted:
            low, high = prediction.alphas_of(prediction.family_of(network, space.settings))
            alphas = {alpha for alpha in alphas if low <= alpha <= high}
        axes.append(Axis("alpha", tuple(sorted(alphas))))
    if not {"size", "rho"} & set(space.settings):
        sizes = {*SIZES, *(row.sides for row in network.published)}
        if predicted:
            least, most = prediction.sides_of(prediction.family_of(network, space.settings))
            sizes = {sides for sides in sizes if least <= min(sides) and max(sides) <= most}
        axes.append(Axis("size", tuple(sorted(sizes))))
    return replace(space, axes=tuple(axes))
