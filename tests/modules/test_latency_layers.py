"""Where the time of a run goes: what is timed, and whose time it is. No test asserts a time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mbcost.cost import cost_of
from mbcost.graph.graph import Graph
from mbcost.graph.primitives import Conv2d, Linear
from mbcost.modules.graph_module import GraphModule
from mbcost.modules.latency import BETWEEN, Runnable
from mbcost.modules.latency.layers import Profiled, Watched, paths_of, runs_of
from mbcost.studies.device.latency import runnable
from mbcost.targets.resolve import resolve_one


def ticks() -> Callable[[], int]:
    """A clock that goes on by a second each time somebody looks."""
    numbers = count()
    return lambda: next(numbers) * 10**9


def test_each_node_of_a_network_of_ours_has_its_time_and_none_is_lost() -> None:
    subject = resolve_one("v3-small@alpha=0.35,size=32")
    watched = Watched(runnable(subject), threads=1, clock=ticks())
    watched()
    watched()
    paths = [node.path for node in subject.graph.nodes]
    assert len(set(paths)) == len(paths)
    # a look before and one after each, one at each end
    expected = {**dict.fromkeys(paths, 1.0), BETWEEN: len(paths) + 1.0}
    assert [dict(run) for run in watched.runs()] == [expected, expected]


def test_a_watched_network_puts_out_what_it_does_unwatched() -> None:
    network = runnable(resolve_one("v2@alpha=0.35,size=32"))
    module = network.module()
    assert isinstance(module, GraphModule)
    with torch.inference_mode():
        expected = module(*network.inputs)
        found: Any = Watched(network, threads=1).call()
    assert torch.equal(found, expected)


class Shared(nn.Module):
    """Runs one layer twice, and adds up in a forward of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.parts = nn.Sequential(nn.ReLU(), nn.Linear(4, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.parts(self.layer(x) + self.layer(x))
        return found


def test_modules_from_elsewhere_are_timed_by_hooks_each_call_apart() -> None:
    network = Runnable("shared", Shared, (torch.ones(1, 4),))
    watched = Watched(network, threads=1, clock=ticks())
    watched()
    (run,) = watched.runs()
    assert run == {
        "layer": 1.0,
        "layer#2": 1.0,
        "parts.0": 1.0,
        "parts.1": 1.0,
        BETWEEN: 5.0,
    }


def profile(target: str, dtype: str, folder: Path) -> tuple[list[dict[str, Any]], Graph]:
    """Return the events of ONNX Runtime's profile of a run, and the graph that is in the file."""
    network = runnable(resolve_one(target))
    assert network.deployed is not None
    profiled = Profiled(network, dtype, threads=1)
    profiled()
    profiled()
    events = json.loads(Path(profiled.session.end_profiling()).read_text("utf-8"))
    return events, network.deployed(dtype).graph


def nodes_of(events: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {
        event["name"].removesuffix("_kernel_time"): event["args"]
        for event in events
        if event["cat"] == "Node"
    }


def weighted(graph: Graph) -> list[str]:
    return sorted(n.path for n in graph.nodes if isinstance(n.layer, Conv2d | Linear))


NETWORKS = (
    "v1@alpha=0.25,size=32",
    "v2@alpha=0.35,size=32",
    "v3-small@alpha=0.35,size=32",
    "shufflenet-v2-x0.5@size=32",
    "squeezenet@size=64",
    "resnet50@size=32",
    "depthwise-separable@size=8",
    "inverted-residual@size=8",
    "ssdlite-v2@size=96,alpha=0.35",
)


@pytest.mark.parametrize("dtype", ["fp32", "int8"])
@pytest.mark.parametrize("target", NETWORKS)
def test_each_layer_with_weights_is_one_node_of_onnx_runtime(
    target: str, dtype: str, tmp_path: Path
) -> None:
    events, graph = profile(target, dtype, tmp_path)
    nodes = nodes_of(events)
    paths = paths_of({name: args["op_name"] for name, args in nodes.items()}, graph)
    kinds = ("Conv", "Gemm", "MatMul")
    own = [path for name, path in paths.items() if any(k in nodes[name]["op_name"] for k in kinds)]
    assert sorted(own) == weighted(graph)


def test_a_node_that_took_over_others_is_the_layer_whose_weights_it_holds(tmp_path: Path) -> None:
    """ONNX Runtime tells the bytes of a node's parameters, which our closed form knows by layer."""
    events, graph = profile("resnet50@size=32", "fp32", tmp_path)
    rows = {row.path: row for row in cost_of(graph, "resnet50").layers}
    nodes = nodes_of(events)
    paths = paths_of({name: args["op_name"] for name, args in nodes.items()}, graph)
    checked = Counter[bool]()
    for name, args in nodes.items():
        if args["op_name"] == "Conv":
            bytes_ = 4 * rows[paths[name]].params
            taken_over = not name.startswith(paths[name])
            assert int(args["parameter_size"]) == bytes_, (name, paths[name])
            checked[taken_over] += 1
    assert checked[True] > 20
    assert sum(checked.values()) == 53


def test_every_microsecond_of_a_run_is_some_rows(tmp_path: Path) -> None:
    events, graph = profile("v3-small@alpha=0.35,size=32", "int8", tmp_path)
    runs = runs_of(events, graph)
    wholes = [e["dur"] for e in events if e["cat"] == "Session" and e["name"] == "model_run"]
    assert len(runs) == len(wholes) == 2
    assert [round(1e6 * sum(run.values())) for run in runs] == wholes
    known = {node.path for node in graph.nodes}
    for run in runs:
        assert {path for path in run if path in known} >= set(weighted(graph))
        others = {path for path in run if path not in known}
        assert BETWEEN in others
        assert all(path.startswith("(") for path in others)


def event(name: str, ts: int, dur: int, operator: str = "") -> dict[str, Any]:
    category = "Node" if operator else "Session"
    return {"cat": category, "name": name, "ts": ts, "dur": dur, "args": {"op_name": operator}}


def test_a_profile_that_is_made_up_is_read_as_it_is_meant() -> None:
    graph = resolve_one("inverted-residual@size=8,in=8,out=8,stride=1,fold_bn=true").graph
    assert [node.path for node in graph.nodes][-1] == "add"
    events = [
        event("session_initialization", 0, 99),
        event("model_run", 100, 50),
        event("expand.act_nchwc_kernel_time", 100, 7, "Conv"),
        event("depthwise.act_nchwc_token_3_kernel_time", 110, 5, "Conv"),
        event("depthwise.act_nchwc_token_3_fence_after", 115, 9, "Conv"),
        event("ReorderOutput_token_4_kernel_time", 120, 2, "ReorderOutput"),
        event("ReorderOutput_kernel_time", 125, 1, "ReorderOutput"),
        event("add_nchwc_kernel_time", 130, 11, "Conv"),
        event("input/uint8_kernel_time", 142, 3, "QuantizeLinear"),
        event("project.conv.weight/float_kernel_time", 146, 2, "DequantizeLinear"),
        event("model_run", 200, 30),
        event("add_nchwc_kernel_time", 210, 10, "Conv"),
    ]
    found = [{k: round(1e6 * v) for k, v in run.items()} for run in runs_of(events, graph)]
    assert found == [
        {
            "expand.conv": 7,
            "depthwise.conv": 5,
            "(ReorderOutput)": 3,
            "project.conv": 13,
            "(QuantizeLinear)": 3,
            BETWEEN: 19,
        },
        {"project.conv": 10, BETWEEN: 20},
    ]


def test_an_addition_is_taken_over_by_the_convolution_that_is_no_other_node() -> None:
    """Both branches of a residual end in a convolution; either may take the addition over."""
    graph = resolve_one("resnet50@size=32,fold_bn=true").graph
    added = next(node for node in graph.nodes if node.path.endswith(".add"))
    one, other = (graph.nodes[i].path for i in added.inputs)
    assert {one, other} <= set(weighted(graph))
    for alone, took in ((one, other), (other, one)):
        found = paths_of({added.path: "Conv", alone: "Conv"}, graph)
        assert found == {added.path: took, alone: alone}


def test_several_outputs_are_layers() -> None:
    graph = resolve_one("ssdlite-v2@size=96,alpha=0.35,fold_bn=true").graph
    assert len(graph.outputs) > 2
    names = {f"output.{k}": "Conv" for k in range(len(graph.outputs))}
    found = paths_of(names, graph)
    assert len(set(found.values())) == len(names)
    assert set(found.values()) <= set(weighted(graph))
