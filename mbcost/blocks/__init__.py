"""The blocks of the row language: each a dataclass that lowers itself to primitive layers.

To add a block: a module beside these with one dataclass (its fields are the YAML keys, their
``Annotated`` rules what is valid) and its line in ``BLOCKS``. Formula, module, memory, schema and
validation follow from that. What reads several maps at once is in ``MERGES``.
"""

from mbcost.blocks.conv import ConvBnAct
from mbcost.blocks.depthwise_separable import DepthwiseSeparable
from mbcost.blocks.fields import Block, BlockField, block_fields
from mbcost.blocks.head import ActivationLayer, FullyConnected, GlobalPool, WindowPool
from mbcost.blocks.inverted_residual import InvertedResidual
from mbcost.blocks.merge import MERGES, Merge, arity
from mbcost.blocks.predictor import Predictor

BLOCKS: dict[str, type[Block]] = {
    "conv": ConvBnAct,
    "depthwise_separable": DepthwiseSeparable,
    "inverted_residual": InvertedResidual,
    "global_pool": GlobalPool,
    "window_pool": WindowPool,
    "linear": FullyConnected,
    "activation": ActivationLayer,
    "predictor": Predictor,
}

__all__ = [
    "BLOCKS",
    "MERGES",
    "ActivationLayer",
    "Block",
    "BlockField",
    "ConvBnAct",
    "DepthwiseSeparable",
    "FullyConnected",
    "GlobalPool",
    "InvertedResidual",
    "Merge",
    "Predictor",
    "WindowPool",
    "arity",
    "block_fields",
]
