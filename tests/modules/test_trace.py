"""``mbcost.modules.trace``: any module as cost rows, and the module left as it was."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.flop_counter import FlopCounterMode

import mbcost
from mbcost import MbcostError
from mbcost.modules.trace import trace


def image(*shape: int) -> Tensor:
    return torch.zeros(*(shape or (1, 3, 16, 16)), device="meta")


def torch_flops(module: nn.Module, *inputs: Tensor) -> int:
    module = copy.deepcopy(module).to("meta").eval()
    with torch.no_grad(), FlopCounterMode(display=False) as mode:
        module(*(x.to("meta") for x in inputs))
    return int(mode.get_total_flops())


class Functional(nn.Module):
    """A convolution as a function of the module's own weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4, 3, 3, 3))
        self.head = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(F.relu(F.conv2d(x, self.weight, padding=1)))
        return y


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.fc(torch.relu(self.fc(x)))
        return y


class Attention(nn.Module):
    def forward(self, q: Tensor) -> Tensor:
        y: Tensor = F.scaled_dot_product_attention(q, q, q)
        return y


class Products(nn.Module):
    def forward(self, a: Tensor) -> dict[str, Any]:
        return {"bmm": torch.bmm(a, a), "matmul": [a @ a[0]], "none": None}


CASES: dict[str, tuple[nn.Module, tuple[Tensor, ...], int]] = {
    "functional conv": (Functional(), (image(),), 9 * 3 * 4 * 256),
    "shared linear": (Shared(), (image(1, 8),), 2 * 64),
    "transposed conv": (nn.ConvTranspose2d(3, 4, 2, 2), (image(),), 4 * 3 * 4 * 256),
    "dilated conv": (nn.Conv2d(3, 4, 3, dilation=2), (image(),), 9 * 3 * 4 * 144),
    "grouped conv": (nn.Conv2d(4, 8, 3, groups=2), (image(1, 4, 5, 5),), 9 * 2 * 8 * 9),
    "conv 1-D": (nn.Conv1d(3, 4, 5), (image(1, 3, 16),), 5 * 3 * 4 * 12),
    "conv 3-D": (nn.Conv3d(1, 2, 3), (image(1, 1, 5, 5, 5),), 27 * 2 * 27),
    "unbatched conv": (nn.Conv2d(3, 4, 1), (image(3, 16, 16),), 3 * 4 * 256),
    "unbatched linear": (nn.Linear(3, 4), (image(3),), 12),
    "linear on tokens": (nn.Linear(3, 4), (image(1, 7, 3),), 84),
    "linear on a map": (nn.Linear(3, 4), (image(1, 5, 7, 3),), 12 * 35),
    "attention": (Attention(), (image(2, 4, 7, 8),), 2 * 4 * 7 * 7 * 16),
    "multi-head attention": (
        nn.TransformerEncoderLayer(16, 4, 32, batch_first=True),
        (image(1, 7, 16),),
        7 * 16 * 48 + 4 * 49 * 8 + 7 * 16 * 16 + 2 * 7 * 16 * 32,
    ),
    "bmm and matmul, in a dict": (Products(), (image(2, 6, 6),), 2 * 216 * 2),
}


@pytest.mark.parametrize("case", CASES)
def test_mult_adds_and_params_are_the_formulas_and_half_of_torchs_flops(case: str) -> None:
    module, inputs, mult_adds = CASES[case]
    found = trace(module, inputs, case)
    assert found.report.mult_adds == mult_adds
    assert 2 * found.report.mult_adds == torch_flops(module, *inputs)
    assert found.report.params == sum(p.numel() for p in module.parameters())
    assert found.coverage.unknown == {}


def test_a_shared_module_has_its_params_once_and_a_row_per_call() -> None:
    rows = trace(Shared(), [image(1, 8)], "shared").report.layers
    calls = [row for row in rows if row.kind == "linear"]
    assert [(row.path, row.params, row.mult_adds) for row in calls] == [
        ("fc", 72, 64),
        ("fc#2", 0, 64),
    ]


def test_rows_carry_kernel_stride_groups_and_shapes_of_one_image() -> None:
    row = trace(nn.Conv2d(4, 8, 3, 2, groups=4), [image(2, 4, 9, 9)], "").report.layers[0]
    assert (row.kind, row.kernel, row.stride, row.groups) == ("depthwise", (3, 3), (2, 2), 4)
    assert (row.x, row.y) == ((4, 9, 9), (8, 4, 4))


def test_weights_biases_norms_and_other_params_are_told_apart() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.PReLU(4), nn.LayerNorm([4, 16, 16])
    )
    report = trace(net, [image()], "").report
    assert report.params_weights == 12
    assert report.params_all == report.params + 8
    assert report.params == 12 + 4 + 8 + 4 + 2 * 4 * 256


def test_an_unused_module_still_counts_its_params() -> None:
    class Auxiliary(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.aux = nn.Linear(3, 4), nn.Linear(3, 5)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.used(x)
            return y

    report = trace(Auxiliary(), [image(1, 3)], "").report
    assert (report.params, report.mult_adds) == (16 + 20, 12)
    assert [row.path for row in report.layers] == ["used", "aux"]


def test_an_operator_without_a_formula_is_listed_and_fails_a_strict_check() -> None:
    class Fourier(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = torch.fft.rfft(x).real
            return y

    coverage = trace(Fourier(), [image(1, 8)], "").coverage
    assert coverage.unknown == {"_fft_r2c": 1}
    with pytest.raises(mbcost.CheckFailedError, match="_fft_r2c"):
        coverage.check("it")


class Meddler(nn.Module):
    """Does to itself what a forward should not, and can raise afterwards."""

    def __init__(self, fails: bool) -> None:
        super().__init__()
        self.conv, self.bn, self.fails = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), fails
        self.register_buffer("steps", torch.zeros(2))
        self.steps: Tensor
        self.bn.eval()
        self.seen = 0

    def forward(self, x: Tensor) -> Tensor:
        self.steps += 1
        self.running = x
        self.steps = self.steps * 2
        self.conv.register_forward_hook(lambda *_: None)
        y: Tensor = self.bn(self.conv(x))
        if self.fails:
            raise ValueError("on purpose")
        return y


def state(module: nn.Module) -> list[Any]:
    return [
        [(name, part.training, sorted(vars(part))) for name, part in module.named_modules()],
        [(name, id(p), p.device, p._version) for name, p in module.named_parameters()],
        [(name, id(b), b.device, b.tolist()) for name, b in module.named_buffers()],
        [len(part._forward_hooks) + len(part._forward_pre_hooks) for part in module.modules()],
        len(torch.nn.modules.module._global_forward_hooks),
        len(torch.nn.modules.module._global_forward_pre_hooks),
    ]


@pytest.mark.parametrize("fails", [False, True])
def test_the_model_is_left_untouched_also_when_its_forward_raises(fails: bool) -> None:
    module = Meddler(fails)
    before = state(module)
    if fails:
        with pytest.raises(MbcostError, match="ValueError: on purpose"):
            trace(module, [image()], "it")
    else:
        trace(module, [image()], "it")
    assert state(module) == before
    assert module.training
    assert not module.bn.training


def test_an_error_names_the_module_in_which_it_arose() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(5, 6, 1))
    with pytest.raises(MbcostError) as caught:
        trace(net, [image()], "net")
    assert caught.value.place == "net: 1"


def test_count_takes_a_module_with_shapes_or_tensors() -> None:
    net = nn.Conv2d(3, 4, 1)
    assert mbcost.count(net, input=(1, 3, 8, 8)).mult_adds == 768
    assert mbcost.count(net, input=torch.zeros(2, 3, 8, 8)).mult_adds == 2 * 768
    assert mbcost.count(nn.Bilinear(2, 2, 3), input=[(1, 2), (1, 2)]).params == 15
    with pytest.raises(MbcostError, match="alpha"):
        mbcost.count(net, alpha=0.5)
