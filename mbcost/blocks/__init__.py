"""The blocks of the row language: each a dataclass that lowers itself to primitive layers.

To add a block: a module beside these with one dataclass (its fields are the YAML keys, their
``Annotated`` rules what is valid) and its line in ``BLOCKS``. Formula, module, memory, schema and
validation follow from that. What reads several maps at once is in ``MERGES``.
"""

from mbcost.blocks.conv import ConvBnAct
from mbcost.blocks.depthwise_separable import DepthwiseSeparable
from mbcost.blocks.fields import Block, BlockField, block_fields
from mbcost.blocks.fire import Fire
from mbcost.blocks.fused_inverted_residual import FusedInvertedResidual
from mbcost.blocks.ghost import GhostBottleneck
from mbcost.blocks.head import ActivationLayer, FullyConnected, GlobalPool, WindowPool
from mbcost.blocks.inception import Inception
from mbcost.blocks.inverted_residual import InvertedResidual
from mbcost.blocks.merge import MERGES, Merge, arity
from mbcost.blocks.pooling import LocalResponseNormalisation, Pooling
from mbcost.blocks.predictor import Predictor
from mbcost.blocks.residual_bottleneck import ResidualBottleneck
from mbcost.blocks.sandglass import Sandglass
from mbcost.blocks.shuffle import ShuffleUnit, ShuffleUnitV2
from mbcost.blocks.universal_inverted_bottleneck import UniversalInvertedBottleneck

BLOCKS: dict[str, type[Block]] = {
    "conv": ConvBnAct,
    "depthwise_separable": DepthwiseSeparable,
    "inverted_residual": InvertedResidual,
    "fused_inverted_residual": FusedInvertedResidual,
    "universal_inverted_bottleneck": UniversalInvertedBottleneck,
    "ghost_bottleneck": GhostBottleneck,
    "sandglass": Sandglass,
    "shuffle_unit": ShuffleUnit,
    "shuffle_unit_v2": ShuffleUnitV2,
    "residual_bottleneck": ResidualBottleneck,
    "fire": Fire,
    "inception": Inception,
    "pool": Pooling,
    "local_response_norm": LocalResponseNormalisation,
    "global_pool": GlobalPool,
    "window_pool": WindowPool,
    "linear": FullyConnected,
    "activation": ActivationLayer,
    "predictor": Predictor,
}

ONE_OF = {"conv": ("c", "t"), "inverted_residual": ("t", "exp")}
"""Two ways to say one thing, by block: a row needs exactly one of them."""

__all__ = [
    "BLOCKS",
    "MERGES",
    "ONE_OF",
    "ActivationLayer",
    "Block",
    "BlockField",
    "ConvBnAct",
    "DepthwiseSeparable",
    "Fire",
    "FullyConnected",
    "FusedInvertedResidual",
    "GhostBottleneck",
    "GlobalPool",
    "Inception",
    "InvertedResidual",
    "LocalResponseNormalisation",
    "Merge",
    "Pooling",
    "Predictor",
    "ResidualBottleneck",
    "Sandglass",
    "ShuffleUnit",
    "ShuffleUnitV2",
    "UniversalInvertedBottleneck",
    "WindowPool",
    "arity",
    "block_fields",
]
