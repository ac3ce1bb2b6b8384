"""A device's flash and SRAM as the limits of weights and arena."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import mbcost
from mbcost.errors import CheckFailedError, MbcostError
from mbcost.studies.device.budget import device_limits
from tests.conftest import Cli

SMALL = ("v1@alpha=0.25,size=96", "--fold-bn", "--dtype", "int8")


def checked(cli: Cli, *args: str) -> tuple[int, dict[str, int]]:
    result = cli("check", *args, "--format", "json")
    rows = json.loads(result.stdout)["checks"]
    return result.exit_code, {row["figure"]: row["limit"] for row in rows}


def test_flash_is_the_limit_of_weights_and_sram_of_the_arena() -> None:
    assert device_limits("nucleo-f446re") == {
        "max_weight_bytes": 512 * 1024,
        "max_arena_bytes": 128 * 1024,
    }
    with pytest.raises(MbcostError, match="says neither flash_bytes nor sram_bytes"):
        device_limits("h100-sxm")


def test_a_device_sets_the_limits_of_a_check(cli: Cli) -> None:
    code, limits = checked(cli, *SMALL, "--device", "nucleo-f446re")
    assert code == 0
    assert limits == {"weight bytes int8": 524_288, "arena bytes int8": 131_072}
    result = cli("check", "v2", "--dtype", "int8", "--device", "nucleo-f446re")
    assert result.exit_code == 1
    assert "weight bytes int8, limit 524,288" in result.stderr


def test_a_limit_that_is_given_wins_and_the_words_say_which_are_the_devices(cli: Cli) -> None:
    args = (*SMALL, "--device", "nucleo-f446re", "--max-weight-bytes", "1MB")
    _, limits = checked(cli, *args)
    assert limits == {"weight bytes int8": 1_000_000, "arena bytes int8": 131_072}
    said = cli("check", *args).stdout
    assert "nucleo-f446re: --max-arena-bytes 131,072 is its SRAM. The figures are what is" in said
    assert "needed at least" in said
    assert "its flash" not in said


def test_a_budget_file_wins_over_a_device_too(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "budgets.yaml"
    path.write_text(f"budgets:\n  '{SMALL[0]}': {{max_arena_bytes: 100KB}}\n")
    args = ("--budget", str(path), "--device", "nucleo-f446re", "--dtype", "int8")
    _, limits = checked(cli, *args)
    assert limits == {"weight bytes int8": 524_288, "arena bytes int8": 100_000}
    _, limits = checked(cli, *args, "--max-arena-bytes", "90KB")
    assert limits["arena bytes int8"] == 90_000


def test_only_what_a_device_says_is_a_limit(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    text = cli("show", "nucleo-f446re").stdout
    path.write_text(text.replace("sram_bytes: 128KiB\n", ""), "utf-8")
    assert checked(cli, *SMALL, "--device", str(path)) == (0, {"weight bytes int8": 524_288})


def test_a_search_is_within_the_device(cli: Cli) -> None:
    args: tuple[str, ...] = ("search", "v1", "--device", "stm32f746g-disco", "--dtype", "int8")
    args += ("--fold-bn", "--alpha", "0.25,0.5", "--size", "128:224:32")
    args += ("--objective", "mult_adds")
    result = cli(*args, "--verify", "0")
    assert result.exit_code == 0
    assert "--max-weight-bytes 1,048,576: slack" in result.stdout
    assert "--max-arena-bytes 327,680: slack" in result.stdout
    assert "is its flash" in result.stdout
    document = json.loads(cli(*args, "--verify", "0", "--format", "json").stdout)
    assert {c["key"]: c["limit"] for c in document["constraints"]} == {
        "weight_bytes": 2**20,
        "arena_bytes": 320 * 2**10,
    }


@pytest.mark.parametrize("command", ["check", "search"])
def test_a_device_that_is_not_there_is_one_message(cli: Cli, command: str) -> None:
    result = cli(command, "v2", "--device", "nucleo")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("mbcost: no device is called 'nucleo' (did you mean ")


def test_functions_take_a_device_too() -> None:
    found = mbcost.check(SMALL[0], device="nucleo-f446re", dtype="int8", fold_bn=True)
    assert found.document["passed"] is True
    with pytest.raises(CheckFailedError, match="limit 131,072"):
        mbcost.check("v2@alpha=0.35", device="nucleo-f446re", dtype="int8")
    (best,) = mbcost.search(
        "v1", device="stm32f746g-disco", dtype="int8", alpha=[0.25], size="128:160:32"
    ).records()
    assert best["weight_bytes"] <= 2**20
