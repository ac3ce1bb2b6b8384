"""How each counter adds up the same terms: counters differ by convention, and that is data.

To add a convention: a constant beside these, and its name in ``CONVENTIONS``. The terms are
defined in ``formulas.Terms``.
"""

from __future__ import annotations

from operator import mul
from typing import NamedTuple

from mbcost.cost.formulas import Terms

FLOPS_PER_MULT_ADD = 2


class Convention(NamedTuple):
    """What a counter's total is, as a weight per term of one image (eval mode)."""

    name: str
    counts: str
    """In words, for captions and `--help`."""
    weights: Terms
    """How often each term counts; a term that is not named counts nothing."""
    how_to_read: str
    """Why its total is what it is, for readers of ``mbcost reconcile``."""
    closed_form_only: bool = False
    """Whether it counts terms that a trace does not know, of a graph of one image: mbcost's own
    networks alone can be stated in it."""

    @property
    def in_flops(self) -> bool:
        """Whether a multiply-add is two."""
        return self.weights.mult_adds == FLOPS_PER_MULT_ADD

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

# TensorFlow's profiler, FLOAT_OPS: what is registered with ops.RegisterStatistics(…, "flops"), in
# python/profiler/internal/flops_registry.py and python/ops, of the graph that DeepLab's eval.py
# builds (tensorflow/models, research/deeplab, on research/slim). Of each rule, where it stands:
TENSORFLOW_PROFILE = Convention(
    "tensorflow-profile",
    "two per multiply-add (maps of dilated convolutions padded to a multiple of the dilation), "
    "biases, additions, gates, k·k per pooled element, h-swish, 5 per weight, scaling, arg max",
    Terms(
        # ops/nn_ops.py, _calc_conv_flops and _calc_depthwise_conv_flops; math_ops.py, MatMul: two
        mult_adds=2,
        # ops/nn_ops.py, with_space_to_batch: the map is padded to a multiple of the rate first
        padded_mult_adds=2,
        # ops/nn_ops.py, _calc_bias_add_flops: one per element
        bias_adds=1,
        # flops_registry.py, Add and AddV2, Mul: one per element that is put out
        sum_elements=1,
        gated_elements=1,
        # flops_registry.py, AvgPool and MaxPool: the window's area per element that is put out
        window_elements=1,
        # the same of a window as large as the map, as DeepLab pools; Mean, as slim's
        # squeeze_excite pools, is one per element too
        adaptive_pool_inputs=1,
        # slim's mobilenet_v3.py, hard_swish, and conv_blocks.py, the gates; ReLU6: no statistics
        activation_operations=1,
        # the initialiser of each weight, scale and shift (truncated_normal_initializer)
        weights=2,
        # slim.l2_regularizer: L2Loss of flops_registry.py, 3·N − 1, and a product with the decay;
        # MobileNet's depthwise weights have none (mobilenet.py, training_scope)
        regularised_weights=3,
        # feature_extractor.py, _preprocess_zero_mean_unit_range: a product and a difference
        image_elements=2,
        # deeplab/model.py, predict_labels; ArgMax of flops_registry.py: what is read less what is
        # put out
        ranked_elements=1,
    ),
    "TensorFlow's profiler adds what is registered of each operator of the graph of an evaluation, "
    "initialisers and regularisers among them; fused batch-norm, ReLU6 and resizing have none. "
    "DeepLab's authors print half of it as multiply-adds.",
    closed_form_only=True,
)
# the Object Detection API, exporter.py, profile_inference_graph: the same without what is named
# BatchNorm, Initializer, Regularizer or BiasAdd. It scales images whose size the graph does not
# know, which the profiler skips
TENSORFLOW_EXPORTER = Convention(
    "tensorflow-exporter",
    "tensorflow-profile without biases, weights, image scaling and arg max",
    Terms(
        mult_adds=2,
        padded_mult_adds=2,
        sum_elements=1,
        gated_elements=1,
        window_elements=1,
        adaptive_pool_inputs=1,
        activation_operations=1,
    ),
    "the Object Detection API's exporter runs the same profiler, and leaves out what is named "
    "BatchNorm, Initializer, Regularizer or BiasAdd.",
    closed_form_only=True,
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
        TENSORFLOW_PROFILE,
        TENSORFLOW_EXPORTER,
    )
}
