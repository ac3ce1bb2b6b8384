"""What is kept in training, in closed form, against what torch really keeps, byte by byte."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mbcost.errors import MbcostError
from mbcost.graph.graph import Graph, Node, Step, wire
from mbcost.graph.liveness import CATEGORIES, alive_bytes, live_sets, peak
from mbcost.graph.primitives import (
    ACTIVATIONS,
    Activation,
    AdaptiveAvgPool2d,
    Add,
    BatchNorm2d,
    ChannelShuffle,
    Concat,
    Conv2d,
    Flatten,
    Layer,
    Linear,
    LocalResponseNorm,
    Pool2d,
    Scale,
    Slice,
    SpaceToDepth,
    Upsample,
)
from mbcost.graph.training import (
    OPTIMIZERS,
    Fit,
    Optimizer,
    max_batch,
    saved_bytes,
    smallest_batch,
    training,
)
from mbcost.networks.yaml import builtin
from tests.proofs.memory import graph_at
from tests.proofs.memory_training import saved_problems, step_problems

Part = Layer | tuple[Layer, str]
RELU = Activation("relu")
GLOBAL = AdaptiveAvgPool2d()
LRN = LocalResponseNorm(3)
HALVED = Pool2d("max", (2, 2), (2, 2))


def conv(c: int = 8, c_in: int = 8, bias: bool = False) -> Conv2d:
    return Conv2d(c_in, c, (1, 1), bias=bias)


def graph_of(*parts: Part, outputs: tuple[int, ...] = ()) -> Graph:
    """A graph of layers 0, 1, …; beside each may stand which ones it reads, ``@`` is the image."""
    from tests.graph import test_eager

    steps = []
    for i, part in enumerate(parts):
        layer, read = part if isinstance(part, tuple) else (part, "")
        inputs = tuple("@0" if name == "@" else f"l{name}" for name in read.split())
        steps.append(Step(f"l{i}", layer, inputs))
    return test_eager.graph_of(*steps, x=(8, 6, 6), outputs=outputs)


ODD: dict[str, Graph] = {
    "a batch-norm first": graph_of(BatchNorm2d(8), conv()),
    "an activation first": graph_of(RELU, conv()),
    "a pool first": graph_of(HALVED, conv()),
    "a linear layer first": graph_of(Flatten(), Linear(288, 4)),
    "a norm first": graph_of(LRN, conv()),
    "a global pool first": graph_of(GLOBAL, conv(), RELU, Flatten(), Linear(8, 4)),
    "every activation": graph_of(conv(), *map(Activation, ACTIVATIONS)),
    "pools": graph_of(conv(), HALVED, Pool2d("avg", (2, 2), (1, 1)), AdaptiveAvgPool2d((2, 2))),
    "upsampled": graph_of(conv(), Upsample((9, 9)), RELU),
    "no bias": graph_of(conv(bias=True), Flatten(), Linear(288, 4, bias=False)),
    "softmax": graph_of(conv(), Flatten(), Linear(288, 4), Activation("softmax")),
    "groups": graph_of(Conv2d(8, 8, (3, 3), groups=4, bias=True), BatchNorm2d(8), RELU),
    "two readers": graph_of(conv(), (conv(), "0"), (conv(), "0"), (Add(), "1 2")),
    "a sum of a map and itself": graph_of(conv(), (Add(), "0 0 0"), RELU),
    "a sum of three": graph_of(conv(), RELU, (conv(), "1"), (Add(), "0 1 2")),
    "a sum with the image": graph_of(conv(), (Add(), "0 @"), conv(4)),
    "a product of a map and itself": graph_of(conv(), (Scale(), "0 0"), RELU),
    "a gate": graph_of(conv(), GLOBAL, Activation("sigmoid"), (Scale(), "0 2"), (Add(), "3 0")),
    "a gate on the image": graph_of(GLOBAL, conv(), (Scale(), "@ 1"), RELU),
    "a gate of the image": graph_of(conv(), (GLOBAL, "@"), (Scale(), "0 1"), RELU),
    "joined with the image": graph_of(conv(), (Concat(), "0 @"), conv(4, 16)),
    "joined with itself": graph_of(conv(), (Concat(), "0 0"), conv(4, 16)),
    "joined alone": graph_of(conv(), (Concat(), "0"), conv(4)),
    "joined and added": graph_of(
        conv(), RELU, (Concat(), "0 1"), (Concat(), "2 1"), conv(8, 24), (Add(), "4 0 1")
    ),
    "halves": graph_of(
        conv(), (Slice(0, 4), "0"), (Slice(4, 8), "0"), conv(4, 4), (Concat(), "1 3")
    ),
    "a shuffle": graph_of(conv(), ChannelShuffle(2), RELU),
    "a shuffle of nothing": graph_of(
        conv(), ChannelShuffle(8), conv(), (conv(), "1"), (Add(), "2 3")
    ),
    "a slice of a slice": graph_of(conv(), Slice(2, 7), Slice(1, 3), ChannelShuffle(2), conv(2, 2)),
    "a flattened slice": graph_of(conv(), Slice(2, 5), Flatten(), Linear(108, 4)),
    "a whole slice": graph_of(conv(), Slice(0, 8), RELU, (conv(), "1"), (Add(), "2 3")),
    "a slice put out": graph_of(conv(), Slice(0, 4)),
    "two linear readers": graph_of(
        conv(), Flatten(), Linear(288, 4), (Linear(288, 4), "1"), (Add(), "2 3")
    ),
    "space to depth": graph_of(conv(), Slice(2, 6), SpaceToDepth(2), SpaceToDepth(1), conv(2, 16)),
    "a norm of a slice": graph_of(conv(), Slice(2, 6), LocalResponseNorm(4), RELU),
    "a norm joined": graph_of(conv(), LRN, (Concat(), "0 1"), conv(2, 16)),
    "a norm added": graph_of(conv(), LRN, (Add(), "0 1"), conv(2)),
    "a norm scaled": graph_of(conv(), LRN, (GLOBAL, "0"), (Scale(), "1 2"), BatchNorm2d(8)),
    "maps put out": graph_of(conv(), (RELU, "0"), (Slice(0, 4), "0"), outputs=(0, 1, 2)),
}


@pytest.mark.parametrize("name", ODD)
def test_a_step_keeps_what_torch_keeps(name: str) -> None:
    for batch, amp in ((1, False), (3, False), (1, True), (3, True)):
        assert saved_problems(ODD[name], batch, amp) == []
        for profiled in (False, True):
            assert step_problems(ODD[name], batch, "sgd", amp, profiled) == []


NETWORKS = (
    *("v1", "v2", "v3-small", "shufflenet-v2", "squeezenet-1.1", "ghostnet", "mnasnet-small"),
    *("efficientnet-lite0", "googlenet", "ssdlite-v3-small", "lraspp-v3-small"),
    *("mobilenetv4-conv-small", "mobilenext"),
)


@pytest.mark.parametrize(("i", "name"), [*enumerate(NETWORKS)])
def test_a_network_keeps_what_torch_keeps(i: int, name: str) -> None:
    graph = graph_at(name, 40)
    optimizer = OPTIMIZERS[i % 4]
    assert saved_problems(graph, 2, amp=i % 3 == 0) == []
    assert step_problems(graph, 2, optimizer, amp=i % 3 == 0, profiled=i % 2 == 0) == []


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_optimizer_keeps_what_torch_keeps(optimizer: Optimizer) -> None:
    graph = graph_of(conv(4), (conv(bias=True), "@"), (conv(2, 4), "0"), outputs=(1, 2))
    for profiled in (False, True):
        assert step_problems(graph, 2, optimizer, False, profiled) == []


def test_parameters_are_stepped_depth_first() -> None:
    nodes: list[Node] = []
    layers = {"a.wide": conv(64), "b.narrow": conv(2, 64), "a.middle": conv(16, 2)}
    wire(nodes, [Step(path, layer) for path, layer in layers.items()], "", "", -1, (8, 1, 1))
    assert step_problems(Graph((8, 1, 1), tuple(nodes)), 1, "adam", False, profiled=True) == []


MEASURED: dict[str, tuple[int, int, int]] = {
    "v1": (163_878_400, 223_044_172, 189_188_032),
    "v2": (312_954_112, 362_276_672, 334_237_064),
    "v3-large": (176_532_928, 253_937_296, 210_715_864),
    "v3-small": (64_711_360, 102_615_536, 82_272_120),
    "resnet50": (326_991_360, 692_605_012, 490_957_968),
}
"""Of torch 2.14 on the CPU, batch 4: saved; a step of Adam; one of SGD under a dispatch mode."""


@pytest.mark.parametrize("name", MEASURED)
def test_networks_at_their_own_size(name: str) -> None:
    graph = builtin(name).graph({})
    adam = training(graph, batch=4)
    sgd = training(graph, batch=4, optimizer="sgd", observed=True)
    peaks = (adam.train_peak_bytes, sgd.train_peak_bytes)
    assert (saved_bytes(graph, batch=4), *peaks) == MEASURED[name]
    assert adam.saved_bytes == saved_bytes(graph, batch=4)


def test_the_figures_are_those_of_the_schedule() -> None:
    found = training(builtin("v3-small").graph({"size": (64, 64)}), batch=2, optimizer="adamw")
    sizes = dict.fromkeys(CATEGORIES, 0)
    for storage in found.schedule.storages:
        sizes[storage.category] += storage.size
    assert sizes["parameter"] == found.weight_bytes == found.grad_bytes
    assert sizes["optimizer"] == found.optimizer_bytes
    assert sizes["buffer"] == found.buffer_bytes
    of_the_loss = 2 * 1000 * 4 + 4  # log-softmax, and how many images there were
    assert sizes["saved"] + sizes["input"] == found.saved_bytes + of_the_loss
    forward, backward = found.forward_end, found.backward_end
    assert peak(found.schedule, 0, forward).size == found.peak_forward_bytes
    assert peak(found.schedule, forward, backward).size == found.peak_backward_bytes
    assert peak(found.schedule, backward).size == found.peak_step_bytes
    assert found.train_peak_bytes == max(alive_bytes(found.schedule))


def test_what_is_saved_lives_from_forward_to_backward() -> None:
    found = training(builtin("v3-small").graph({"size": (64, 64)}), batch=2)
    alive = list(live_sets(found.schedule))[found.forward_end]
    categories = [storage.category for storage in found.schedule.storages]
    saved = {i for i, category in enumerate(categories) if category == "saved"}
    assert saved
    assert saved <= alive


@pytest.mark.parametrize("name", ["v2", "v3-small", "ghostnet"])
def test_gradients_in_place_never_take_more(name: str) -> None:
    graph = builtin(name).graph({"size": (64, 64)})
    peaks = [training(graph, batch=2, observed=seen).peak_backward_bytes for seen in (False, True)]
    assert peaks[0] <= peaks[1]


def test_a_batch_norm_of_one_value_is_not_trained() -> None:
    from mbcost.modules.memory.steps import Step as Trained

    graph = graph_of(GLOBAL, conv(), BatchNorm2d(8), RELU)
    assert smallest_batch(graph) == 2
    with pytest.raises(MbcostError, match="l2: a batch-norm of one value"):
        training(graph, batch=1)
    with pytest.raises(ValueError, match="more than 1 value"):
        Trained(graph, 1, "sgd", amp=False).run()
    assert step_problems(graph, 2, "sgd", amp=False, profiled=True) == []


def test_a_network_without_parameters_is_not_trained() -> None:
    with pytest.raises(MbcostError, match="nothing to train"):
        training(graph_of(RELU), batch=2)


def test_the_largest_batch_that_fits() -> None:
    graph = builtin("v2").graph({"size": (96, 96)})

    def bytes_of(batch: int) -> int:
        return training(graph, batch=batch).train_peak_bytes

    assert max_batch(bytes_of, 200_000_000) == Fit(10, 193_303_856, 207_601_880)
    assert max_batch(bytes_of, 193_303_856) == Fit(10, 193_303_856, 207_601_880)
    assert max_batch(bytes_of, 193_303_855).batch == 9
    assert max_batch(bytes_of, 1000) == Fit(0, 0, bytes_of(1))


@pytest.mark.parametrize("first", [1, 2, 3])
def test_the_largest_batch_is_that_of_trying_each(first: int) -> None:
    def bytes_of(batch: int) -> int:
        assert batch >= first
        return 7 + max(11 * batch, batch**2 // 3)

    for limit in range(400):
        most = first - 1
        while bytes_of(most + 1) <= limit:
            most += 1
        fits = (most, bytes_of(most)) if most >= first else (0, 0)
        assert max_batch(bytes_of, limit, first) == Fit(*fits, bytes_of(most + 1))


def test_it_needs_no_torch() -> None:
    code = (
        "import sys; from mbcost.networks.yaml import builtin;"
        "from mbcost.graph.training import training;"
        "training(builtin('v2').graph({}), batch=4); assert 'torch' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
