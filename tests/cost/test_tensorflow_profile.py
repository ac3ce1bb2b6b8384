"""TensorFlow's own profiler as a witness of our convention of that name.

The figures were read off TensorFlow 2.15: the registered "flops" of each operator of the graph that
DeepLab's eval.py builds (tensorflow/models, research/deeplab and research/slim), softmax left out,
on images of 513×513 (21 classes) and 1025×2049 (19).
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from mbcost.cost import CONVENTIONS, Terms
from mbcost.errors import MbcostError
from mbcost.targets.resolve import resolve_one
from mbcost.targets.restatement import restatement

PROFILE = CONVENTIONS["tensorflow-profile"]
PROFILED = {
    "deeplabv3-v2-no-aspp@size=513": {
        "Conv2D": 5_207_132_096, "DepthwiseConv2dNative": 277_759_296, "L2Loss": 6_048_634,
        "ArgMax": 5_263_380, "AddV2": 3_516_909, "Mul": 2_869_993, "Sub": 789_531,
        "AvgPool": 348_480, "BiasAdd": 22_869,
    },
    "deeplabv3-v2@size=513": {
        "Conv2D": 11_368_433_600, "DepthwiseConv2dNative": 277_759_296, "L2Loss": 13_273_975,
        "AddV2": 5_925_357, "Mul": 5_278_444, "ArgMax": 5_263_380, "Sub": 789_534,
        "AvgPool": 348_480, "BiasAdd": 22_869,
    },
    "raspp-v2@size=1025x2049": {
        "Conv2D": 40_322_302_912, "DepthwiseConv2dNative": 2_153_915_712, "ArgMax": 37_804_050,
        "AddV2": 13_268_971, "Mul": 8_380_649, "Sub": 6_300_697, "L2Loss": 6_047_098,
        "AvgPool": 2_683_200, "BiasAdd": 159_315,
    },
    "raspp-v3-large@size=1025x2049,reduced_tail=true": {
        "Conv2D": 20_232_456_288, "DepthwiseConv2dNative": 1_839_901_968, "Mul": 184_884_222,
        "AddV2": 93_250_603, "ArgMax": 37_804_050, "Mean": 30_870_216, "Sub": 6_300_697,
        "L2Loss": 5_041_245, "AvgPool": 4_024_800, "BiasAdd": 162_779,
    },
    "raspp-v3-large@size=1025x2049": {
        "Conv2D": 33_938_056_800, "DepthwiseConv2dNative": 2_392_609_968, "Mul": 249_100_206,
        "AddV2": 122_182_507, "Mean": 41_737_176, "ArgMax": 37_804_050, "AvgPool": 8_049_600,
        "L2Loss": 10_434_909, "Sub": 6_300_697, "BiasAdd": 164_395,
    },
    "deeplabv3-resnet101-beta@size=513": {
        "Conv2D": 161_669_527_424, "L2Loss": 174_166_735, "AddV2": 107_043_541,
        "Mul": 58_845_236, "MaxPool": 20_809_600, "ArgMax": 5_263_380, "AvgPool": 2_230_272,
        "Sub": 789_534, "BiasAdd": 22_869,
    },
}  # fmt: skip
SCALARS = 3000
"""At most so many operations of a graph are on scalars and on the confusion matrix of its metric:
one less a regularised tensor, one a Xavier initialiser, a few hundred of 21×21."""


def profiled(target: str, *operators: str) -> int:
    return sum(PROFILED[target].get(name, 0) for name in operators)


def weighed(terms: Terms, *names: str) -> int:
    return sum(getattr(terms, name) * getattr(PROFILE.weights, name) for name in names)


@pytest.mark.parametrize("target", PROFILED)
def test_each_term_is_what_the_profiler_says_of_its_operators(target: str) -> None:
    terms = resolve_one(target).report.terms
    products = profiled(target, "Conv2D", "DepthwiseConv2dNative")
    assert weighed(terms, "mult_adds", "padded_mult_adds") == products
    pools = profiled(target, "AvgPool", "MaxPool", "Mean")
    assert weighed(terms, "window_elements", "adaptive_pool_inputs") == pools
    assert weighed(terms, "bias_adds") == profiled(target, "BiasAdd")
    assert weighed(terms, "ranked_elements") == profiled(target, "ArgMax")


@pytest.mark.parametrize("target", PROFILED)
def test_the_total_is_the_profiler_s_but_for_scalars(target: str) -> None:
    total = resolve_one(target).report.total(PROFILE)
    assert 0 <= profiled(target, *PROFILED[target]) - total <= SCALARS


EXPORTED = {
    "ssdlite-v3-large@reduced_tail=true": {
        "Conv2D": 930_719_488, "DepthwiseConv2dNative": 82_408_320, "Mean": 1_123_200,
        "Mul": 7_383_323, "AddV2": 3_718_240, "Sub": 373_406, "L2Loss": 342_761,
        "Minimum": 36_002, "Maximum": 36_000, "RealDiv": 20_391, "Less": 11_034,
        "GreaterEqual": 9_000, "Sum": 8_999,
    },
    "ssdlite-v3-small@reduced_tail=true": {
        "Conv2D": 291_120_128, "DepthwiseConv2dNative": 33_486_720, "Mean": 524_800,
        "Mul": 4_069_943, "AddV2": 1_611_264, "Sub": 373_406, "L2Loss": 241_389,
        "Minimum": 36_002, "Maximum": 36_000, "RealDiv": 20_391, "Less": 11_034,
        "GreaterEqual": 9_000, "Sum": 8_999,
    },
}  # fmt: skip
"""The same of the graph that the Object Detection API exports of its own configurations of SSDLite
on V3 at 320×320, without what is named BatchNorm, Initializer, Regularizer or BiasAdd."""
BEHIND = 1_500_000
"""At most so many operations are behind the network, on its boxes; L2Loss is there under a name
that the exporter does not leave out."""


@pytest.mark.parametrize("target", EXPORTED)
def test_a_detector_is_what_its_exporter_says_but_for_its_boxes(target: str) -> None:
    report, said = resolve_one(target).report, EXPORTED[target]
    terms = report.terms
    products = said["Conv2D"] + said["DepthwiseConv2dNative"]
    assert 2 * (terms.mult_adds + terms.padded_mult_adds) == products
    assert terms.adaptive_pool_inputs == said["Mean"]
    assert 0 <= sum(said.values()) - report.total(CONVENTIONS["tensorflow-exporter"]) <= BEHIND


def test_what_a_trace_cannot_see_is_refused() -> None:
    for target, place in (("torchvision:resnet18", "trace"), ("v2@batch=2", "one image")):
        subject = replace(resolve_one(target), restatement=restatement(PROFILE.name, None))
        with pytest.raises(MbcostError, match=place):
            _ = subject.shown
