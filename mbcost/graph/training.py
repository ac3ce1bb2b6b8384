"""One step of training as torch runs it eagerly on the CPU: its memory in closed form.

Forward, loss, backward and the optimizer's step, from the second step on: the optimizer's state is
there, gradients are not (``zero_grad`` drops them). The loss is the cross-entropy of every output
over its channels, added up where outputs are several; a map has a class for each of its cells.
Image, targets, outputs and loss are held by the caller until the end. Autocast is of bfloat16 and
covers forward and loss. What a kernel needs only while it runs is not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Literal, NamedTuple, assert_never

from mbcost.errors import MbcostError
from mbcost.graph.autograd import Forward
from mbcost.graph.backward import backward
from mbcost.graph.graph import Graph, Node
from mbcost.graph.liveness import Schedule, Storage, alive_bytes
from mbcost.graph.primitives import BatchNorm2d, Conv2d, Linear
from mbcost.graph.tape import FP32, INDEX, Tape, Tensor, Work

Optimizer = Literal["sgd", "momentum", "adam", "adamw"]
OPTIMIZERS: tuple[Optimizer, ...] = ("sgd", "momentum", "adam", "adamw")

INPUT, TARGET, PARAMETERS, BUFFERS, STATE = range(5)
"""The storages that are there before the first operator."""


class Training(NamedTuple):
    """A step of training, and its figures in bytes."""

    schedule: Schedule
    forward_end: int
    """The first operator after forward and loss."""
    backward_end: int
    """The first operator of the optimizer's step, which ends the schedule."""
    weight_bytes: int
    grad_bytes: int
    optimizer_bytes: int
    buffer_bytes: int
    saved_bytes: int
    """Unique storages that autograd keeps of the network when its forward is done: no parameter, no
    buffer, nothing of the loss."""
    peak_forward_bytes: int
    peak_backward_bytes: int
    peak_step_bytes: int

    @property
    def train_peak_bytes(self) -> int:
        """Return the most bytes alive at any time."""
        return max(self.peak_forward_bytes, self.peak_backward_bytes, self.peak_step_bytes)


def saved_bytes(graph: Graph, *, batch: int = 1, amp: bool = False) -> int:
    """Return the bytes that autograd keeps when a forward in training is done."""
    check_trains(graph, batch)
    tape, _ = _forward(graph, batch, amp, observed=False)
    return sum(tape.storages[i].size for i in tape.saved)


def training(
    graph: Graph,
    *,
    batch: int = 1,
    optimizer: Optimizer = "adam",
    amp: bool = False,
    observed: bool = False,
) -> Training:
    """Return a step of training of ``batch`` images.

    ``observed`` is how it runs while a dispatch mode watches: autograd then adds gradients up out
    of place, and the Python numbers that torch wraps in tensors are not seen.
    """
    check_trains(graph, batch)
    tape, outputs = _forward(graph, batch, amp, observed)
    saved = sum(tape.storages[i].size for i in tape.saved)
    loss = _loss(tape, outputs)
    assert loss.function is not None
    forward_end = len(tape.operators)
    gradients = backward(tape, loss.function)
    backward_end = len(tape.operators)
    order = _as_torch_orders(graph, tape)
    _step(tape, [i for i in order if i in gradients], gradients, optimizer)
    standing = {
        PARAMETERS: sum(size for _, size in tape.parameters),
        BUFFERS: sum(2 * FP32 * norm.y[0] + INDEX for norm in _norms(graph)),
        STATE: _state_bytes(tape, optimizer),
    }
    storages = list(tape.storages)
    for i, size in standing.items():
        storages[i] = storages[i]._replace(size=size)
    for i in tape.saved:
        if storages[i].category == "activation":
            storages[i] = storages[i]._replace(category="saved")
    given = tuple(range(STATE + 1))
    kept = (*given, *[x.storage for x in (*outputs, loss)], *gradients.values())
    schedule = Schedule(tuple(storages), tuple(tape.operators), given, tuple(dict.fromkeys(kept)))
    alive = alive_bytes(schedule)
    return Training(
        schedule,
        forward_end,
        backward_end,
        weight_bytes=standing[PARAMETERS],
        grad_bytes=sum(storages[i].size for i in gradients.values()),
        optimizer_bytes=standing[STATE],
        buffer_bytes=standing[BUFFERS],
        saved_bytes=saved,
        peak_forward_bytes=max(alive[:forward_end]),
        peak_backward_bytes=max(alive[forward_end:backward_end]),
        peak_step_bytes=max(alive[backward_end:]),
    )


def _forward(graph: Graph, batch: int, amp: bool, observed: bool) -> tuple[Tape, list[Tensor]]:
    """Return the forward written down, and what it puts out."""
    tape = Forward(batch, amp, observed)
    target = sum(batch * prod(y[1:]) * INDEX for y in graph.ys)
    tape.storages += [
        Storage("input", batch * prod(graph.x) * FP32, "input"),
        Storage("target", target, "target"),
        Storage("parameters", 0, "parameter"),
        Storage("buffers", 0, "buffer"),
        Storage("optimizer", 0, "optimizer"),
    ]
    maps = {-1: Tensor(INPUT, graph.x, FP32)}
    for i, node in enumerate(graph.nodes):
        maps[i] = tape.layer(node, [maps[source] for source in node.inputs])
    return tape, [maps[i] for i in graph.outputs or (len(graph.nodes) - 1,)]


def _loss(tape: Tape, outputs: Sequence[Tensor]) -> Tensor:
    """Note the cross-entropy of each output, in fp32, and their sum, in turn."""
    losses = []
    for output in outputs:
        wide = tape.cast("loss", output, FP32)
        size = tape.size(wide)
        likely = tape.operator("loss", (wide.storage,), size)
        function = tape.function("loss", (likely,), (Work((size,)),), ((wide, 0),))
        mean = tape.operator("loss", (likely, wide.storage, TARGET), FP32, FP32)
        softmax = wide._replace(storage=likely, function=function)
        saved = (likely, mean + 1)
        function = tape.function("loss", saved, (Work((size,)),), ((softmax, 0),))
        losses.append(Tensor(mean, (), FP32, function))
    total = losses[0]
    for one in losses[1:]:
        summed = tape.operator("loss", (total.storage, one.storage), FP32)
        function = tape.function("loss", (), (), ((total, None), (one, None)))
        total = Tensor(summed, (), FP32, function)
    tape.hold([*tape.copies, *[x.storage for x in losses]])
    return total


def _step(
    tape: Tape, order: Sequence[int], gradients: Mapping[int, int], optimizer: Optimizer
) -> None:
    """Note the optimizer's step, one parameter after the other, as torch does on the CPU.

    Adam's divisor is held until the next one is there.
    """
    divisor: tuple[int, ...] = ()
    for i in order:
        path, size = tape.parameters[i]
        grad = gradients[i]
        match optimizer:
            case "sgd":
                tape.operator(path, (PARAMETERS, grad))
            case "momentum":
                tape.operator(path, (STATE,), number=True)
                tape.operator(path, (STATE, grad))
                tape.operator(path, (PARAMETERS, STATE))
            case "adam" | "adamw":
                tape.operator(path, (STATE,), number=True)  # steps are counted
                if optimizer == "adamw":
                    tape.operator(path, (PARAMETERS,), number=True)  # decays
                tape.operator(path, (STATE, grad))
                tape.operator(path, (STATE,), number=True)
                tape.operator(path, (STATE, grad))
                root = tape.operator(path, (STATE,), size, category="temporary")
                over = tape.operator(path, (root,), size, category="temporary", number=True)
                tape.operator(path, (over, *divisor), number=True)
                tape.operator(path, (PARAMETERS, STATE, over))
                divisor = (over,)
            case _:
                assert_never(optimizer)


def _state_bytes(tape: Tape, optimizer: Optimizer) -> int:
    """Return what the optimizer keeps from step to step."""
    weights = sum(size for _, size in tape.parameters)
    match optimizer:
        case "sgd":
            return 0
        case "momentum":
            return weights
        case "adam" | "adamw":  # two moments, and how many steps each tensor has seen
            return 2 * weights + FP32 * len(tape.parameters)
        case _:
            assert_never(optimizer)


def _as_torch_orders(graph: Graph, tape: Tape) -> list[int]:
    """Return parameters in the order of ``nn.Module.parameters``: depth first by their paths."""
    rank: dict[str, tuple[int, ...]] = {}
    seen: dict[str, int] = {}
    for node in graph.nodes:
        parts = node.path.split(".")
        prefixes = [".".join(parts[: i + 1]) for i in range(len(parts))]
        rank[node.path] = tuple([seen.setdefault(prefix, len(seen)) for prefix in prefixes])
    return sorted(range(len(tape.parameters)), key=lambda i: rank[tape.parameters[i][0]])


def _norms(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if isinstance(node.layer, BatchNorm2d)]


def smallest_batch(graph: Graph) -> int:
    """Return the fewest images that torch trains: a batch-norm needs two values a channel."""
    return 2 if any(prod(norm.y[1:]) == 1 for norm in _norms(graph)) else 1


class BatchTooSmallError(MbcostError):
    """torch trains this network, but not with so few images."""


def check_trains(graph: Graph, batch: int) -> None:
    """Raise ``MbcostError`` where torch does not train so many images."""
    if batch < smallest_batch(graph):
        place = next(n.path for n in _norms(graph) if prod(n.y[1:]) == 1)
        raise BatchTooSmallError(
            "a batch-norm of one value per channel cannot be trained",
            place=place,
            way_out="a batch of 2 or more, or a larger --size",
        )
    if not any(isinstance(node.layer, Conv2d | Linear | BatchNorm2d) for node in graph.nodes):
        raise MbcostError(
            "it has nothing to train", way_out="a network with a convolution or a linear layer"
        )


class Fit(NamedTuple):
    """The largest batch that fits a limit."""

    batch: int
    """0 where none fits."""
    size: int
    """Its bytes; 0 where none fits."""
    next_size: int
    """The bytes of the next batch, which does not fit."""


def max_batch(size_of: Callable[[int], int], limit: int, first: int = 1) -> Fit:
    """Return the largest batch of at most ``limit`` bytes, from ``first`` images on.

    ``size_of`` gives the bytes of a batch and never falls with it: no storage shrinks where there
    are more images. It is asked, not assumed to be a line.
    """
    fits, size = first - 1, 0
    over = first
    while (over_size := size_of(over)) <= limit:
        fits, size, over = over, over_size, 2 * over
    while over - fits > 1:
        middle = (fits + over) // 2
        found = size_of(middle)
        if found <= limit:
            fits, size = middle, found
        else:
            over, over_size = middle, found
    return Fit(fits if size else 0, size, over_size)
