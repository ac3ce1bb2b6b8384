from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import mbcost
from mbcost.errors import CheckFailedError
from mbcost.modules.counters import COUNTERS, Counted, Counter, Workbench
from mbcost.studies.compare.agreement import Verified, verified_line
from mbcost.studies.compare.comparison import Comparison
from mbcost.targets.resolve import resolve
from tests.conftest import Cli


def miscounting() -> Counter:
    """Return torch's counter as it would be if it overlooked the first layer."""
    right = COUNTERS["torch"]

    def run(bench: Workbench) -> Counted:
        counted = right.run(bench)
        assert counted.total is not None
        first = next(path for path, value in counted.by_layer.items() if value)
        rest = {path: value for path, value in counted.by_layer.items() if path != first}
        return Counted(counted.total - counted.by_layer[first], rest)

    return right._replace(run=run)


def test_a_disagreement_names_the_layer() -> None:
    comparison = Comparison(resolve(["standard"], {"size": 8}), [miscounting()])
    *seen, comparison = comparison.verify()
    assert [before.complete for before in seen] == [False]  # and it does not become another
    assert comparison.records()[0]["verified"] is False
    assert "NOT VERIFIED" in comparison.notes()[0]
    with pytest.raises(CheckFailedError, match=r"standard: torch and the closed form differ: conv"):
        comparison.check()


def test_a_disagreement_exits_with_one_after_the_table(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(COUNTERS, "torch", miscounting())  # a member of the table, as a user adds
    result = cli("compare", "v1", "--size", "32", "--counter", "torch", "--format", "json")
    assert result.exit_code == 1
    assert "rows.0.conv: counted 0, predicted" in result.stderr
    assert json.loads(result.stdout)[0]["verified"] is False


def test_ratios_are_this_over_the_reference() -> None:
    records = mbcost.compare("v1", "v2", "v3-small", reference="v2").records()
    v2 = mbcost.count("v2")
    for record in records:
        assert record["params_ratio"] == record["params"] / v2.params
        assert record["mult_adds_ratio"] == record["mult_adds"] / v2.mult_adds


def test_counters_that_have_not_run_are_null() -> None:
    comparison = Comparison(resolve(["v1"]), list(COUNTERS.values()))
    record = comparison.records()[0]
    assert record["verified"] is None
    assert all(record[counter.key] is None for counter in COUNTERS.values())
    assert not comparison.complete
    assert comparison.notes() == ("verifying: the counters are running …",)
    assert verified_line(Verified()) == "not verified: no counter ran"


def test_titles_state_the_settings_all_targets_share() -> None:
    assert mbcost.compare("v1", "v2", alpha=0.5).title() == ("alpha 0.5, input 3×224×224, batch 1")
    assert mbcost.compare("v1@alpha=0.5", "v2").title() == "input 3×224×224, batch 1"


MEMORY = ("largest_activation_bytes", "peak_activation_bytes", "lower_bound_bytes", "arena_bytes")
TRAINING = ("saved_bytes", "train_peak_bytes")


def test_columns_of_memory_are_those_of_mbcost_memory(cli_json: Any) -> None:
    targets = ("v3-small@batch=2", "resnet50@size=64", "lraspp-v2", "standard")
    columns = ("--columns", ",".join(("target", *MEMORY, *TRAINING)))
    found = cli_json("compare", *targets, "--fast", *columns)
    memory = cli_json("memory", *targets, "--train")
    assert found == [{k: row[k] for k in ("target", *MEMORY, *TRAINING)} for row in memory]
    assert not {*MEMORY, *TRAINING} & cli_json("compare", *targets, "--fast")[0].keys()


def test_columns_of_memory_say_what_they_are(cli: Cli) -> None:
    args = ("compare", "v1", "--fast", "--format", "markdown", "--columns")
    shown = cli(*args, "target,peak_activation_bytes,arena_bytes").stdout
    assert "the image held by its caller, in fp32. Arena: the head that TFLite Micro" in shown
    assert "an interpreter takes at least the arena" in shown
    assert "raining" not in shown
    without = cli(*args, "target,params").stdout
    assert "caller" not in without
    assert "arena" not in without


def test_columns_of_memory_of_a_model_from_elsewhere(
    cli: Cli, cli_json: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m.py").write_text("from torch import nn\n\ndef f():\n    return nn.Conv2d(3, 4, 3)\n")
    columns = ",".join((*MEMORY, *TRAINING))
    [row] = cli_json("compare", "m.py:f", "--fast", "--columns", columns)
    assert row["peak_activation_bytes"] == 4 * (3 * 224 * 224 + 4 * 222 * 222)
    assert {key for key, value in row.items() if value is None} == {*MEMORY[2:], *TRAINING}
