"""What autograd really saves for the backward of a forward. Importing this imports torch."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from mbcost.graph.graph import Graph
from mbcost.modules.graph_module import GraphModule
from mbcost.modules.memory.steps import trained_module


def saved_storages(
    graph: Graph, batch: int = 1, amp: bool = False, *, fake: bool = False
) -> dict[int, int]:
    """Return the bytes of each storage that autograd saves, by its address, when a forward is done;
    of parameters and buffers none.

    ``fake`` runs it on tensors without values, which save what real ones do; not under autocast,
    where a batch-norm's statistics would take 2 bytes. A Python number that torch wraps in a tensor
    is saved unseen.
    """
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode() if fake else nullcontext():
        module = GraphModule(graph).train() if fake else trained_module(graph)
        image = torch.zeros(batch, *graph.x)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=amp):
            return saved_by(lambda: module(image), module)


def saved_by(run: Callable[[], object], module: nn.Module) -> dict[int, int]:
    """Return the bytes of each storage that autograd saves while ``run`` runs, by its address; of
    the parameters and buffers of ``module`` none."""
    seen = []

    def save(x: Tensor) -> None:  # to hand back x itself would be a circle that is never freed
        seen.append(x.untyped_storage())

    own = {x.untyped_storage()._cdata for x in (*module.parameters(), *module.buffers())}
    with saved_tensors_hooks(save, _unread):
        outputs = run()
    found = {x._cdata: x.nbytes() for x in seen if x._cdata not in own}
    del outputs
    return found


def _unread(_: None) -> Tensor:
    raise AssertionError("no backward runs")
