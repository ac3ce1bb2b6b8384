"""Labels, names of rows, and captions of the columns that are there."""

from __future__ import annotations

import csv
import io
import json

import pytest

import mbcost
from mbcost.output.table import Column, Said, Table
from tests.conftest import Cli

SENTENCES = {
    "params": "params: weights, biases, batch-norm γ and β.",
    "params_weights": "weights: params of convolutions and linear layers alone.",
    "params_all": "all params: with running means and variances.",
    "mult_adds": "mult-adds: multiply-adds of convolution and linear weights.",
    "flops": "flops: two per mult-add.",
    "total_bytes": "MB of 10⁶ bytes, float32.",
    "fp32_bytes": "Weights: fp32",
    "peak_activation_bytes": "Peak activation: ",
    "arena_bytes": "Arena: ",
}


def caption(text: str) -> str:
    return text.strip().splitlines()[-1]


@pytest.mark.parametrize("key", SENTENCES)
def test_a_caption_is_of_the_columns_that_are_there_and_no_others(cli: Cli, key: str) -> None:
    args = ("compare", "v1", "v2", "--fast", "--format", "md", "--columns")
    said = caption(cli(*args, key).stdout)
    mult_adds = {"flops", "mult_adds"}
    for other, sentence in SENTENCES.items():
        expected = other == key or (key == "flops" and other in mult_adds)
        assert (sentence.lower() in said.replace("\\", "").lower()) is expected, (other, said)


def test_a_counters_sentence_stands_with_its_column_alone(cli: Cli) -> None:
    args = ("compare", "standard", "--size", "8", "--format", "md", "--columns")
    assert "torchinfo: multiply-adds" not in caption(cli(*args, "params,fvcore_flops").stdout)
    assert "fvcore: multiply-adds" in caption(cli(*args, "params,fvcore_flops").stdout)


def test_a_column_left_out_for_room_is_not_spoken_of() -> None:
    columns = (Column("a", "a"), Column("b", "b"))
    said = (Said("of a", ("a",)), Said("of b", ("b",)), Said("always"))
    table = Table(columns, [], (), [], [], caption="first", said=said)
    assert table.words == "first of a of b always"
    assert table._replace(columns=columns[:1]).words == "first of a always"


def test_the_caption_of_a_pivot_names_network_figure_and_axes(cli: Cli) -> None:
    args = ("sweep", "v2", "--alpha", "0.5,1", "--size", "96,128", "--pivot", "alpha,size")
    said = caption(cli(*args, "--verify", "0", "--figure", "params", "--format", "md").stdout)
    assert said.startswith("v2: classes 1000, batch 1: params over α and size. params: weights")
    assert "mult-adds" not in said


@pytest.mark.parametrize(
    "args",
    [
        ("compare", "v1", "v2", "--fast", "--columns", "params,mult_adds"),
        ("memory", "v1", "v2", "--columns", "weight_bytes,arena_bytes"),
    ],
)
def test_rows_keep_their_names_for_people_and_files_are_as_asked(
    cli: Cli, args: tuple[str, ...]
) -> None:
    for name in ("table", "md", "tex"):
        assert "v1" in cli(*args, "--format", name).stdout
    asked = args[-1].split(",")
    assert cli(*args, "--format", "csv").stdout.splitlines()[0] == args[-1]
    assert list(json.loads(cli(*args, "--format", "json").stdout)[0]) == asked
    named = cli(*args[:-1], f"{args[-1]},name", "--format", "md").stdout
    assert named.count("v1") == 1  # a name that was asked for is not doubled


def test_layers_keep_their_paths(cli: Cli) -> None:
    args = ("model", "v2", "--fast", "--columns", "mult_adds,params")
    assert "rows.2.0.expand.conv" in cli(*args).stdout
    assert cli(*args, "--format", "csv").stdout.startswith("mult_adds,params")


def test_a_label_is_read_by_people_and_the_target_by_programs(cli: Cli) -> None:
    args = ("compare", "v1 as MobileNet", 'v2@alpha=0.5 as "MobileNetV2 0.5×"', "--fast")
    shown = cli(*args).stdout
    assert "\nMobileNet " in shown
    assert "\nMobileNetV2 0.5× " in shown
    assert "vs MobileNet\n" not in shown
    assert "v2@alpha" not in shown
    assert "MobileNetV2 0.5$\\times$" in cli(*args, "--format", "tex").stdout
    rows = list(csv.DictReader(io.StringIO(cli(*args, "--format", "csv").stdout)))
    assert [row["target"] for row in rows] == ["v1", "v2@alpha=0.5"]
    (plain,) = mbcost.compare("v2@alpha=0.5").records()
    assert int(rows[1]["mult_adds"]) == plain["mult_adds"]
    ratio = cli(*args, "--reference", "MobileNetV2 0.5×", "--format", "md").stdout
    assert "params vs MobileNetV2 0.5×" in ratio
    assert "\nArmed " in "\n" + cli("memory", "v2 as Armed").stdout


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (("v2 as ",), "v2 as : has no name behind `as` (like 'v2 as MobileNetV2')"),
        (("v2 as A", "v2 as B"), "v2: is called 'A' and 'B' (one label for one target)"),
    ],
)
def test_a_label_that_names_nothing_or_twice_is_refused(
    cli: Cli, targets: tuple[str, ...], message: str
) -> None:
    result = cli("compare", *targets, "--fast")
    assert (result.exit_code, result.stderr) == (2, f"mbcost: {message}\n")
