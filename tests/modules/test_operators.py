"""What a trace counts of single operators, functions and batches, beside plain arithmetic, torch's
``FlopCounterMode`` and torchinfo."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable
from itertools import product
from math import prod
from typing import Any

import pytest
import torch
import torchinfo
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.flop_counter import FlopCounterMode, flop_registry, register_flop_formula

import mbcost
from mbcost.modules.counters import COUNTERS, verify
from mbcost.modules.trace import trace
from mbcost.modules.trace.calls import FUNCTIONS
from mbcost.modules.trace.free import REDUCED_PRODUCT, ZERO, is_zero
from mbcost.modules.trace.operators import COSTS, COUNTED, attention, name_of, registered
from mbcost.targets.resolve import resolve_one


class Call(nn.Module):
    """A function as a model."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Any:
        return self.function(*inputs)


def meta(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.zeros(shape, dtype=dtype, device="meta")


def torch_mult_adds(module: nn.Module, *inputs: Tensor) -> int:
    with torch.no_grad(), FlopCounterMode(display=False) as mode:
        module(*inputs)
    return int(mode.get_total_flops()) // 2


def overloads(packet: Any) -> list[Any]:
    return [getattr(packet, name) for name in packet.overloads()]


def looped(*sides: int) -> int:
    """Count one multiply-add per turn of nested loops over ``sides``."""
    return sum(1 for _ in product(*map(range, sides)))


def of_torchvision(name: str) -> Callable[..., Any]:
    """Return one of ``torchvision.ops``, imported when it is called."""

    def call(*args: Any, **named: Any) -> Any:
        import torchvision

        return getattr(torchvision.ops, name)(*args, **named)

    return call


INT8 = torch.int8
OPERATORS: dict[str, tuple[Callable[..., Any], tuple[Tensor, ...], int]] = {
    # weights 6×(4/2)×3×2, met at 2×8×9 output positions
    "deform_conv2d": (
        lambda x, o, m, w: of_torchvision("deform_conv2d")(x, o, w, padding=(1, 0), mask=m),
        (meta(2, 4, 8, 10), meta(2, 12, 8, 9), meta(2, 6, 8, 9), meta(6, 2, 3, 2)),
        looped(2, 6, 2, 3, 2, 8, 9),
    ),
    "Bilinear": (nn.Bilinear(3, 4, 5).to("meta"), (meta(2, 3), meta(2, 4)), looped(2, 5, 3, 4)),
    "Bilinear on maps": (
        nn.Bilinear(3, 4, 5, bias=False).to("meta"),
        (meta(2, 7, 3), meta(2, 7, 4)),
        looped(2, 7, 5, 3, 4),
    ),
    "addbmm": (
        torch.addbmm,
        (meta(3, 5), meta(2, 3, 4), meta(2, 4, 5)),
        looped(2, 3, 4, 5),
    ),
    "conv_tbc": (
        lambda x, w, b: torch.conv_tbc(x, w, b, 1),
        (meta(7, 2, 3), meta(3, 3, 5), meta(5)),
        looped(7, 2, 3, 3, 5),
    ),
    "cdist": (torch.cdist, (meta(2, 5, 3), meta(2, 7, 3)), looped(2, 5, 7, 3)),
    "cdist by matrices": (torch.cdist, (meta(2, 30, 3), meta(1, 31, 3)), looped(2, 30, 31, 3)),
    "cdist, p = 1": (
        lambda a, b: torch.cdist(a, b, 1.0),
        (meta(30, 3), meta(31, 3)),
        looped(30, 31, 3),
    ),
    "pdist": (torch.pdist, (meta(6, 4),), 15 * 4),
    "_int_mm": (
        torch._int_mm,
        (meta(32, 16, dtype=INT8), meta(16, 8, dtype=INT8)),
        looped(32, 16, 8),
    ),
    "inner": (torch.inner, (meta(2, 3, 4), meta(5, 4)), looped(2, 3, 5, 4)),
    "inner of vectors": (torch.inner, (meta(4), meta(4)), 4),
    "multi_dot": (
        lambda a, b, c: torch.linalg.multi_dot([a, b, c]),
        (meta(2, 3), meta(3, 4), meta(4, 5)),
        looped(2, 3, 4) + looped(2, 4, 5),
    ),
    "mv": (torch.mv, (meta(3, 4), meta(4)), looped(3, 4)),
    "_addmm_activation": (
        torch._addmm_activation,
        (meta(5), meta(3, 4), meta(4, 5)),
        looped(3, 4, 5),
    ),
    "addr, an outer product": (torch.addr, (meta(3, 4), meta(3), meta(4)), 0),
    "grid_sample": (
        lambda x, grid: F.grid_sample(x, grid, align_corners=False),
        (meta(1, 3, 8, 8), meta(1, 4, 4, 2)),
        0,
    ),
    "roi_align": (
        lambda x, boxes: of_torchvision("roi_align")(x, boxes, 4),
        (meta(1, 3, 8, 8), meta(5, 5)),
        0,
    ),
}


def test_an_operator_that_reads_no_tensor_costs_nothing() -> None:
    """As torchvision's own version, which it asks for where it is imported in a forward."""
    import torchvision

    def forward(x: Tensor) -> Tensor:
        assert torchvision.ops is not None  # which registers it
        torch.ops.torchvision._cuda_version()
        return x @ x

    coverage = trace(Call(forward), (meta(3, 3),), "version").coverage
    assert coverage.zero == {"torchvision._cuda_version": 1}
    assert coverage.unknown == {}


@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_costs_what_nested_loops_count(name: str, inference: bool) -> None:
    function, inputs, mult_adds = OPERATORS[name]
    module = function if isinstance(function, nn.Module) else Call(function)
    with torch.inference_mode(inference):
        found = trace(module, inputs, name)
    assert found.report.mult_adds == mult_adds
    assert found.coverage.unknown == {}


@pytest.mark.parametrize("name", OPERATORS)
def test_flop_counter_mode_sees_as_much_or_the_difference_has_a_term(name: str) -> None:
    function, inputs, _ = OPERATORS[name]
    module = function if isinstance(function, nn.Module) else Call(function)
    report = trace(module, inputs, name).report
    convention = COUNTERS["torch"].convention
    assert report.total(convention) == 2 * torch_mult_adds(module, *inputs)


def test_all_that_flop_counter_mode_counts_is_counted_and_nothing_of_it_called_zero() -> None:
    forward = [
        packet
        for packet in flop_registry
        if isinstance(packet, torch._ops.OpOverloadPacket) and "backward" not in str(packet)
    ]
    assert len(forward) > 10
    for packet in forward:
        func = overloads(packet)[0]
        assert name_of(func) in COUNTED or registered(func), packet
        assert name_of(func) not in ZERO
    assert not ZERO & COSTS.keys()


def test_a_formula_that_a_user_registered_with_torch_is_used() -> None:
    @torch.library.custom_op("mbcost_test::halve", mutates_args=())
    def halve(x: Tensor) -> Tensor:
        return x / 2

    @halve.register_fake
    def _(x: Tensor) -> Tensor:
        return torch.empty_like(x)

    unknown = trace(Call(halve), [meta(3, 4)], "").coverage
    assert unknown.unknown == {"mbcost_test.halve": 1}
    packet = torch.ops.mbcost_test.halve

    def formula(x: Any, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
        return 10 * prod(map(int, x))

    register_flop_formula(packet)(formula)
    try:
        found = trace(Call(halve), [meta(3, 4)], "")
    finally:
        del flop_registry[packet]
    assert found.coverage.counted == {"mbcost_test.halve": 1}
    assert found.report.mult_adds == 5 * 12


def test_every_in_place_view_is_known_to_cost_nothing() -> None:
    views = []
    for name in dir(torch.ops.aten):
        packet = getattr(torch.ops.aten, name)
        if isinstance(packet, torch._ops.OpOverloadPacket):
            views += [f for f in overloads(packet) if torch.Tag.inplace_view in f.tags]
    assert {"squeeze_", "unsqueeze_", "t_", "transpose_"} <= {f._schema.name[6:] for f in views}
    assert all(is_zero(func, name_of(func)) for func in views)


def test_what_only_watches_moves_or_measures_costs_nothing() -> None:
    def function(x: Tensor, classes: Tensor) -> Tensor:
        with torch.profiler.record_function("part"):
            y = x.clone().unsqueeze_(0).squeeze_().transpose_(0, 1).t_()
        torch._assert(y.shape[0] == x.shape[0], "same")
        return F.cross_entropy(y, classes) + F.mse_loss(x, x) + F.binary_cross_entropy(x, x)

    found = trace(Call(function), [meta(3, 4), meta(3, dtype=torch.int64)], "")
    assert found.coverage.unknown == {}
    assert found.report.mult_adds == 0


CONTRACTIONS: dict[str, tuple[Callable[..., Any], tuple[Tensor, ...], int]] = {
    "as a matrix product": (
        lambda a, b: (a[:, :, None] * b[None]).sum(1),
        (meta(3, 4), meta(4, 5)),
        1,
    ),
    "through a view": (
        lambda w, x: (w.unsqueeze(-1) * x).flatten(1).sum(-1),
        (meta(2, 5), meta(2, 5, 3)),
        1,
    ),
    "as a weighted mean": (lambda w, x: (w[..., None] * x).mean(1), (meta(2, 5), meta(2, 5, 3)), 1),
    "twice": (lambda a, b: [(a * b).sum(), (b * a).sum(0)], (meta(3, 4), meta(3, 4)), 2),
    "a square is none": (lambda a: (a * a).sum(), (meta(3, 4),), 0),
    "a scaling is none": (lambda a: (a * 0.5).sum(), (meta(3, 4),), 0),
    "a sum of something else is none": (lambda a, b: [a * b, a.sum()], (meta(3), meta(3)), 0),
}


@pytest.mark.parametrize("name", CONTRACTIONS)
def test_a_product_that_is_summed_is_listed_as_such(name: str) -> None:
    function, inputs, times = CONTRACTIONS[name]
    found = trace(Call(function), inputs, name)
    assert found.coverage.by_convention.get(REDUCED_PRODUCT, 0) == times
    assert found.report.mult_adds == 0


def test_resampling_is_listed_and_no_multiply_add_by_convention() -> None:
    found = trace(Call(OPERATORS["grid_sample"][0]), OPERATORS["grid_sample"][1], "")
    assert found.coverage.by_convention == {"resampling (grid_sampler_2d)": 1}


def attended(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> dict[str, Callable[[], Any]]:
    sdpa = F.scaled_dot_product_attention
    return {
        "in order": lambda: sdpa(q, k, v, mask),
        "keywords in another order": lambda: sdpa(value=v, key=k, query=q),
        "mixed": lambda: sdpa(q, value=v, key=k),
        "mask first": lambda: sdpa(attn_mask=mask, query=q, key=k, value=v),
        "dropout first": lambda: sdpa(dropout_p=0.0, scale=2.0, value=v, query=q, key=k),
        "causal": lambda: sdpa(q, k, v, is_causal=True),
        "under vmap": lambda: torch.vmap(sdpa)(q, k, v),
        "under vmap, keys shared": lambda: torch.vmap(sdpa, (0, None, None))(q, k[0], v[0]),
        "queries broadcast": lambda: sdpa(q[:1], k, v),
        "keys broadcast": lambda: sdpa(q, k[:1], v[:1]),
    }


WAYS = tuple(attended(*[meta(1)] * 4))


@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_attention_costs_both_products_however_it_is_called(way: str, inference: bool) -> None:
    n, heads, queries, keys, width, values = 2, 3, 5, 7, 4, 6

    def function(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Any:
        return attended(q, k, v, mask)[way]()

    inputs = (
        meta(n, heads, queries, width),
        meta(n, heads, keys, width),
        meta(n, heads, keys, values),
        meta(queries, keys),
    )
    with torch.inference_mode(inference):
        found = trace(Call(function), inputs, way)
    assert found.report.mult_adds == n * heads * queries * keys * (width + values)
    assert found.report.mult_adds == torch_mult_adds(Call(function), *inputs)
    assert found.report.terms.attention_mult_adds == found.report.mult_adds
    assert [row.kind for row in found.report.layers] == ["attention"]


def test_attention_on_real_tensors_costs_the_same_as_on_meta() -> None:
    def function(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if q.sum() > 1e9:  # a path that depends on the data
            return q
        return F.scaled_dot_product_attention(value=v, query=q, key=k)

    inputs = [torch.randn(2, 3, 5, 4), torch.randn(2, 3, 7, 4), torch.randn(2, 3, 7, 6)]
    assert trace(Call(function), inputs, "").report.mult_adds == 2 * 3 * 5 * 7 * (4 + 6)


def test_attention_of_random_shapes_and_calls_equals_flop_counter_mode() -> None:
    draw = random.Random(8)
    for _ in range(40):
        n, heads, queries, keys, width, values = (draw.randint(1, 6) for _ in range(6))
        few = draw.choice([1, n])
        given: dict[str, Any] = {
            "query": meta(n, heads, queries, width),
            "key": meta(few, heads, keys, width),
            "value": meta(few, heads, keys, values),
            "attn_mask": meta(queries, keys) if draw.random() < 0.5 else None,
            "scale": 2.0,
        }
        order = list(given)
        draw.shuffle(order)
        lead = draw.randint(0, 2)
        names = ["query", "key", "value"][:lead]

        class Shuffled(nn.Module):
            def forward(self, *inputs: Tensor) -> Tensor:
                rest = {name: given[name] for name in order if name not in names}  # noqa: B023
                return F.scaled_dot_product_attention(*[given[x] for x in names], **rest)  # noqa: B023

        found = trace(Shuffled(), [given["query"]], "").report.mult_adds
        assert found == torch_mult_adds(Shuffled()) == n * heads * queries * keys * (width + values)


CALLS: dict[str, dict[str, Any]] = {
    "prelu": {"weight": meta(4)},
    "softmax": {"dim": 1},
    **{f"{kind}_pool{n}d": {"kernel_size": 2} for kind in ("max", "avg") for n in (1, 2, 3)},
    **{
        f"adaptive_{kind}_pool{n}d": {"output_size": 2}
        for kind in ("max", "avg")
        for n in (1, 2, 3)
    },
}


@pytest.mark.parametrize(
    "function",
    [f for f in FUNCTIONS if f is not F.scaled_dot_product_attention],
    ids=lambda f: str(f.__name__),
)
def test_a_function_costs_the_same_with_keywords_in_any_order(function: Any) -> None:
    name = next(key for key, value in vars(F).items() if value is function)
    dims = int(name[-2]) if name.endswith("d") and name[-2].isdigit() else 2
    more = CALLS.get(name, {})
    x = meta(2, 4, *([6] * dims))
    plain = trace(Call(lambda x: function(x, *more.values())), [x], "").report
    swapped = trace(Call(lambda x: function(**more, input=x)), [x], "").report
    assert plain.terms == swapped.terms
    assert plain.layers[0].x == (4, *([6] * dims))
    assert any(plain.terms)


class Biased(nn.Module):
    """Work that does not depend on the batch, as in SwinV2's table of relative positions."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.fc = nn.Linear(2, 8), nn.Linear(8, 8)
        self.norm = nn.LayerNorm(8)
        self.conv, self.bn = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)

    def forward(self, x: Tensor) -> Tensor:
        bias = self.table(torch.zeros(49, 2, device=x.device))
        y: Tensor = self.bn(self.conv(x)).flatten(2).mT
        out: Tensor = self.norm(self.fc(y)) + bias.sum(0)
        return out


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_work_that_does_not_depend_on_the_batch_is_not_multiplied(batch: int) -> None:
    module = Biased().to("meta").eval()
    x = meta(batch, 3, 9, 9)
    report = trace(module, [x], "").report
    assert report.batch == batch
    assert report.mult_adds == 49 * 2 * 8 + batch * (27 * 8 * 49 + 49 * 64)
    assert report.mult_adds == torch_mult_adds(module, x)
    assert sum(layer.mult_adds for layer in report.layers) * report.scale == report.mult_adds
    assert report.params == sum(p.numel() for p in module.parameters())


def test_swin_v2_at_batch_4_is_what_flop_counter_mode_counts() -> None:
    subject = resolve_one("torchvision:swin_v2_t@batch=4")
    assert subject.report.mult_adds == 23_702_774_784


@pytest.mark.parametrize("shape", [(2, 3, 64, 64), (3, 3, 32, 32)])
def test_a_first_dimension_given_is_the_batch_in_every_figure(shape: tuple[int, ...]) -> None:
    text = "x".join(map(str, shape))
    given = resolve_one("torchvision:resnet18", {"input": text})
    asked = resolve_one("torchvision:resnet18", {"size": shape[-1], "batch": shape[0]})
    assert given.report.batch == given.batch == shape[0]
    assert given.report.x == shape[1:]
    assert given.report.input_bytes == 4 * prod(shape)
    assert given.report == asked.report


UNBATCHED: dict[str, tuple[nn.Module, tuple[int, ...], int]] = {
    "an image into convolutions": (nn.Conv2d(3, 4, 1), (3, 8, 8), 1),
    "a signal into convolutions": (nn.Conv1d(3, 4, 1), (3, 8), 1),
    "a vector": (nn.Linear(3, 4), (3,), 1),
    "a batch of vectors": (nn.Linear(3, 4), (5, 3), 5),
    "a batch of token sequences": (nn.Linear(3, 4), (5, 7, 3), 5),
    "a batch of signals": (nn.Conv1d(3, 4, 1), (5, 3, 8), 5),
}


@pytest.mark.parametrize("name", UNBATCHED)
def test_the_first_dimension_is_the_batch_unless_a_layer_took_none(name: str) -> None:
    module, shape, batch = UNBATCHED[name]
    report = trace(module, [meta(*shape)], name).report
    assert report.batch == batch
    assert report.input_bytes == 4 * prod(shape)
    weight = next(iter(module.parameters()))
    assert report.mult_adds == weight.numel() // weight.shape[0] * prod(report.y) * batch


def test_an_input_without_the_batch_is_not_multiplied_by_it() -> None:
    class Queries(nn.Module):
        def forward(self, x: Tensor, queries: Tensor) -> Tensor:
            return x @ queries.mT

    report = trace(Queries(), [meta(4, 9, 6), meta(7, 6)], "").report
    assert (report.batch, report.inputs) == (4, ((9, 6), (7, 6)))
    assert report.input_bytes == 4 * (4 * 9 * 6 + 7 * 6)
    assert report.mult_adds == 4 * 9 * 6 * 7


class Spare(nn.Module):
    """Layers that are never called, called twice, or whose weights another operator reads."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.twice, self.never = nn.Conv2d(3, 4, 1), nn.PReLU(), nn.Linear(7, 9)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.up = nn.ConvTranspose2d(4, 5, 3, 2)
        self.rows = nn.LSTM(4, 6, batch_first=True)
        self.places = nn.Parameter(torch.zeros(64, 4))

    def forward(self, x: Tensor) -> Tensor:
        y = self.twice(self.twice(self.conv(x)))
        tokens = y.flatten(2).mT + self.places
        tokens = self.attention(tokens, tokens, tokens)[0]
        out: Tensor = self.up(y).sum() + self.rows(tokens)[0].sum()
        return out


ATTENTIVE: dict[str, Callable[[], nn.Module]] = {
    "spare layers": Spare,
    "batch-independent work": Biased,
    "transformer": lambda: nn.TransformerEncoder(
        nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), 2
    ),
}


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", ATTENTIVE)
def test_torchinfos_figures_are_predicted_to_the_unit(name: str, batch: int) -> None:
    module = ATTENTIVE[name]().to("meta").eval()
    side = {"spare layers": 8, "batch-independent work": 9}.get(name)
    x = meta(batch, 3, side, side) if side else meta(batch, 5, 16)
    report = trace(module, [x], name).report
    with torch.no_grad():
        told = torchinfo.summary(module, input_data=x, device="meta", mode="eval", verbose=0)
    assert report.forward_backward_bytes == told.total_output_bytes
    assert report.total(COUNTERS["torchinfo"].convention) == told.total_mult_adds
    assert report.mult_adds == torch_mult_adds(module, x)


@pytest.mark.parametrize("name", ["vit_b_32", "swin_t", "regnet_y_400mf"])
def test_torchinfos_forward_backward_size_is_ours_on_real_models(name: str) -> None:
    subject = resolve_one(f"torchvision:{name}@batch=2,size=64")
    found = verify(COUNTERS["torchinfo"], subject.workbench(), subject.report)
    assert found.agrees, found.mismatches


def test_a_class_token_that_enters_a_module_does_not_stop_flop_counter_mode() -> None:
    subject = resolve_one("timm:pit_ti_224")
    found = verify(COUNTERS["torch"], subject.workbench(), subject.report)
    assert found.agrees, found
    assert all(p.requires_grad for p in subject.workbench().meta_module.parameters())


@pytest.mark.parametrize("counter", ["torchinfo", "fvcore", "torch", "ptflops-aten", "thop"])
def test_counters_are_predicted_at_any_batch(counter: str) -> None:
    subject = resolve_one("torchvision:mobilenet_v3_small@batch=3,size=64")
    found = verify(COUNTERS[counter], subject.workbench(), subject.report)
    assert found.agrees, found.mismatches


def test_names_of_first_arguments_are_those_of_torch() -> None:
    """``bound`` takes what is called ``input`` for the tensor that a function reads."""
    for function in FUNCTIONS:
        try:
            first = next(iter(inspect.signature(function).parameters))
        except ValueError:  # built in
            continue
        assert first in ("input", "query", "args"), function


def test_attention_counts_its_own_lengths_and_widths() -> None:
    """Five queries of 4 features over seven keys, whose values have 3: no fused kernel of the CPU
    takes other widths than the queries', so its formula is asked."""
    heads, queries, keys = 2, 5, 7
    q, k, v = (torch.zeros(1, heads, *of) for of in ((queries, 4), (keys, 4), (keys, 3)))
    out = F.scaled_dot_product_attention(q, k, v)
    products = heads * queries * keys * 4 + heads * queries * keys * 3
    assert attention((q, k, v), out).terms.mult_adds == products


@pytest.mark.parametrize(("groups", "kind"), [(1, "conv"), (2, "conv"), (4, "depthwise")])
def test_a_convolution_is_depthwise_where_each_channel_is_a_group(groups: int, kind: str) -> None:
    report = mbcost.count(nn.Conv2d(4, 8, 3, groups=groups), input=(1, 4, 5, 5))
    assert [layer.kind for layer in report.layers] == [kind]
