"""The blocks of the row language: each a dataclass that lowers itself to primitive layers.

To add a block: a module beside these with one dataclass (its fields are the YAML keys, their
``Annotated`` rules what is valid) and its line in ``BLOCKS``. Formula, module, memory, schema and
validation follow from that.
"""

from mbcost.blocks.conv import ConvBnAct
from mbcost.blocks.depthwise_separable import DepthwiseSeparable
from mbcost.blocks.fields import Block, BlockField, block_fields
from mbcost.blocks.head import ActivationLayer, FullyConnected, GlobalPool
from mbcost.blocks.inverted_residual import InvertedResidual

BLOCKS: dict[str, type[Block]] = {
    "conv": ConvBnAct,
    "depthwise_separable": DepthwiseSeparable,
    "inverted_residual": InvertedResidual,
    "global_pool": GlobalPool,
    "linear": FullyConnected,
    "activation": ActivationLayer,
}

__all__ = [
    "BLOCKS",
    "ActivationLayer",
    "Block",
    "BlockField",
    "ConvBnAct",
    "DepthwiseSeparable",
    "FullyConnected",
    "GlobalPool",
    "InvertedResidual",
    "block_fields",
]
