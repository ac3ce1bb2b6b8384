"""Operators known to cost no multiply-adds. Importing this imports torch; only ``trace`` does.

To add one: its name in ``ZERO``, or, where it computes something that is left out by convention,
its line in ``BY_CONVENTION``.
"""

from __future__ import annotations

from typing import Any

import torch

from mbcost.modules.trace.operators import SHOWN

RESAMPLING = "resampling"
REDUCED_PRODUCT = "elementwise product, reduced"

BY_CONVENTION = dict.fromkeys(
    (
        "_grid_sampler_2d_cpu_fallback",
        "cudnn_grid_sampler",
        "grid_sampler_2d",
        "grid_sampler_3d",
        "torchvision.ps_roi_align",
        "torchvision.ps_roi_pool",
        "torchvision.roi_align",
        "torchvision.roi_pool",
    ),
    RESAMPLING,
)
"""Operators that weigh neighbours, and what that is called: no counter calls it multiply-adds."""

_ZERO_NAMES = """
_assert_async _assert_scalar _assert_tensor_metadata _ctc_loss _embedding_bag
_embedding_bag_forward_only _functional_assert_async _functional_assert_scalar
_functional_sym_constrain_range _index_put_impl _linalg_check_errors _local_scalar_dense
_pin_memory _print _reshape_copy _to_copy _unique2 _unsafe_view _upsample_bicubic2d_aa
_upsample_bilinear2d_aa _upsample_nearest_exact2d _weight_norm_interface addr
affine_grid_generator all amax amin aminmax any arange argmax argmin argsort as_strided bernoulli
binary_cross_entropy binary_cross_entropy_with_logits bincount bucketize cat channel_shuffle clone
col2im constant_pad_nd copy count_nonzero cummax cummin cumprod cumsum detach device diagonal dist
empty empty_like empty_strided equal eye fill flip fractional_max_pool2d fractional_max_pool3d
full full_like gather histc huber_loss im2col index index_add index_copy index_fill index_put
index_reduce index_select is_nonzero is_pinned is_same_size isin item kthvalue layout lift
lift_fresh lift_fresh_copy linalg_vector_norm linspace logcumsumexp logsumexp masked_fill
masked_scatter masked_select max max_unpool2d max_unpool3d median meshgrid min mode mse_loss
multi_margin_loss multilabel_margin_loss_forward multinomial nanmedian nansum native_dropout
new_empty new_empty_strided new_full new_ones new_zeros nll_loss2d_forward nll_loss_forward
nonzero norm normal one_hot ones ones_like pad pixel_shuffle pixel_unshuffle poisson prod put rand
rand_like randint randint_like randn randn_like randperm reflection_pad1d reflection_pad2d
reflection_pad3d renorm repeat repeat_interleave replication_pad1d replication_pad2d
replication_pad3d resize roll scalar_tensor scatter scatter_add scatter_reduce searchsorted
select_scatter set_ size slice_scatter smooth_l1_loss soft_margin_loss sort split_with_sizes_copy
stack std std_mean stride sum sym_constrain_range sym_constrain_range_for_size sym_numel sym_size
sym_stride take topk torchvision.nms trace tril tril_indices triu triu_indices unfold uniform unique
unique_consecutive unique_dim unsafe_chunk unsafe_split upsample_bicubic2d upsample_linear1d
upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_trilinear3d var var_mean where
zero zeros zeros_like
"""
ZERO = frozenset(_ZERO_NAMES.split())
"""They move, compare, draw, sum or normalise: nothing is multiplied by a weight and added up."""

_FREE_SPACES = ("profiler.", "debugprims.")


def is_zero(func: Any, name: str) -> bool:
    """Return whether an operator is known to do no multiply-adds with weights."""
    return (
        name in SHOWN
        or name in ZERO
        or name in BY_CONVENTION
        or func.is_view
        or torch.Tag.inplace_view in func.tags
        or torch.Tag.pointwise in func.tags
        or name.startswith(_FREE_SPACES)
        or not any("Tensor" in str(argument.type) for argument in func._schema.arguments)
    )
