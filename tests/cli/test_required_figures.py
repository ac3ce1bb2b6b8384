"""The exact figures mbcost must show, through the command line.

This is the one file where such literals stand; everything else compares two computations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mbcost.units import megabytes

CliJson = Callable[..., Any]
COUNTED = ("--counter", "torchinfo", "--counter", "fvcore")


def figures(records: list[dict[str, Any]], key: str) -> list[Any]:
    return [record[key] for record in records]


def test_blocks_at_batch_three(cli_json: CliJson) -> None:
    records = cli_json("compare", "--in", "64", "--out", "128", "--size", "224", "--batch", "3")
    assert figures(records, "params") == [73_984, 9_152, 26_496]
    assert figures(records, "torchinfo_mult_adds") == [2_774_532_864, 329_958_528, 1_893_042_432]
    assert figures(records, "mult_adds") == [2_774_532_096, 329_957_376, 1_893_040_128]
    forward_backward = figures(records, "forward_backward_bytes")
    assert [megabytes(n) for n in forward_backward] == ["77.07", "115.61", "462.42"]
    assert [megabytes(n) for n in figures(records, "total_bytes")] == ["115.90", "154.18", "501.06"]
    assert figures(records, "output") == [[128, 112, 112]] * 3
    assert figures(records, "verified") == [True] * 3


def test_blocks_with_a_kernel_of_five(cli_json: CliJson, cli: Callable[..., Any]) -> None:
    options = ("--in", "3", "--out", "256", "--size", "12", "--kernel", "5", "--stride", "1")
    records = cli_json("compare", *options, "--padding", "0")
    assert figures(records, "mult_adds")[:2] == [1_228_800, 53_952]
    separable = cli_json("model", "depthwise-separable", *options, "--padding", "0")
    assert [n["mult_adds"] for n in separable["layers"] if n["mult_adds"]] == [4_800, 49_152]
    assert "22.8× fewer" in cli("compare", *options, "--padding", "0", "--fast").stdout


def test_weights_of_the_small_blocks(cli_json: CliJson) -> None:
    records = cli_json("compare", "--in", "3", "--out", "16", "--size", "32")
    assert figures(records, "params_weights")[:2] == [432, 75]
    layers = cli_json("model", "depthwise-separable", "--in", "3", "--out", "16", "--size", "32")
    weights = [n["params"] for n in layers["layers"] if n["kind"] in ("depthwise", "pointwise")]
    assert weights == [27, 48]


def test_v1_at_batch_two(cli_json: CliJson) -> None:
    record = cli_json("model", "v1", "--batch", "2")
    assert record["params"] == 4_231_976
    assert record["torchinfo_mult_adds"] == 1_137_526_480
    sizes = ("input_bytes", "forward_backward_bytes", "param_bytes", "total_bytes")
    assert [megabytes(record[key]) for key in sizes] == ["1.20", "161.38", "16.93", "179.51"]
    assert record["verified"] is True


@pytest.mark.parametrize(
    ("target", "options", "params", "mult_adds"),
    [
        ("v1", ["--alpha", "0.75"], 2_585_560, 325_400_448),
        ("v1", ["--alpha", "0.5"], 1_331_592, 149_497_088),
        ("v1", ["--alpha", "0.25"], 470_072, 41_030_272),
        ("v2", ["--alpha", "0.35"], 1_677_128, 59_285_808),
        ("v2", ["--alpha", "0.5"], 1_968_680, 97_131_840),
        ("v2", ["--alpha", "1.0"], 3_504_872, 300_774_272),
        ("v2", ["--alpha", "1.4"], 6_108_776, 582_195_824),
        ("v2-thin-head", ["--alpha", "0.5"], 1_225_000, 91_474_240),
        ("v2-projection", [], 65_021_240, 388_155_264),
        ("v2-projection", ["--size", "32", "--classes", "10"], 2_313_050, 6_654_336),
        ("v1-cifar10", [], 3_217_226, 11_596_288),
        ("v3-large", ["--reduced-tail"], 2_569_352, 182_302_720),
        ("v3-small", ["--reduced-tail"], 1_099_672, 43_763_584),
        ("v3-large-torchvision", ["--alpha", "0.75"], 3_377_576, 140_033_816),
    ],
)
def test_networks(
    cli_json: CliJson, target: str, options: list[str], params: int, mult_adds: int
) -> None:
    record = cli_json("model", target, *options)
    assert (record["params"], record["mult_adds"]) == (params, mult_adds)
    assert record["verified"] is True


@pytest.mark.parametrize(
    ("target", "params", "mult_adds", "torchinfo", "fvcore"),
    [
        ("v3-large", 5_483_032, 216_589_760, 216_621_520, 226_033_824),
        ("v3-small", 2_542_856, 56_510_400, 56_527_424, 59_649_536),
    ],
)
def test_v3(
    cli_json: CliJson, target: str, params: int, mult_adds: int, torchinfo: int, fvcore: int
) -> None:
    record = cli_json("model", target, *COUNTED)
    assert record["params"] == params
    assert record["mult_adds"] == mult_adds
    assert record["torchinfo_mult_adds"] == torchinfo
    assert record["fvcore_flops"] == fvcore
