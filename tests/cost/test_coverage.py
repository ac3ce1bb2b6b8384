"""What is not counted is said wherever a figure is shown, and fails a check."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import mbcost
from mbcost import UncountedWarning
from tests.conftest import Cli

NETS = """
import torch
from torch import nn
from torch.nn import functional as F


class Fourier(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.fc = nn.Linear(8, width)

    def forward(self, x):
        return self.fc(torch.fft.rfft(x).real.sum(-1, keepdim=True) + x)


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, x):
        return self.fc(x)


class Sampled(nn.Module):
    def forward(self, x):
        y = F.grid_sample(x, torch.zeros(1, 4, 4, 2, device=x.device), align_corners=False)
        return (y * x[:, :, :4, :4]).sum(1)


class Up(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.ConvTranspose2d(3, 4, 3, 2)

    def forward(self, x):
        return self.up(x)
"""
UNKNOWN = "operators without a formula, whose cost is missing from the totals: _fft_r2c"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(NETS, "utf-8")
    return tmp_path


FOURIER = "nets.py:Fourier@input=2x8"
SAYS = {
    "compare": ("compare", FOURIER, "--fast"),
    "compare with counters": ("compare", "v1", FOURIER, "--counter", "torch"),
    "model": ("model", FOURIER, "--fast"),
    "explain": ("explain", FOURIER),
    "reconcile": ("reconcile", FOURIER, "--counter", "torch"),
    "check": ("check", FOURIER, "--max-params", "1M", "--allow-uncounted"),
    "baseline": ("baseline", FOURIER, "--allow-uncounted"),
    "plot layers": ("plot", "layers", FOURIER, "-o", "layers.svg"),
    "plot share": ("plot", "share", FOURIER, "-o", "share.svg"),
}


@pytest.mark.parametrize("command", SAYS)
def test_every_command_names_what_is_not_counted(command: str, here: Path, cli: Cli) -> None:
    result = cli(*SAYS[command])
    assert result.exit_code == 0, result.stderr
    assert f"mbcost: {FOURIER}: {UNKNOWN}" in result.stderr
    assert "--strict" not in result.stderr


@pytest.mark.parametrize("command", [name for name in SAYS if not name.startswith("plot")])
def test_every_file_names_it_too(command: str, here: Path, cli: Cli) -> None:
    assert cli(*SAYS[command], "-o", "out.md", "-o", "out.json").exit_code == 0
    if command != "baseline":  # a table of it is no report
        assert UNKNOWN in (here / "out.md").read_text("utf-8").replace("\\_", "_")
    if command not in ("explain", "reconcile"):
        assert "_fft_r2c" in (here / "out.json").read_text("utf-8")


@pytest.mark.parametrize("command", ["check", "baseline"])
def test_check_and_baseline_fail_on_it_unless_it_is_allowed(
    command: str, here: Path, cli: Cli
) -> None:
    args = [word for word in SAYS[command] if word != "--allow-uncounted"]
    result = cli(*args, "-o", "out.json")
    assert result.exit_code == 1
    assert f"mbcost: {FOURIER}: {UNKNOWN}" in result.stderr
    assert "--allow-uncounted accepts" in result.stderr
    assert "--strict" not in result.stderr
    assert (here / "out.json").exists() == (command == "check")


def test_a_failed_check_says_so_in_its_table_and_json(here: Path, cli: Cli) -> None:
    args = ("check", FOURIER, "v2", "--max-params", "4M")
    found = json.loads(cli(*args, "--format", "json").stdout)
    assert found["passed"] is False
    assert found["uncounted"] == {FOURIER: {"_fft_r2c": 1}}
    assert [(c["figure"], c["value"], c["passed"]) for c in found["checks"]] == [
        ("params", 72, True),
        ("operators without a formula", 1, False),
        ("params", 3_504_872, True),
    ]
    assert "### 1 of 3 checks failed" in cli(*args, "--format", "markdown").stdout
    both = cli("check", FOURIER, "--max-params", "71")
    assert "over budget: " in both.stderr
    assert UNKNOWN in both.stderr


def test_strict_is_named_where_it_is_an_option(here: Path, cli: Cli) -> None:
    result = cli("compare", FOURIER, "--fast", "--strict")
    assert result.exit_code == 1
    assert "leave out --strict" in result.stderr


def test_a_baseline_carries_it_and_diff_reads_it(here: Path, cli: Cli) -> None:
    assert cli("baseline", FOURIER, "--allow-uncounted", "-o", "old.json").exit_code == 0
    assert cli("baseline", "nets.py:Plain@input=2x8", "-o", "plain.json").exit_code == 0
    assert "uncounted" not in (here / "plain.json").read_text("utf-8")
    shown = cli("diff", "old.json", "nets.py:Fourier@input=2x8,width=9")
    assert shown.exit_code == 0, shown.stderr
    assert f"old.json: {UNKNOWN}" in " ".join(shown.stdout.split())
    assert f"width=9: {UNKNOWN}" in " ".join(shown.stdout.split())


class Fourier(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = torch.fft.rfft(x).real
        return y


def test_count_warns_and_its_report_carries_the_coverage() -> None:
    with pytest.warns(UncountedWarning, match="_fft_r2c") as caught:
        report = mbcost.count(Fourier(), input=(1, 8))
    assert caught[0].filename == __file__
    assert report.uncounted == {"_fft_r2c": 1}
    assert report.coverage is not None
    assert report.coverage.unknown == {"_fft_r2c": 1}
    assert "not counted: _fft_r2c" in report._repr_html_()


@pytest.mark.filterwarnings("error::mbcost.UncountedWarning")
def test_what_is_counted_whole_does_not_warn() -> None:
    report = mbcost.count(nn.Linear(3, 4), input=(1, 3))
    assert report.uncounted == {}
    assert mbcost.count("v2").coverage is None
    mbcost.compare("v1", "torchvision:mobilenet_v2", size=64)


def test_compare_in_python_warns_of_each_target(here: Path) -> None:
    with pytest.warns(UncountedWarning, match="_fft_r2c"):
        records = mbcost.compare(FOURIER, "v1").records()
    assert records[0]["uncounted"] == {"_fft_r2c": 1}
    assert "uncounted" not in records[1]


def test_what_costs_nothing_by_convention_is_listed_once(
    here: Path, cli: Cli, cli_json: Callable[..., Any]
) -> None:
    target = ("model", "nets.py:Sampled", "--input", "1x3x8x8", "--fast")
    listed = {"resampling (grid_sampler_2d)": 1, "elementwise product, reduced": 1}
    assert cli_json(*target)["coverage"]["by_convention"] == listed
    shown = cli(*target)
    assert shown.stdout.count("no mult-adds by convention: resampling (grid_sampler_2d): 1") == 1
    assert "elementwise product, reduced: 1" in shown.stdout
    assert shown.stderr == ""


def test_verified_says_what_is_predicted_and_what_a_counter_sees(here: Path, cli: Cli) -> None:
    shown = cli("compare", "torchvision:vit_b_32", "--size", "64", "--counter", "torchinfo").stdout
    assert "verified: torchinfo counts as its convention predicts from the trace" in shown
    assert "torchinfo sees" in shown
    assert "%: attention is not a module it counts" in shown
    plain = cli("compare", "torchvision:resnet18", "--size", "64").stdout
    assert "torchinfo and fvcore, each as its convention predicts" in plain
    assert "sees" not in plain


def test_a_transposed_convolution_is_the_counters_mistake_and_in_words(
    here: Path, cli: Cli
) -> None:
    result = cli("compare", "nets.py:Up", "--input", "1x3x8x8", "--format", "table")
    assert result.exit_code == 0
    assert "NOT VERIFIED" not in result.stdout
    assert "a transposed convolution is taken to run over its output" in result.stdout
    assert result.stderr == ""


def test_where_a_counter_differs_flop_counter_mode_says_whether_the_figure_stands(
    here: Path, cli: Cli, cli_json: Callable[..., Any]
) -> None:
    target = ("compare", "timm:test_vit", "--counter", "ptflops-pytorch")
    result = cli(*target)
    assert "NOT VERIFIED" not in result.stdout
    assert (
        "ptflops-pytorch differs from its convention; FlopCounterMode equals the trace"
        in result.stdout
    )
    assert "the figure stands" in " ".join(result.stdout.split())
    assert "so its figure stands" in result.stderr
    assert cli_json(*target)[0]["verified"] is False
    assert cli(*target, "--strict").exit_code == 1
