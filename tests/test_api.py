"""The Python API: every name is there, takes modules, shows itself, and says what is wrong."""

from __future__ import annotations

import doctest
import html
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import mbcost
from mbcost.units import percent, thousands
from tests import ROOT
from tests.conftest import Cli

FUNCTIONS = [
    name
    for name in mbcost.__all__
    if name.islower() and not name.startswith("_") and callable(getattr(mbcost, name))
]
HOMES = sorted({getattr(mbcost, name).__module__ for name in FUNCTIONS})


def test_dir_shows_the_public_names_and_they_are_there() -> None:
    shown = [name for name in dir(mbcost) if not name.startswith("_")]
    assert shown == sorted(name for name in mbcost.__all__ if not name.startswith("_"))
    assert all(getattr(mbcost, name) is not None for name in shown)
    for command in ("explain", "reconcile", "sweep", "search", "check", "diff", "paper", "plot"):
        assert command in FUNCTIONS


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_an_example(name: str) -> None:
    assert ">>> mbcost" in re.sub(r">>> .*?mbcost\.", ">>> mbcost.", getattr(mbcost, name).__doc__)


@pytest.mark.parametrize("home", HOMES)
def test_examples_run(home: str) -> None:
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    results = doctest.testmod(import_module(home), optionflags=flags)
    assert results.attempted > 1
    assert results.failed == 0


@pytest.fixture(scope="module")
def net() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 1))


SHAPE = (2, 3, 16, 16)
CONV, POINT = 8 * 27 * 14 * 14, 4 * 8 * 14 * 14


def test_a_module_takes_its_input_by_position_as_shape_tensor_or_text(net: nn.Module) -> None:
    found = [mbcost.count(net, given) for given in (SHAPE, torch.zeros(SHAPE), "2x3x16x16")]
    assert {report.mult_adds for report in found} == {2 * (CONV + POINT)}
    assert mbcost.count(net, input=SHAPE).mult_adds == 2 * (CONV + POINT)


def test_every_function_of_targets_takes_a_module(net: nn.Module) -> None:
    report = mbcost.count(net, SHAPE)
    total = mbcost.explain(net, SHAPE).document
    assert (total["params"], total["mult_adds"]) == (report.params, report.mult_adds)
    compared = mbcost.compare("v2", net, input=SHAPE, counters=["torchinfo", "fvcore", "torch"])
    first, second = compared.records()
    assert first["mult_adds"] == mbcost.count("v2").mult_adds
    assert second["mult_adds"] == report.mult_adds
    assert (first["verified"], second["verified"]) == (True, True)
    taken = mbcost.reconcile(net, torch.zeros(SHAPE))
    assert all(row["torch"] == 0 for row in taken.records() if row["part"] == "residue")
    wider = nn.Sequential(*list(net.children())[:3], nn.Conv2d(8, 6, 1))
    (change,) = mbcost.diff(net, wider, SHAPE).records()
    assert (change["path"], change["mult_adds_delta"]) == ("3", 2 * 2 * 8 * 14 * 14)
    drawn = mbcost.plot("share", net, "v2", input=SHAPE).records()
    own = [row for row in drawn if row["target"] == "Sequential"]
    assert sum(row["mult_adds"] for row in own) == report.mult_adds


def test_networks_that_were_loaded_are_targets_too() -> None:
    network = mbcost.load("v2")
    found = mbcost.compare(network, "v1", alpha=0.5).records()
    assert [row["params"] for row in found] == [
        mbcost.count(name, alpha=0.5).params for name in ("v2", "v1")
    ]
    assert mbcost.explain(network).document["params"] == mbcost.count("v2").params


def test_a_module_is_left_as_it_was(net: nn.Module) -> None:
    before = {name: value.clone() for name, value in net.state_dict().items()}
    net.train()
    mbcost.compare(net, input=SHAPE, counters=["torchinfo", "fvcore"])
    mbcost.reconcile(net, SHAPE)
    assert all(part.training for part in net.modules())
    after = net.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not any(part._forward_hooks for part in net.modules())


def test_what_functions_return_is_what_the_command_writes(cli: Cli, tmp_path: Path) -> None:
    pairs = {
        ("explain", "v2", "--alpha", "0.5"): mbcost.explain("v2", alpha=0.5),
        ("diff", "v1", "v2", "--by", "kind"): mbcost.diff("v1", "v2", by="kind"),
        ("check", "v2", "--max-params", "4M"): mbcost.check("v2", max_params="4M"),
        ("paper", "v1", "--table", "6"): mbcost.paper("v1", ["6"]),
        ("sweep", "v2", "--alpha", "0.5,1", "--verify", "0"): mbcost.sweep("v2", alpha=[0.5, 1]),
        ("search", "v1", "--max-mult-adds", "150M", "--verify", "0"): mbcost.search(
            "v1", max_mult_adds=150_000_000
        ),
    }
    for command, answer in pairs.items():
        for suffix in ("csv", "json"):
            theirs, ours = tmp_path / f"theirs.{suffix}", tmp_path / f"ours.{suffix}"
            assert cli(*command, "-o", str(theirs)).exit_code == 0
            answer.write(ours)
            assert ours.read_text("utf-8") == theirs.read_text("utf-8"), command
    figure = mbcost.plot("share", "v1", "v2", by="block")
    figure.write(tmp_path / "c.svg", width=5, height="12cm", font="stixgeneral")
    sized = ("--width", "5in", "--height", "12cm", "--font", "STIXGeneral")
    cli("plot", "share", "v1", "v2", "--by", "block", "-o", str(tmp_path / "d.svg"), *sized)
    assert (tmp_path / "c.svg").read_bytes() == (tmp_path / "d.svg").read_bytes()
    figure.write(tmp_path / "ours.svg")
    assert cli("plot", "share", "v1", "v2", "--by", "block", "-o", str(tmp_path / "a.svg"))
    assert (tmp_path / "ours.svg").read_bytes() == (tmp_path / "a.svg").read_bytes()


def test_whatever_is_returned_prints_in_a_line_and_has_a_frame() -> None:
    report = mbcost.count("v2")
    shown: list[Any] = [
        report,
        mbcost.compare("v1", "v2"),
        mbcost.explain("v2"),
        mbcost.plot("layers", "v2"),
    ]
    for value in shown:
        assert len(repr(value)) < 140
        assert "\n" not in repr(value)
        assert value._repr_html_()
        assert len(value.frame()) > 1
    assert str(report) == repr(report)
    assert thousands(report.params) in str(report)
    assert str(mbcost.explain("standard")).startswith("standard: input")


T = torch.full((1, 3, 16, 16), 0.123456)
WRONG: dict[str, Callable[[], object]] = {
    "a tensor as a target": lambda: mbcost.count(T),  # type: ignore[arg-type]  # what is tried
    "compare": lambda: mbcost.compare(T),  # type: ignore[arg-type]  # as above
    "explain": lambda: mbcost.explain(T),  # type: ignore[arg-type]  # as above
    "diff": lambda: mbcost.diff(T, "v2"),  # type: ignore[arg-type]  # as above
    "check": lambda: mbcost.check(T, max_params=1),  # type: ignore[arg-type]  # as above
    "plot": lambda: mbcost.plot("share", T),  # type: ignore[arg-type]  # as above
    "a figure": lambda: mbcost.plot(T, "v2"),  # type: ignore[arg-type]  # as above
    "sweep": lambda: mbcost.sweep(T),  # type: ignore[arg-type]  # as above
    "search": lambda: mbcost.search(T),  # type: ignore[arg-type]  # as above
    "an input that is not taken": lambda: mbcost.count("v2", T),
    "a tensor as a setting": lambda: mbcost.count("v2", alpha=T),
    "tensors as a setting": lambda: mbcost.count("v2", alpha=[T, T]),
    "a setting of a module": lambda: mbcost.explain(nn.Conv2d(3, 4, 1), alpha=T),
    "a limit": lambda: mbcost.check("v2", max_params=T),
    "a module as the input": lambda: mbcost.count(nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1)),
    "no target": lambda: mbcost.compare(),
    "no target to check": lambda: mbcost.check(),
    "two to draw": lambda: mbcost.plot("layers", "v1", "v2"),
    "an unknown figure": lambda: mbcost.plot("pie", "v2"),
    "a suffix": lambda: mbcost.explain("v2").write("x.docx"),
    "a limit that a sweep has not": lambda: mbcost.sweep("v2", max_total_bytes="1MB"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_argument_is_a_message_without_a_tensor_in_it(case: str) -> None:
    with pytest.raises(mbcost.MbcostError) as caught:
        WRONG[case]()
    assert "0.1234" not in str(caught.value)
    assert "tensor(" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_a_number_of_torch_or_numpy_is_a_number() -> None:
    half = mbcost.count("v2", alpha=torch.tensor(0.5), size=torch.tensor(160))
    assert half.mult_adds == mbcost.count("v2", alpha=0.5, size=160).mult_adds


def test_a_report_in_a_notebook_has_totals_shares_and_blocks_that_fold() -> None:
    report = mbcost.count("v3-small", batch=2)
    shown = report._repr_html_()
    for figure in (report.params, report.mult_adds):
        assert thousands(figure) in shown
    assert shown.count("<details>") == shown.count("</details>") > 10
    assert shown.count("<div") == shown.count("</div>")
    last = report.layers[-1]
    assert f"{thousands(last.params)} ({percent(last.params / report.params)})" in shown
    assert "<script" not in shown


def test_a_name_in_a_notebook_is_text() -> None:
    class Evil(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.add_module("<img src=x onerror=alert(1)>", nn.Conv2d(3, 4, 1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return next(self.children())(x)  # type: ignore[no-any-return]  # modules return anything

    Evil.__name__ = "<script>alert(1)</script>"
    shown = mbcost.count(Evil(), (1, 3, 8, 8))._repr_html_()
    assert "<img" not in shown
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown


def test_a_notebook_that_runs_shows_all_of_it(tmp_path: Path) -> None:
    pytest.importorskip("nbconvert")
    texts = [
        "import mbcost\nmbcost.count('v2')",
        "print(mbcost.count('v2'))",
        "mbcost.compare('v1', 'v2')",
        "mbcost.plot('share', 'v1', 'v2')",
        "mbcost.diff('v2', 'v2@classes=10')",
    ]
    new: dict[str, object] = {"cell_type": "code", "execution_count": None, "metadata": {}}
    new["outputs"] = []
    cells = [{**new, "id": f"cell-{i}", "source": text} for i, text in enumerate(texts)]
    path = tmp_path / "cost.ipynb"
    document = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(document), "utf-8")
    convert = [sys.executable, "-m", "nbconvert", "--to", "html", "--execute", str(path)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(convert, env=env, cwd=tmp_path, check=True, capture_output=True, timeout=300)
    page = (tmp_path / "cost.html").read_text("utf-8")
    assert "<details>" in page
    assert thousands(mbcost.count("v2").mult_adds) in page
    assert html.unescape(page).count(str(mbcost.count("v2"))) == 1
    assert "1.9× fewer" in page
    assert '<use href="#figure-' in page
    assert "rows.10.linear" in page
    assert "Traceback" not in page
