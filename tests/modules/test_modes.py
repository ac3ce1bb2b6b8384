"""Whatever mode a model runs in, its rows are the same; models of every kind, built and run."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import mbcost
from mbcost.modules.trace import trace
from mbcost.modules.trace.quick import QUICK, quick_output
from mbcost.targets.resolve import resolve_one
from tests.modules.test_trace import CASES
from tests.modules.test_untouched import IMAGE, MODELS
from tests.proofs.models import Inferring, rows

HAND_MADE = {
    **{name: (module, inputs) for name, (module, inputs, _) in CASES.items()},
    **{name: (build(), (torch.zeros(IMAGE),)) for name, (build, _) in MODELS.items()},
}
del HAND_MADE["WritesData"]  # torch itself refuses to set .data in inference mode


@pytest.mark.parametrize("name", HAND_MADE)
def test_no_grad_and_inference_mode_change_no_row_and_no_operator(name: str) -> None:
    module, inputs = HAND_MADE[name]
    plain = trace(module, inputs)
    with torch.no_grad():
        ways = [trace(module, inputs)]
    with torch.inference_mode():
        ways.append(trace(module, inputs))
        ways.append(trace(module, [torch.zeros(x.shape, dtype=x.dtype) for x in inputs]))
    ways.append(trace(Inferring(module), inputs))
    assert plain.report.mult_adds > 0
    for other in ways:
        assert rows(other.report) == rows(plain.report)
        assert other.coverage == plain.coverage


class Windows(nn.Module):
    """A linear layer on windows of a map, as in twins' attention: no view of two dimensions."""

    def __init__(self, bias: bool) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 5, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        y: Tensor = self.layer(x.reshape(n, c, h // 2, 2, w // 4, 4).permute(0, 2, 4, 3, 5, 1))
        return y


@pytest.mark.parametrize("bias", [False, True])
def test_a_linear_layer_is_one_also_where_torch_runs_it_in_batches(bias: bool) -> None:
    """Where no gradient can be asked for, torch expands its weight: bmm, and then an addition."""
    module, inputs = Windows(bias), [torch.zeros(2, 6, 8, 8)]
    plain, inside = trace(module, inputs), trace(Inferring(module), inputs)
    assert (set(plain.coverage.counted), set(inside.coverage.counted)) == ({"mm"}, {"bmm"})
    assert [row.kind for row in inside.report.layers] == ["linear"]
    assert rows(inside.report) == rows(plain.report)
    assert inside.report.terms.bias_adds == (2 * 64 * 5 if bias else 0)


def test_a_model_made_in_inference_mode_is_counted() -> None:
    with torch.inference_mode():
        module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Flatten())
        x = torch.zeros(IMAGE)
    assert mbcost.count(module, input=x).mult_adds == 2 * 3 * 4 * 64
    assert mbcost.count(module, input=IMAGE).mult_adds == 2 * 3 * 4 * 64


def test_a_composite_operator_without_a_formula_is_still_listed_in_inference_mode() -> None:
    class Fourier(nn.Module):
        @torch.inference_mode()
        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = torch.fft.rfft(x).real
            return y

    assert trace(Fourier(), [torch.zeros(1, 8)]).coverage.unknown == {"_fft_r2c": 1}


FROM_BUILDERS_THAT_READ_THEIR_TENSORS = [
    *("timm:swinv2_tiny_window8_256", "timm:vit_tiny_r_s16_p8_224", "timm:qwen3_vit_88m"),
    *("timm:swinv2_cr_tiny_ns_224", "timm:vitamin_small_224"),
    *("timm:vit_small_patch16_rope_mixed_224", "timm:deepseek_vit_412m"),
]


@pytest.mark.parametrize("target", FROM_BUILDERS_THAT_READ_THEIR_TENSORS)
def test_a_builder_that_mixes_devices_is_built_and_counted_as_torch_counts_it(target: str) -> None:
    subject = resolve_one(target)
    spec: Any = subject.spec
    module = spec.build({})
    inputs = [torch.zeros(1, *x, device="meta") for x in subject.report.inputs]
    assert 2 * subject.report.mult_adds == flops(module.to("meta").requires_grad_(False), *inputs)
    assert subject.report.coverage is not None
    assert (subject.report.coverage.unknown, subject.report.coverage.real) == ({}, "")


def flops(module: nn.Module, *inputs: Tensor, **named: Tensor) -> int:
    """What torch counts on meta of a module of its own, attention by its products."""
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as mode:
        module(*inputs, **named)
    torch.backends.mha.set_fastpath_enabled(fused)
    return int(mode.get_total_flops())


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: nn.LSTM(8, 6), (5, 2, 8)),
        (lambda: nn.LSTM(8, 6, 2, bidirectional=True, proj_size=3), (5, 2, 8)),
        (lambda: nn.LSTM(8, 6, batch_first=True, bias=False), (5, 2, 8)),
        (lambda: nn.GRU(8, 6, 2, bidirectional=True), (5, 2, 8)),
        (lambda: nn.RNN(8, 6, nonlinearity="relu"), (5, 2, 8)),
        (lambda: nn.LSTM(8, 6), (5, 8)),
        (lambda: nn.LSTMCell(8, 6), (2, 8)),
        (lambda: nn.GRUCell(8, 6), (2, 8)),
    ],
)
def test_recurrent_layers_on_the_cpu_are_counted(make: type[nn.Module], shape: tuple[int]) -> None:
    module = make()
    with torch.device("meta"):
        reference = make().eval()
    x = torch.zeros(shape)
    assert 2 * mbcost.count(module, input=x).mult_adds == flops(reference, x.to("meta"))


def test_a_first_state_made_in_forward_on_the_cpu_is_taken() -> None:
    class Made(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.LSTM(8, 6, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            first = torch.zeros(1, x.shape[0], 6), torch.zeros(1, x.shape[0], 6)
            y: Tensor = self.layer(x, first)[0]
            return y

    assert mbcost.count(Made(), input=(2, 5, 8)).mult_adds == 2 * 5 * (24 * 8 + 24 * 6)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("nested", [False, True])
def test_padding_masks_of_an_encoder_on_the_cpu_change_no_figure(
    training: bool, nested: bool
) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=nested).train(training)
    x, padding = torch.zeros(3, 5, 8), torch.zeros(3, 5, dtype=torch.bool)
    padding[0, 3:] = True
    report = mbcost.count(encoder, input={"src": x, "src_key_padding_mask": padding})
    one_layer = 15 * 8 * 24 + 2 * 3 * 2 * 25 * 4 + 15 * 64 + 2 * 15 * 8 * 16
    assert report.mult_adds == 2 * one_layer
    assert encoder.training is training


def test_outputs_by_shape_alone_are_those_of_torch() -> None:
    draw = random.Random(3)
    quick = 0
    for _ in range(400):
        func, args = _random_call(draw)
        try:
            expected = func(*args)
        except (RuntimeError, ValueError, IndexError):
            expected = None
        found = quick_output(func, args)
        if found is NotImplemented:
            continue
        quick += 1
        assert expected is not None, (func, args)
        first, second = (y[0] if isinstance(y, tuple) else y for y in (found, expected))
        assert (first.shape, first.dtype, first.stride()) == (
            second.shape,
            second.dtype,
            second.stride(),
        )
    assert quick > 100


def _random_call(draw: random.Random) -> tuple[Any, list[Any]]:
    """Return an operator and arguments that fit it often, not always."""
    func = draw.choice(sorted(QUICK, key=str))
    n, a, b, c, k = (draw.choice((1, 2, 3)) for _ in range(5))
    other = draw.choice((a, a, a, b))

    def meta(*shape: int) -> Tensor:
        dtype = torch.float16 if draw.random() < 0.05 else torch.float32
        return torch.zeros(shape, dtype=dtype, device="meta")

    if "bmm" in str(func):
        return func, [meta(n, c, a), meta(n, other, b)]
    if "addmm" in str(func):
        return func, [draw.choice((meta(b), meta(1), meta(n, b))), meta(n, a), meta(other, b)]
    if "mm" in str(func):
        return func, [meta(n, a), meta(other, b)]
    if "batch_norm" in str(func):
        of = [meta(other) for _ in range(4)]
        return func, [meta(n, a, 4, 5), *of, draw.random() < 0.1, 0.1, 1e-5]
    groups = draw.choice((1, 1, a))
    weight = meta(b * groups, other // groups or 1, k, draw.choice((1, k)))
    pair = [draw.choice((1, 2)), draw.choice((1, 2))]
    padding = [draw.choice((0, 1))] * draw.choice((1, 2))
    bias = draw.choice((None, meta(b * groups)))
    transposed = draw.random() < 0.1
    return func, [
        *(meta(n, a, 4, 5), weight, bias, pair, padding),
        *([draw.choice((1, 2))], transposed, [0, 0], groups),
    ]
