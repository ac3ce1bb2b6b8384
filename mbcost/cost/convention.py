"""How each counter adds up the same terms: counters differ by convention, and that is data.

To add a convention: a constant beside these, and its name in ``CONVENTIONS``. The terms are
defined in ``formulas.Terms``.
"""

from __future__ import annotations

from operator import mul
from typing import NamedTuple

from mbcost.cost.formulas import Terms


class Convention(NamedTuple):
    """What a counter's total is, as a weight per term of one image (eval mode)."""

    name: str
    counts: str
    """In words, for captions and `--help`."""
    weights: Terms
    """How often each term counts; a term that is not named counts nothing."""
    how_to_read: str
    """Why its total is what it is, for readers of ``mbcost reconcile``."""

    def words(self, *, upsampling: bool) -> str:
        """Return what is counted, with upsampling where the networks in question have it."""
        if not (upsampling and self.weights.upsampled_elements):
            return self.counts
        return f"{self.counts}, {self.weights.upsampled_elements} per upsampled element"

    def total(self, terms: Terms) -> int:
        """Return what a counter of this convention says of a layer with these terms."""
        return sum(map(mul, self.weights, terms))


PAPERS = Convention(
    "papers",
    "multiply-adds of convolution and linear weights",
    Terms(mult_adds=1),
    "the papers count the multiply-adds of convolution and linear weights. Nothing else enters, "
    "which is what mbcost calls mult-adds.",
)
TORCH = Convention(
    "torch",
    "two per multiply-add of a convolution or linear weight",
    Terms(mult_adds=2, unhandled_mult_adds=-2),
    "FlopCounterMode counts a multiplication and an addition apart, so a multiply-add is two. It "
    "sees products alone: no biases, norms, activations or pools; and no matrix times a vector.",
)
# torchinfo 1.8.0, LayerInfo.calculate_macs: a bias counts like a weight; any other layer
# with parameters counts them once, so that a batch-norm is 2·C whatever its H·W
TORCHINFO = Convention(
    "torchinfo",
    "multiply-adds, one per biased output element, 2·C per batch-norm",
    Terms(
        norm_params=1,
        mult_adds=1,
        bias_adds=1,
        functional_mult_adds=-1,
        functional_bias_adds=-1,
        functional_norm_params=-1,
        repeated_linear=-1,
        parameter_rule_excess=1,
    ),
    "torchinfo multiplies parameters by positions, so a bias counts like a weight. Any other "
    "layer with parameters counts them once: a batch-norm is 2·C whatever its map, a linear layer "
    "one position of many. A transposed convolution counts its output's positions, not its "
    "input's.",
)
# fvcore 0.1.5, jit_handles: batch-norm in eval mode is 2 per element, an adaptive average
# pool 1 per input element, bilinear upsampling 4 per output element; activations,
# additions, products, joins and pools with a window have no handle
FVCORE = Convention(
    "fvcore",
    "multiply-adds, 2·C·H·W per batch-norm, inputs of adaptive average pools",
    Terms(
        mult_adds=1,
        norm_elements=2,
        adaptive_pool_inputs=1,
        upsampled_elements=4,
        attention_mult_adds=-1,
        layer_norm_elements=5,
        unhandled_mult_adds=-1,
    ),
    "fvcore adds 2 per element of a batch-norm (5 of a layer norm) and the inputs of adaptive "
    "average pools. Activations, additions and attention's fused product have no handle.",
)
# ptflops 0.7.5, aten_ops: convolution and addmm with their biases, mm and bmm without
PTFLOPS_ATEN = Convention(
    "ptflops-aten",
    "multiply-adds, one per biased output element",
    Terms(mult_adds=1, bias_adds=1, unfused_bias_adds=-1, unhandled_mult_adds=-1),
    "ptflops' aten backend reads torch's operators: convolutions and addmm with their biases, mm "
    "and bmm without. A bias added in an operator of its own is not seen.",
)
# ptflops 0.7.5, pytorch_ops: a hook per module class and a patch per function; what has
# both, such as nn.ReLU or a pool module, counts twice
PTFLOPS_PYTORCH = Convention(
    "ptflops-pytorch",
    "multiply-adds, biases, 2·C·H·W per batch-norm, activations and pools (nn.ReLU and pool "
    "modules twice)",
    Terms(
        mult_adds=1,
        bias_adds=1,
        norm_elements=2,
        upsampled_elements=1,
        functional_mult_adds=-1,
        functional_bias_adds=-1,
        functional_norm_elements=-2,
        subclass_mult_adds=-1,
        subclass_bias_adds=-1,
        named_product_mult_adds=1,
        layer_norm_elements=2,
        activation_module_elements=1,
        activation_function_elements=1,
        pool_module_inputs=1,
        pool_function_inputs=1,
        upsample_module_elements=1,
        response_norm_elements=3,
    ),
    "ptflops' pytorch backend hooks modules and patches functions, so what is both, such as "
    "nn.ReLU or a pool module, counts twice. Operators such as * and += count nothing, nor do "
    "functional convolutions.",
)
# thop 0.1.1, vision/basic_hooks: a hook per module class, functions are not seen
THOP = Convention(
    "thop",
    "multiply-adds of modules, 4·C·H·W per batch-norm, inputs and outputs of adaptive average "
    "pool modules",
    Terms(
        mult_adds=1,
        norm_elements=4,
        functional_mult_adds=-1,
        functional_norm_elements=-4,
        subclass_mult_adds=-1,
        layer_norm_elements=4,
        adaptive_pool_module_elements=1,
        average_pool_module_outputs=1,
        softmax_module_operations=1,
        upsample_module_elements=11,
    ),
    "thop hooks modules by class and counts 4 per element of a batch-norm. Functions are not "
    "seen, so a functional pool is free where a pool module costs its inputs and outputs.",
)
# torchprofile 0.1.0, handlers: by operator of a traced graph
TORCHPROFILE = Convention(
    "torchprofile",
    "multiply-adds, C·H·W per batch-norm, outputs of average pools and of products",
    Terms(
        mult_adds=1,
        norm_elements=1,
        upsampled_elements=4,
        layer_norm_elements=1,
        average_outputs=1,
        product_outputs=1,
        leaky_relu_elements=1,
    ),
    "torchprofile traces the graph and adds one per element of a batch-norm, of an average pool's"
    " output, of an elementwise product and of a leaky ReLU. Maximum pools, other activations and"
    " additions are free.",
)

CONVENTIONS = {
    convention.name: convention
    for convention in (
        PAPERS,
        TORCH,
        TORCHINFO,
        FVCORE,
        PTFLOPS_ATEN,
        PTFLOPS_PYTORCH,
        THOP,
        TORCHPROFILE,
    )
}
