"""How each counter adds up the same terms: counters differ by convention, and that is data.

To add a convention: one entry in ``CONVENTIONS``. The terms are defined in ``formulas.Terms``.
"""

from __future__ import annotations

from operator import mul
from typing import NamedTuple

from mbcost.cost.formulas import UNWEIGHTED_TERMS, Terms


class Convention(NamedTuple):
    """What a counter's total is, as a weight per term of one image (eval mode)."""

    name: str
    counts: str
    """In words, for captions and `--help`."""
    norm_params: int = 0
    mult_adds: int = 1
    bias_adds: int = 0
    norm_elements: int = 0
    adaptive_pool_inputs: int = 0
    upsampled_elements: int = 0
    functional_mult_adds: int = 0
    functional_bias_adds: int = 0
    functional_norm_params: int = 0
    functional_norm_elements: int = 0
    subclass_mult_adds: int = 0
    subclass_bias_adds: int = 0
    repeated_linear: int = 0
    unfused_bias_adds: int = 0
    attention_mult_adds: int = 0
    named_product_mult_adds: int = 0
    layer_norm_elements: int = 0
    activation_module_elements: int = 0
    activation_function_elements: int = 0
    pool_module_inputs: int = 0
    pool_function_inputs: int = 0
    adaptive_pool_module_elements: int = 0
    average_pool_module_outputs: int = 0
    average_outputs: int = 0
    product_outputs: int = 0
    softmax_module_operations: int = 0
    upsample_module_elements: int = 0
    response_norm_elements: int = 0

    def words(self, *, upsampling: bool) -> str:
        """Return what is counted, with upsampling where the networks in question have it."""
        if not (upsampling and self.upsampled_elements):
            return self.counts
        return f"{self.counts}, {self.upsampled_elements} per upsampled element"

    def total(self, terms: Terms) -> int:
        """Return what a counter of this convention says of a layer with these terms."""
        return sum(map(mul, self[2:], terms[UNWEIGHTED_TERMS:]))

    def weights(self) -> dict[str, int]:
        """Return the weight of each term that counts."""
        return {
            name: weight for name, weight in self._asdict().items() if weight and name in _TERMS
        }


_TERMS = Convention._fields[2:]
"""The terms with a weight: those of ``Terms`` after the first ``UNWEIGHTED_TERMS``, in order."""

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
            functional_mult_adds=-1,
            functional_bias_adds=-1,
            functional_norm_params=-1,
            repeated_linear=-1,
        ),
        # fvcore 0.1.5, jit_handles: batch-norm in eval mode is 2 per element, an adaptive average
        # pool 1 per input element, bilinear upsampling 4 per output element; activations,
        # additions, products, joins and pools with a window have no handle
        Convention(
            "fvcore",
            "multiply-adds, 2·C·H·W per batch-norm, inputs of adaptive average pools",
            norm_elements=2,
            layer_norm_elements=5,
            adaptive_pool_inputs=1,
            upsampled_elements=4,
            attention_mult_adds=-1,
        ),
        # ptflops 0.7.5, aten_ops: convolution and addmm with their biases, mm and bmm without
        Convention(
            "ptflops-aten",
            "multiply-adds, one per biased output element",
            bias_adds=1,
            unfused_bias_adds=-1,
        ),
        # ptflops 0.7.5, pytorch_ops: a hook per module class and a patch per function; what has
        # both, such as nn.ReLU or a pool module, counts twice
        Convention(
            "ptflops-pytorch",
            "multiply-adds, biases, 2·C·H·W per batch-norm, activations and pools (nn.ReLU and "
            "pool modules twice)",
            bias_adds=1,
            functional_mult_adds=-1,
            functional_bias_adds=-1,
            functional_norm_elements=-2,
            subclass_mult_adds=-1,
            subclass_bias_adds=-1,
            named_product_mult_adds=1,
            norm_elements=2,
            layer_norm_elements=2,
            activation_module_elements=1,
            activation_function_elements=1,
            pool_module_inputs=1,
            pool_function_inputs=1,
            upsampled_elements=1,
            upsample_module_elements=1,
            response_norm_elements=3,
        ),
        # thop 0.1.1, vision/basic_hooks: a hook per module class, functions are not seen
        Convention(
            "thop",
            "multiply-adds of modules, 4·C·H·W per batch-norm, inputs and outputs of adaptive "
            "average pool modules",
            functional_mult_adds=-1,
            functional_norm_elements=-4,
            subclass_mult_adds=-1,
            norm_elements=4,
            layer_norm_elements=4,
            adaptive_pool_module_elements=1,
            average_pool_module_outputs=1,
            softmax_module_operations=1,
            upsample_module_elements=11,
        ),
        # torchprofile 0.1.0, handlers: by operator of a traced graph
        Convention(
            "torchprofile",
            "multiply-adds, C·H·W per batch-norm, outputs of average pools and of products",
            norm_elements=1,
            layer_norm_elements=1,
            average_outputs=1,
            product_outputs=1,
            upsampled_elements=4,
        ),
    )
}

PAPERS = CONVENTIONS["papers"]
