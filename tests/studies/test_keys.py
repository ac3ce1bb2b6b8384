"""The keys of files and options: each explained once, and as other tools call them."""

from __future__ import annotations

import json

import pytest

from mbcost.studies import listing
from mbcost.studies.keys import ALIASES, canonical, groups, meaning
from tests.conftest import Cli


def test_every_key_of_a_group_has_a_meaning_and_an_unknown_one_has_none() -> None:
    for group in groups().values():
        assert all(unit and means for _, unit, means in group.lines())
    with pytest.raises(KeyError, match="has no line"):
        meaning("nonsense")


def test_columns_are_listed_with_unit_meaning_and_the_commands_that_know_them(cli: Cli) -> None:
    rows = json.loads(cli("list", "columns", "--format", "json").stdout)
    by_key: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_key.setdefault(row["key"], []).append(row)
    assert set(by_key) == {key for group in groups().values() for key in group.keys}
    (params, of_layers, of_branches) = by_key["params"]
    assert params["commands"] == "compare, model, sweep, search, train"
    assert (of_layers["commands"], of_layers["unit"]) == ("model, explain", "count")
    assert (of_branches["commands"], of_branches["unit"]) == ("model --tree", "count")
    assert [row["commands"] for row in by_key["flops"]] == ["compare, model"]


def test_the_lists_of_kinds_are_the_whole_list(cli: Cli) -> None:
    kinds = [listing.list_table(what).rows for what in ("networks", "blocks", "spaces", "devices")]
    names = [row["name"] for rows in kinds for row in rows]
    whole = [row["name"] for row in listing.list_table().rows]
    assert sorted(names) == sorted(whole)
    assert {row["kind"] for row in kinds[1]} == {"block"}
    assert {row["kind"] for row in kinds[2]} == {"space"}
    assert {row["kind"] for row in kinds[3]} == {"device"}
    assert "v2" in {row["name"] for row in kinds[0]}
    result = cli("list", "spacs")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "mbcost: list: nothing is listed as 'spacs' (did you mean 'spaces'?)\n"
    )


def test_counters_are_listed_with_what_they_count(cli: Cli) -> None:
    rows = json.loads(cli("list", "counters", "--format", "json").stdout)
    assert [row["name"] for row in rows][:3] == ["torchinfo", "fvcore", "torch"]
    assert rows[2]["counts"] == "two per multiply-add of a convolution or linear weight"
    assert rows[0]["installed"] is True


@pytest.mark.parametrize("word", ["macs", "MACs", "gmacs", "GMACs", "madds"])
def test_macs_are_mult_adds_and_that_is_said(cli: Cli, word: str) -> None:
    result = cli("compare", "v2", "--fast", "--columns", f"name,{word}", "--format", "csv")
    assert result.stdout == "name,mult_adds\nv2,300774272\n"
    assert result.stderr.startswith(f"mbcost: {word} is mult_adds here: multiply-adds")
    result = cli("compare", "v1", "v2", "--fast", "--sort", f"-{word}", "--columns", "name")
    assert [line.strip() for line in result.stdout.splitlines()[3:5]] == ["v1", "v2"]
    assert f"mbcost: {word} is mult_adds here" in result.stderr


def test_flops_are_two_per_mult_add_and_have_a_column_of_their_own(cli: Cli) -> None:
    """As torch's FlopCounterMode counts, which runs here."""
    args = ("compare", "v2", "v3-small", "--counter", "torch")
    csv = cli(*args, "--columns", "flops,torch_flops,mult_adds", "--format", "csv").stdout
    rows = [list(map(int, line.split(","))) for line in csv.splitlines()[1:]]
    assert [row[0] for row in rows] == [row[1] for row in rows] == [2 * row[2] for row in rows]
    assert rows[0][0] == 601_548_544
    shown = cli("compare", "v2", "--fast", "--columns", "flops,mult_adds").stdout
    assert "flops  mult-adds" in shown


@pytest.mark.parametrize(
    "args",
    [
        ("model", "v2", "--fast"),
        ("model", "v2", "--fast", "--by", "kind"),
        ("model", "v2", "--fast", "--convention", "torch"),
        ("sweep", "v2", "--alpha", "0.5,1", "--verify", "0"),
        ("search", "v1", "--max-params", "2M", "--verify", "0"),
    ],
)
def test_flops_can_be_asked_for_wherever_there_are_mult_adds(
    cli: Cli, args: tuple[str, ...]
) -> None:
    csv = cli(*args, "--columns", "mult_adds,flops", "--format", "csv").stdout
    assert csv.startswith("mult_adds,flops")
    for line in csv.splitlines()[1:]:
        mult_adds, flops, *_ = line.split(",")
        assert int(flops) == 2 * float(mult_adds)


def test_a_key_is_itself_and_an_alias_never_hides_one() -> None:
    known = {key for group in groups().values() for key in group.keys}
    assert not ALIASES.keys() & known
    assert set(ALIASES.values()) <= known
    assert canonical("mult-adds") == ("mult-adds", "")
    assert canonical("-FLOPs") == ("-flops", "")
    assert canonical(" gflops")[0] == "flops"
