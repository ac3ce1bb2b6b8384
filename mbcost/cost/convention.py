"""How each counter adds up the same terms: counters differ by convention, and that is data.

To add a convention: one entry in ``CONVENTIONS``. The terms are defined in ``formulas.Terms``.
"""

from __future__ import annotations

from typing import NamedTuple

from mbcost.cost.formulas import Terms


class Convention(NamedTuple):
    """What a counter's total is, as a weight per term of one image (eval mode)."""

    name: str
    counts: str
    """In words, for captions and `--help`."""
    mult_adds: int = 1
    bias_adds: int = 0
    norm_params: int = 0
    norm_elements: int = 0
    adaptive_pool_inputs: int = 0
    upsampled_elements: int = 0

    def words(self, *, upsampling: bool) -> str:
        """Return what is counted, with upsampling where the networks in question have it."""
        if not (upsampling and self.upsampled_elements):
            return self.counts
        return f"{self.counts}, {self.upsampled_elements} per upsampled element"

    def total(self, terms: Terms) -> int:
        """Return what a counter of this convention says of a layer with these terms."""
        return (
            self.mult_adds * terms.mult_adds
            + self.bias_adds * terms.bias_adds
            + self.norm_params * terms.norm_params
            + self.norm_elements * terms.norm_elements
            + self.adaptive_pool_inputs * terms.adaptive_pool_inputs
            + self.upsampled_elements * terms.upsampled_elements
        )


CONVENTIONS = {
    convention.name: convention
    for convention in (
        Convention("papers", "multiply-adds of convolution and linear weights"),
        Convention("torch", "two per multiply-add of a convolution or linear weight", mult_adds=2),
        # torchinfo 1.8.0, LayerInfo.calculate_macs: a bias counts like a weight; any other layer
        # with parameters counts them once, so that a batch-norm is 2·C whatever its H·W
        Convention(
            "torchinfo",
            "multiply-adds, one per biased output element, 2·C per batch-norm",
            bias_adds=1,
            norm_params=1,
        ),
        # fvcore 0.1.5, jit_handles: batch-norm in eval mode is 2 per element, an adaptive average
        # pool 1 per input element, bilinear upsampling 4 per output element; activations,
        # additions, products, joins and pools with a window have no handle
        Convention(
            "fvcore",
            "multiply-adds, 2·C·H·W per batch-norm, inputs of adaptive average pools",
            norm_elements=2,
            adaptive_pool_inputs=1,
            upsampled_elements=4,
        ),
    )
}

PAPERS = CONVENTIONS["papers"]
