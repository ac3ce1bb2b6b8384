"""Models whose path depends on values: counted on real tensors, beside FlopCounterMode there."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import mbcost
from mbcost import MbcostError
from mbcost.modules.trace import trace
from mbcost.targets.resolve import resolve_one
from tests.conftest import Cli
from tests.networks.test_independent_networks import torchvisions

BECAUSE_OF_DATA = "the path depends on the data"


def flops(module: nn.Module, *inputs: Any) -> int:
    """What torch counts of a real forward of a copy, attention by its products: fused, it has no
    formula for it on the CPU."""
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    module, mode = copy.deepcopy(module).eval(), FlopCounterMode(display=False)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), mode:
        module(*inputs)
    torch.backends.mha.set_fastpath_enabled(fused)
    return int(mode.get_total_flops())


class Gate(nn.Module):
    """Three layers deep or one, as the sum of its input says."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(3 if x.sum() > 0 else 1):
            x = self.fc(x)
        return x


class Experts(nn.Module):
    """Each row goes to the expert that its values choose."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(8, 3)
        self.experts = nn.ModuleList(nn.Linear(8, 4 * (i + 1)) for i in range(3))

    def forward(self, x: Tensor) -> list[Tensor]:
        chosen = self.router(x).argmax(1)
        return [e(x[(chosen == i).nonzero()[:, 0]]) for i, e in enumerate(self.experts)]


class Halting(nn.Module):
    """Repeats a cell as often as one of its own buffers says, then by an item()."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(8, 8)
        self.register_buffer("times", torch.tensor(4))
        self.times: Tensor

    def forward(self, x: Tensor) -> Tensor:
        h = torch.zeros_like(x)
        for _ in range(int(self.times.item())):
            h = self.cell(x, h)
        self.times -= 1
        return h


class Filled(nn.Module):
    """Writes what has no values on the meta device into a tensor made on the CPU, and reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        sums = torch.zeros(2)
        sums[1] = x.sum()
        return self.fc(self.fc(x)) if sums[1].item() > 0 else x


class Padded(nn.Module):
    """Counts the words that are not padding, and leaves out the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(10, 8)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

    def forward(self, tokens: Tensor) -> Tensor:
        longest = int((tokens > 0).sum(1).max())
        y: Tensor = self.layer(self.words(tokens[:, :longest]))
        return y


TOKENS = torch.tensor([[1, 2, 3, 0, 0, 0], [4, 0, 0, 0, 0, 0]])
SIX = torch.randn(6, 8, generator=torch.Generator().manual_seed(1))
MODELS: dict[str, tuple[nn.Module, Tensor, int]] = {
    "gate, open": (Gate(), torch.ones(2, 8), 3 * 2 * 64),
    "gate, closed": (Gate(), -torch.ones(2, 8), 2 * 64),
    "halting": (Halting(), torch.ones(2, 8), 4 * 2 * 2 * 24 * 8),
    "filled": (Filled(), torch.ones(2, 8), 2 * 2 * 64),
    "padded": (Padded(), TOKENS, 2 * (3 * 8 * 24 + 2 * 9 * 8 + 3 * 64 + 2 * 3 * 8 * 16)),
}


@pytest.mark.parametrize("name", MODELS)
def test_what_ran_is_counted_where_the_path_depends_on_values(name: str) -> None:
    module, x, mult_adds = MODELS[name]
    before = copy.deepcopy(module.state_dict())
    found = trace(module.train(), [x], name)
    assert found.report.mult_adds == mult_adds == flops(module, x) // 2
    assert found.coverage.real == BECAUSE_OF_DATA
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())
    assert module.training


def test_experts_are_counted_for_the_rows_that_the_models_own_weights_send_them() -> None:
    seen = set()
    for seed in range(3):
        torch.manual_seed(seed)
        module = Experts()
        report = mbcost.count(module, input=SIX)
        assert 2 * report.mult_adds == flops(module, SIX)
        seen.add(report.mult_adds)
    assert len(seen) > 1  # weights decide


DETECTORS = {
    "fasterrcnn_mobilenet_v3_large_320_fpn": {"weights_backbone": None},
    "ssdlite320_mobilenet_v3_large": {"weights_backbone": None},
}


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_is_counted_as_torch_counts_it(name: str) -> None:
    torch.manual_seed(5)
    module = torchvisions(name, **DETECTORS[name]).eval()
    image = torch.rand(3, 200, 260, generator=torch.Generator().manual_seed(2))
    report = mbcost.count(module, input=[[image]])
    assert 2 * report.mult_adds == flops(module, [image])
    assert report.params == sum(p.numel() for p in module.parameters())


def test_a_detector_by_name_is_verified_by_the_counters_on_the_same_weights(cli: Cli) -> None:
    target = ("compare", "torchvision:ssdlite320_mobilenet_v3_large", "--counter", "torch")
    first = cli(*target, "--counter", "torchinfo", "--format", "json")
    record = json.loads(first.stdout)[0]
    assert first.exit_code == 0, first.stderr
    assert record["mult_adds"] == 583_171_904  # torchvision states 0.583 G
    assert (record["torch_flops"], record["verified"]) == (2 * 583_171_904, True)
    assert f"counted on real tensors: {BECAUSE_OF_DATA}" in first.stderr
    assert json.loads(cli(*target, "--format", "json").stdout)[0]["mult_adds"] == 583_171_904


def test_values_are_the_same_every_time_and_the_random_state_stays() -> None:
    torch.manual_seed(11)
    state = torch.get_rng_state()
    counts = []
    for _ in range(2):
        subject = resolve_one("torchvision:fasterrcnn_mobilenet_v3_large_320_fpn", {"size": "64"})
        counts.append(subject.report.mult_adds)
        bench = subject.workbench()
        module, inputs = bench.module, bench.inputs(1)
        assert 2 * subject.report.mult_adds == flops(module, *inputs)
        assert torch.equal(torch.get_rng_state(), state)
    assert counts[0] == counts[1] > 10**8


def test_shapes_alone_get_the_same_values_every_time() -> None:
    module = Gate()
    assert mbcost.count(module, input=(2, 8)).mult_adds == 3 * 2 * 64
    assert mbcost.count(module, input=(2, 8)).mult_adds == 3 * 2 * 64


def test_a_model_on_meta_whose_path_depends_on_values_is_refused() -> None:
    with pytest.raises(MbcostError, match="on the meta device, which has none"):
        mbcost.count(Gate().to("meta"), input=(2, 8))


def test_a_wrong_shape_is_said_before_anything_is_computed() -> None:
    class Large(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Tensor:
            assert x.is_meta, "it ran on the CPU"
            y: Tensor = self.fc(x)
            return y

    with pytest.raises(MbcostError, match="fc: its forward fails on an input of 2x7"):
        mbcost.count(Large(), input=(2, 7))


def test_an_error_on_real_tensors_names_its_module() -> None:
    class Fails(Gate):
        def forward(self, x: Tensor) -> Tensor:
            if x.sum() > 0:
                raise ValueError("on purpose")
            return x

    with pytest.raises(MbcostError, match=r"inner: its forward fails .* ValueError: on purpose"):
        trace(nn.ModuleDict({"inner": Fails()})["inner"], [torch.ones(2, 8)], "inner")


def test_an_operator_that_has_no_shapes_alone_is_named() -> None:
    class Unique(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.linear(torch.unique(x)[:, None], x[:1, :1])

    found = trace(Unique(), [torch.tensor([[1.0, 2.0, 2.0]])], "it")
    assert found.report.mult_adds == 2
    assert "aten::_unique2" in found.coverage.real or found.coverage.real == BECAUSE_OF_DATA


NETS = """
import torch
from torch import nn


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, x):
        return self.fc(x) if self.fc(x).sum() > -1e9 else x


class Masked(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 1), nn.Linear(10, 5)

    def forward(self, x, scale=2.0, *, mask):
        return self.conv(x) * scale, self.fc(mask.float())


class Batch(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 1), nn.Linear(10, 5)

    def forward(self, batch):
        return {"image": self.conv(batch["image"]), "words": self.fc(batch["words"])}
"""


@pytest.fixture
def nets(tmp_path: Path) -> str:
    path = tmp_path / "nets.py"
    path.write_text(NETS, "utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("factory", "given"),
    [
        ("Masked", ("--input", "x=1x3x8x8,mask=1x10:bool")),
        ("Masked", ("--input", "1x3x8x8", "--input", "mask=1x10:bool")),
        ("Masked@input=mask=1x10:bool+x=1x3x8x8", ()),
        ("Batch", ("--input", "image=1x3x8x8,words=1x10")),
    ],
)
def test_inputs_by_name_reach_the_model_and_the_counters(
    cli: Cli, nets: str, factory: str, given: tuple[str, ...]
) -> None:
    counters = ("--counter", "torch", "--counter", "torchinfo", "--counter", "fvcore")
    result = cli("compare", f"{nets}:{factory}", *given, *counters, "--format", "json")
    assert result.exit_code == 0, result.stderr
    record = json.loads(result.stdout)[0]
    assert (record["mult_adds"], record["verified"]) == (3 * 4 * 64 + 50, True)
    assert record["torch_flops"] == 2 * (3 * 4 * 64 + 50)
    assert None not in (record["torchinfo_mult_adds"], record["fvcore_flops"])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("x=1x3x8x8,msk=1x10", "inputs x, msk as they are named (it takes x, scale, mask)"),
        ("x=1x3x8x8,x=1x10", "the input 'x' is given twice"),
        ("x=1x3x8x8,1x10", "an input without a name stands after one with a name"),
        ("a b=1x3", "'a b=1x3' is not an input"),
        ("=1x3", "'=1x3' is not an input"),
        ("x=", "'x=' is not an input"),
    ],
)
def test_inputs_by_wrong_names_are_one_message(cli: Cli, nets: str, given: str, says: str) -> None:
    result = cli("compare", f"{nets}:Masked", "--input", given, "--fast")
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr


def test_inputs_by_name_in_python(nets: str) -> None:
    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(10, 5)

        def forward(self, x: Tensor, mask: Tensor | None = None, *, twice: bool = False) -> Tensor:
            y: Tensor = self.fc(x)
            return y if mask is None else self.fc(x) + y * mask

    x, mask = torch.ones(2, 10), torch.ones(2, 1)
    assert mbcost.count(Masked(), input={"x": x}).mult_adds == 100
    assert mbcost.count(Masked(), input={"x": (2, 10), "mask": mask}).mult_adds == 200
    assert mbcost.count(Masked(), input="x=2x10,mask=2x1").mult_adds == 200
    assert mbcost.count(Masked(), input=[x, None]).mult_adds == 100
    by_name = {"x": (1, 3, 8, 8), "mask": "1x10:bool"}
    assert mbcost.count(f"{nets}:Masked", input=by_name).mult_adds == 3 * 4 * 64 + 50
    with pytest.raises(MbcostError, match="it takes x, mask, twice"):
        mbcost.count(Masked(), input={"image": x})
    with pytest.raises(MbcostError, match="set is not an input"):
        mbcost.count(Masked(), input={1, 2})


def test_video_models_are_counted_on_a_clip_at_the_figure_torchvision_states() -> None:
    from torchvision import models

    names = models.list_models(module=models.video)
    assert len(names) >= 8
    for name in names:
        meta = next(iter(models.get_model_weights(name))).meta
        report = mbcost.count(f"torchvision:{name}")
        assert len(report.x) == 4
        assert round(report.mult_adds / 1e9, 3) == meta["_ops"], name
        assert report.params == meta["num_params"], name
