"""The built-in networks as a whole, and what their rows can say."""

from __future__ import annotations

from keyword import iskeyword
from pathlib import Path

import pytest
import torch

from mbcost.errors import MbcostError
from mbcost.modules import build
from mbcost.networks.blocks import BLOCKS, MERGES
from mbcost.networks.network import Network
from mbcost.networks.yaml import builtin, builtins, load_specs
from tests.conftest import Cli

NETWORKS = [name for name, entry in builtins().items() if entry.kind == "network"]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_builds_and_puts_out_the_shape_it_says(name: str) -> None:
    graph = builtin(name).graph({})
    with torch.no_grad():
        y = build(graph, "meta")(torch.zeros(2, *graph.x, device="meta"))
    assert tuple(y.shape) == (2, *graph.y)


@pytest.mark.parametrize("name", builtins())
def test_every_built_module_can_be_written_out_by_torch_fx(name: str) -> None:
    """Which writes paths as attributes: none may be a keyword of Python."""
    graph = builtin(name).graph({})
    assert not [node.path for node in graph.nodes for p in node.path.split(".") if iskeyword(p)]
    if name in ("shufflenet-v2", "inverted-residual"):
        module = build(graph, "meta")
        x = torch.zeros(1, *graph.x, device="meta")
        assert torch.fx.symbolic_trace(module)(x).shape == module(x).shape


@pytest.mark.parametrize("row", ["{block: conv, t: 0.5}", "{block: conv, t: 0.99, k: 1}"])
def test_a_row_that_leaves_no_channel_is_refused(row: str, tmp_path: Path, cli: Cli) -> None:
    path = tmp_path / "narrow.yaml"
    path.write_text(f"input: [1, 8, 8]\nrows:\n  - {row}\n", "utf-8")
    result = cli("model", str(path), "--fast")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "narrow.yaml:3: rows[0]: " in result.stderr
    assert "would have 0 output channels" in result.stderr


def test_every_block_of_the_row_language_is_used_by_a_built_in() -> None:
    specs = [builtin(name) for name in builtins()]
    used = {row.block for spec in specs if isinstance(spec, Network) for row in spec.rows}
    assert used == {*BLOCKS, *MERGES}


def test_a_network_without_a_width_multiplier_takes_no_alpha(cli: Cli) -> None:
    result = cli("compare", "vgg16@alpha=0.5", "--fast")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "no setting 'alpha' here" in result.stderr


def test_alpha_scales_every_width_of_a_block_without_c(tmp_path: Path) -> None:
    path = tmp_path / "fires.yaml"
    path.write_text(
        "input: [3, 32, 32]\nwidth: divisible\nrows:\n"
        "  - {block: conv, c: 32}\n"
        "  - {block: fire, squeeze: 16, expand1: 64, expand3: 48}\n"
        "  - {block: inception, c1: 16, reduce3: 32, c3: 64, reduce5: 16, c5: 32, pool: 32}\n",
        "utf-8",
    )
    network = load_specs(path)["fires"]
    assert isinstance(network, Network)
    widths = {node.path: node.y[0] for node in network.graph({}).nodes}
    halves = {node.path: node.y[0] for node in network.graph({"alpha": 0.5}).nodes}
    assert halves.pop("rows.2.branch_pool.pool") == widths.pop("rows.2.branch_pool.pool") // 2
    assert halves == {path: width // 2 for path, width in widths.items()}


def test_a_stride_without_a_depthwise_convolution_names_the_row(tmp_path: Path) -> None:
    path = tmp_path / "ffn.yaml"
    path.write_text(
        "input: [3, 32, 32]\nrows:\n"
        "  - {block: conv, c: 8}\n"
        "  - {block: universal_inverted_bottleneck, t: 2, c: 8, s: 2}\n",
        "utf-8",
    )
    network = load_specs(path)["ffn"]
    with pytest.raises(MbcostError, match=r"rows\[1\].*a stride needs a depthwise convolution"):
        network.graph({})


def test_an_expansion_by_ratio_to_a_width_that_no_row_prints_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ratio.yaml"
    path.write_text(
        "input: [3, 32, 32]\nwidth: divisible\nexpansion: ratio\nrows:\n"
        "  - {block: fire, squeeze: 16, expand1: 8, expand3: 8}\n"
        "  - {block: inverted_residual, exp: 64, c: 16}\n",
        "utf-8",
    )
    network = load_specs(path)["ratio"]
    with pytest.raises(MbcostError, match=r"rows\[1\].*by ratio to a width that no row states"):
        network.graph({})


def test_an_expansion_by_ratio_to_a_width_of_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ratio.yaml"
    path.write_text(
        "input: [3, 32, 32]\nwidth: divisible\nexpansion: ratio\nrows:\n"
        "  - {block: conv, c: 1}\n"  # built 8 channels wide
        "  - {block: conv, t: 0.5}\n"
        "  - {block: inverted_residual, exp: 64, c: 16}\n",
        "utf-8",
    )
    network = load_specs(path)["ratio"]
    with pytest.raises(MbcostError, match=r"rows\[2\].*by ratio to a width that the rows before"):
        network.graph({})
