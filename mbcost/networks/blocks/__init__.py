"""The blocks of the row language: each a dataclass that lowers itself to primitive layers.

To add a block: a module beside these with one dataclass (its fields are the YAML keys, their
``Annotated`` rules what is valid) and its line in ``BLOCKS``. Formula, module, memory, schema and
validation follow from that. What reads several maps at once is in ``MERGES``.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module

from mbcost.networks.blocks.fields import Block, block_fields
from mbcost.networks.blocks.merge import MERGES, Merge, arity


class _Blocks(Mapping[str, type[Block]]):
    """Block classes by name; a block's module is imported when a network first uses it."""

    def __init__(self, homes: dict[str, str]) -> None:
        self._homes = homes
        self._found: dict[str, type[Block]] = {}

    def __getitem__(self, name: str) -> type[Block]:
        if name not in self._found:
            module, _, block = self._homes[name].partition(":")
            self._found[name] = getattr(import_module(f"mbcost.networks.blocks.{module}"), block)
        return self._found[name]

    def __contains__(self, name: object) -> bool:
        return name in self._homes

    def __iter__(self) -> Iterator[str]:
        return iter(self._homes)

    def __len__(self) -> int:
        return len(self._homes)


BLOCKS: Mapping[str, type[Block]] = _Blocks(
    {
        "conv": "conv:ConvBnAct",
        "depthwise_separable": "depthwise_separable:DepthwiseSeparable",
        "inverted_residual": "inverted_residual:InvertedResidual",
        "fused_inverted_residual": "fused_inverted_residual:FusedInvertedResidual",
        "universal_inverted_bottleneck": (
            "universal_inverted_bottleneck:UniversalInvertedBottleneck"
        ),
        "ghost_bottleneck": "ghost:GhostBottleneck",
        "sandglass": "sandglass:Sandglass",
        "shuffle_unit": "shuffle:ShuffleUnit",
        "shuffle_unit_v2": "shuffle:ShuffleUnitV2",
        "residual_bottleneck": "residual_bottleneck:ResidualBottleneck",
        "fire": "fire:Fire",
        "inception": "inception:Inception",
        "stacked_separable": "nasnet:StackedSeparable",
        "factorized_reduction": "nasnet:FactorizedReduction",
        "pool": "pooling:Pooling",
        "reorg": "pooling:Reorganisation",
        "crop": "pooling:Cropping",
        "local_response_norm": "pooling:LocalResponseNormalisation",
        "global_pool": "head:GlobalPool",
        "window_pool": "head:WindowPool",
        "linear": "head:FullyConnected",
        "activation": "head:ActivationLayer",
        "predictor": "predictor:Predictor",
    }
)

ONE_OF = {"conv": ("c", "t"), "inverted_residual": ("t", "exp")}
"""Two ways to say one thing, by block: a row needs exactly one of them."""

__all__ = ["BLOCKS", "MERGES", "ONE_OF", "Block", "Merge", "arity", "block_fields"]
