"""Where the time of a call goes: by layer, and by what a runtime does beside its layers.

Importing this imports torch.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mbcost.graph.graph import Graph
from mbcost.graph.primitives import Conv2d, Linear
from mbcost.modules.graph_module import GraphModule
from mbcost.modules.latency import BETWEEN, Runnable
from mbcost.modules.latency.runtimes import called, onnx_session


class Watched:
    """A module whose layers are timed as it runs, on the CPU clock at one thread.

    A network of ours tells the time of each of its nodes, functions among them; a model from
    elsewhere that of each module which has none inside, by hooks. A module's further call has
    ``#2`` and so on behind its path.
    """

    def __init__(
        self, network: Runnable, threads: int, clock: Callable[[], int] | None = None
    ) -> None:
        torch.set_num_threads(threads)
        self.clock = clock or (time.process_time_ns if threads == 1 else time.perf_counter_ns)
        self.found: list[dict[str, float]] = []
        self.run: dict[str, int] = {}
        self.calls: dict[str, int] = {}
        module = network.module()
        if isinstance(module, GraphModule):
            module.wrap(self._timed)
        else:
            self._hook(module)
        self.call = called(network, module)

    def __call__(self) -> None:
        """Run it once; what the layers do not account for stands under ``BETWEEN``."""
        self.run, self.calls = {}, {}
        start = self.clock()
        self.call()
        whole = self.clock() - start
        spent = {path: taken / 1e9 for path, taken in self.run.items()}
        self.found.append({**spent, BETWEEN: (whole - sum(self.run.values())) / 1e9})

    def runs(self) -> Sequence[Mapping[str, float]]:
        """Return the seconds of each run by layer."""
        return self.found

    def _timed(self, path: str, layer: Callable[..., Any]) -> Callable[..., Any]:
        def call(*maps: Any) -> Any:
            start = self.clock()
            found = layer(*maps)
            self._add(path, self.clock() - start)
            return found

        return call

    def _hook(self, module: nn.Module) -> None:
        started: list[int] = []
        for path, leaf in module.named_modules():
            if not any(True for _ in leaf.children()):
                leaf.register_forward_pre_hook(lambda *_: started.append(self.clock()))
                leaf.register_forward_hook(self._ended(path, started))

    def _ended(self, path: str, started: list[int]) -> Callable[..., None]:
        def hook(*_: Any) -> None:
            self._add(path, self.clock() - started.pop())

        return hook

    def _add(self, path: str, taken: int) -> None:
        call = self.calls[path] = self.calls.get(path, 0) + 1
        self.run[path if call == 1 else f"{path}#{call}"] = taken


def eager(network: Runnable, dtype: str, threads: int) -> Watched:
    """Return the module, its layers timed."""
    return Watched(network, threads)


class Profiled:
    """A session of ONNX Runtime that writes a profile: the wall time of each of its nodes, in whole
    microseconds."""

    def __init__(self, network: Runnable, dtype: str, threads: int) -> None:
        assert network.deployed is not None
        self.graph = network.deployed(dtype).graph
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        prefix = str(Path(self.folder.name, "profile"))
        self.session, self.given = onnx_session(network, dtype, threads, prefix)

    def __call__(self) -> None:
        """Run it once."""
        self.session.run(None, self.given)

    def runs(self) -> Sequence[Mapping[str, float]]:
        """End the profile and return what it says."""
        events = json.loads(Path(self.session.end_profiling()).read_text("utf-8"))
        self.folder.cleanup()
        return runs_of(events, self.graph)


def onnx(network: Runnable, dtype: str, threads: int) -> Profiled:
    """Return the network's file in ONNX Runtime, its nodes timed."""
    return Profiled(network, dtype, threads)


Event = Mapping[str, Any]
"""An entry of a profile, as Chrome's tracing has it."""
_KERNEL = "_kernel_time"
_SUFFIXES = re.compile(r"(_nchwc|_token_\d+|_quant)+$")
"""What ONNX Runtime puts behind a node's name: of its layouts, of what it fused."""
_WEIGHTED = ("Conv", "Gemm", "MatMul")
"""Found in the names of all operators that have weights."""


def runs_of(events: Iterable[Event], graph: Graph) -> list[dict[str, float]]:
    """Return the seconds of each run by layer, from the events of a profile.

    What ONNX Runtime put in under a name of its own stands under its operator:
    ``(ReorderOutput)``; what no node accounts for under ``BETWEEN``.
    """
    ordered = sorted(events, key=_when)
    nodes = [event for event in ordered if event.get("cat") == "Node"]
    paths = paths_of(
        {_name(e): e["args"]["op_name"] for e in nodes if e["name"].endswith(_KERNEL)}, graph
    )
    found: list[dict[str, float]] = []
    for event in ordered:
        if event.get("cat") == "Session" and event["name"] == "model_run":
            found.append({BETWEEN: event["dur"] / 1e6})
        elif event.get("cat") == "Node" and event["name"].endswith(_KERNEL):
            path, taken = paths[_name(event)], event["dur"] / 1e6
            found[-1][path] = found[-1].get(path, 0.0) + taken
            found[-1][BETWEEN] -= taken
    return found


def _when(event: Event) -> tuple[int, int]:
    """Order events by their start; a run begins before the first of its nodes."""
    return event["ts"], 0 if event.get("cat") == "Session" else 1


def _name(event: Event) -> str:
    name: str = event["name"]
    return name.removesuffix(_KERNEL)


def paths_of(operators: Mapping[str, str], graph: Graph) -> dict[str, str]:
    """Return the layer that each node of ONNX Runtime is, by the node's name; ``operators`` are
    those of the nodes.

    A node whose name is a layer's, or begins with it and a slash, is that layer; ``output`` is the
    last one. A node with
    weights that took over what follows it has the name of what it puts out then: it is the
    convolution or linear layer before that, of several the one which no other node is.
    """
    paths = _names(graph)
    holders = _holders(graph)
    found: dict[str, str] = {}
    claimed: set[str] = set()
    waiting: dict[str, tuple[str, ...]] = {}
    for name, operator in operators.items():
        path = _path(name, paths)
        weighted = path in holders and any(word in operator for word in _WEIGHTED)
        if path is None:
            found[name] = f"({operator})"
        elif not weighted or holders[path] == (path,):
            found[name] = path
            claimed |= {path} if weighted else set()
        else:
            waiting[name] = holders[path]
    for name in sorted(waiting, key=lambda each: len(waiting[each])):
        free = [path for path in waiting[name] if path not in claimed] or waiting[name]
        found[name] = free[-1]
        claimed.add(free[-1])
    return found


def _names(graph: Graph) -> dict[str, str]:
    """Return the layer of each name in the file: its own, and that of what the network puts out."""
    own = [node.path for node in graph.nodes]
    outputs = {f"output.{k}": own[i] for k, i in enumerate(graph.outputs)}
    return {**(outputs or {"output": own[-1]}), **{path: path for path in own}}


def _path(name: str, paths: Mapping[str, str]) -> str | None:
    """Return the layer that a node is named after, or whose parameter it is named after."""
    own = _SUFFIXES.sub("", name)
    for word in (own, own.partition("/")[0]):
        for path in (word, word.removesuffix(".weight"), word.removesuffix(".bias")):
            if path in paths:
                return paths[path]
    return None


def _holders(graph: Graph) -> dict[str, tuple[str, ...]]:
    """Return, by layer, those with weights that could have taken it over, as they run: itself, or
    all that are before it without another between."""
    found: list[tuple[int, ...]] = []
    for i, node in enumerate(graph.nodes):
        if isinstance(node.layer, Conv2d | Linear):
            found.append((i,))
        else:
            before = (found[source] for source in node.inputs if source >= 0)
            found.append(tuple(sorted({holder for holders in before for holder in holders})))
    return {
        node.path: tuple(graph.nodes[holder].path for holder in holders)
        for node, holders in zip(graph.nodes, found, strict=True)
        if holders
    }
