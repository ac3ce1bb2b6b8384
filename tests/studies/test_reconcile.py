"""``mbcost reconcile`` and restated conventions: every counter really runs, residue 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mbcost.cost import CONVENTIONS
from mbcost.modules.counters import COUNTERS, verify
from mbcost.studies.reconcile import PARTS, parts, reconciliation
from mbcost.targets.resolve import resolve_one
from tests.conftest import Cli

MODELS = (
    "torchvision:mobilenet_v3_large",
    "torchvision:mobilenet_v3_small",
    "torchvision:resnet18",
    "torchvision:squeezenet1_1",
    "torchvision:shufflenet_v2_x1_0",
    "torchvision:efficientnet_b0",
    "v1",
)
"""MobileNetV2 stands below, at its own size."""
KEYS = ["part", "papers", *(name for name in CONVENTIONS if name in COUNTERS)]


@pytest.mark.parametrize("target", MODELS)
def test_no_residue_is_left_of_any_counter(target: str) -> None:
    *_, found = reconciliation(resolve_one(f"{target}@size=96"), list(COUNTERS.values())).verify()
    residue = found.rows()[-1]
    assert {name: residue[name] for name in KEYS[1:]} == dict.fromkeys(KEYS[1:], 0)
    assert found.causes() == {}


def test_mobilenet_v2_has_the_eight_totals_of_the_internet(cli_json: Callable[..., Any]) -> None:
    document = cli_json("reconcile", "torchvision:mobilenet_v2")
    counted = next(row for row in document["rows"] if row["part"] == "counted")
    eight = {
        "part": "counted",
        "papers": 300_774_272,
        "torch": 601_548_544,
        "torchinfo": 300_809_384,
        "fvcore": 314_193_216,
        "ptflops-aten": 300_775_272,
        "ptflops-pytorch": 320_300_008,
        "thop": 327_486_720,
        "torchprofile": 307_453_664,
    }
    assert eight.items() <= counted.items()  # any further counter stands beside them
    assert set(document["residues"].values()) == {0}


def test_a_residue_is_named_with_the_layers_that_cause_it() -> None:
    *_, found = reconciliation(resolve_one("v2@size=32"), [COUNTERS["thop"]]).verify()
    bench, report = found.subject.workbench(), found.subject.report
    blind = COUNTERS["thop"]._replace(
        convention=CONVENTIONS["torch"]
    )  # thop's figures under torch's convention
    verification = verify(blind, bench, report)
    first = next(row for row in report.layers if row.mult_adds)
    assert verification.mismatches[0].where == first.path
    assert verification.mismatches[0].predicted == 2 * verification.mismatches[0].counted


@pytest.mark.parametrize("name", CONVENTIONS)
def test_the_parts_of_a_convention_sum_to_its_total(name: str) -> None:
    report = resolve_one("torchvision:efficientnet_b0@size=64,batch=3").report
    assert sum(parts(report, CONVENTIONS[name]).values()) == report.total(CONVENTIONS[name])


def test_every_weighted_term_has_one_part_and_every_counter_a_text() -> None:
    weighted = {
        term
        for convention in CONVENTIONS.values()
        for term, weight in convention.weights._asdict().items()
        if weight
    }
    assert {term for terms in PARTS.values() for term in terms} == weighted
    spoken = {name for name, convention in CONVENTIONS.items() if not convention.closed_form_only}
    assert spoken == {"papers", *COUNTERS}
    assert all(convention.how_to_read for convention in CONVENTIONS.values())


@pytest.mark.parametrize("name", COUNTERS)
def test_a_restated_total_is_what_the_counter_says(cli_json: Callable[..., Any], name: str) -> None:
    target = ("compare", "torchvision:shufflenet_v2_x1_0", "--size", "64")
    record = cli_json(*target, "--convention", name, "--counter", name)[0]
    figure = "flops" if record["unit"] == "flop" else "mult_adds"
    assert record[figure] == record[COUNTERS[name].key]
    assert (record["convention"], record["verified"]) == (name, True)
    assert (record["unit"] == "flop") == (name == "torch")


def test_flops_are_twice_the_mult_adds_and_say_so(cli: Cli, cli_json: Callable[..., Any]) -> None:
    record = cli_json("model", "v2", "--unit", "flop", "--fast")
    assert record["flops"] == sum(row["flops"] for row in record["layers"]) == 601_548_544
    assert (record["convention"], record["unit"]) == ("papers", "flop")
    table = cli("compare", "v2", "--unit", "flop", "--convention", "thop", "--fast")
    assert "flops as thop" in table.stdout
    assert cli("compare", "v2", "--unit", "flop", "--convention", "torch").exit_code == 2
    assert cli("compare", "v2", "--convention", "top", "--fast").exit_code == 2


def test_a_convention_that_no_counter_speaks_is_taken_apart(cli_json: Callable[..., Any]) -> None:
    name = "tensorflow-profile"
    document = cli_json("reconcile", "raspp-v2", "--size", "1025x2049", "--convention", name)
    rows = {row["part"]: row for row in document["rows"]}
    assert set(rows["predicted"]) == {"part", "papers", name}
    *parts_of_it, predicted, counted, residue = document["rows"]
    assert sum(row[name] for row in parts_of_it) == predicted[name] == 42_550_862_563
    assert rows["core conv"][name] == 40_322_302_912 + 2_153_915_712  # as TensorFlow says
    assert (counted[name], residue[name]) == (None, None)
    assert set(document["versions"]) == {"mbcost"}


def test_a_convention_with_a_counter_runs_that_one_alone(cli: Cli) -> None:
    result = cli("reconcile", "v1", "--size", "32", "--convention", "thop", "--format", "csv")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[0] == "part,papers,thop"
    assert result.stdout.splitlines()[-1] == "residue,0,0"


@pytest.mark.parametrize("command", ["reconcile", "compare", "model"])
@pytest.mark.parametrize(
    ("target", "convention", "problem"),
    [
        ("torchvision:resnet18", "tensorflow-profile", "operations that a trace does not see"),
        ("v2@batch=4", "tensorflow-exporter", "of a graph of one image, not of 4"),
        ("faster-rcnn-v1", "tensorflow-profile", "counts each weight once, and layers here run"),
        ("v2", "tensorflow", "unknown convention 'tensorflow' (did you mean 'tensorflow-"),
    ],
)
def test_what_cannot_be_stated_so_is_refused(
    cli: Cli, command: str, target: str, convention: str, problem: str
) -> None:
    result = cli(command, target, "--convention", convention)
    assert (result.exit_code, result.stdout) == (2, "")
    assert problem in result.stderr


def test_an_odd_number_of_flops_is_half_a_mult_add_more(cli_json: Callable[..., Any]) -> None:
    target = ("deeplabv3-v2-no-aspp", "--size", "513", "--fast")
    record = cli_json("model", *target, "--convention", "tensorflow-profile")
    assert (record["flops"], record["mult_adds"]) == (5_503_751_143, 2_751_875_571.5)
    assert sum(row["flops"] for row in record["layers"]) == record["flops"]
    assert sum(row["mult_adds"] for row in record["layers"]) == record["mult_adds"]
    assert sum(record["flops_by_kind"].values()) == record["flops"]
    assert sum(record["mult_adds_by_kind"].values()) == record["mult_adds"]


@pytest.mark.parametrize("format_name", ["table", "markdown", "csv", "latex", "json"])
def test_reconcile_has_every_format(cli: Cli, format_name: str) -> None:
    result = cli("reconcile", "v1", "--size", "32", "--counter", "thop", "--format", format_name)
    assert result.exit_code == 0, result.stderr
    assert "thop" in result.stdout
    assert "core conv" in result.stdout
