"""What a forward really keeps in memory: it is run, and its storages are watched.

``storages`` watches tensors under a dispatch mode, ``profiled`` reads what the allocator tells
torch's profiler, ``elsewhere`` runs models from elsewhere on tensors without values. None of them
knows ``graph.eager``, which is compared with them.
"""

from __future__ import annotations

from mbcost.graph.eager import Image
from mbcost.graph.graph import Graph
from mbcost.modules.memory.observed import Observed, Sample


def verify_inference(
    graph: Graph, batch: int = 1, image: Image = "held", *, profiled: bool = False
) -> Observed:
    """Return what a forward of ``graph`` on the CPU kept alive: by its storages, or ``profiled``,
    by the events of the allocator."""
    import torch

    from mbcost.modules.graph_module import GraphModule

    with torch.device("meta"):
        module = GraphModule(graph).eval()
    module.to_empty(device="cpu")
    for tensor in (*module.parameters(), *module.buffers()):
        tensor.detach().zero_()
    maps: dict[int, torch.Tensor] = {}
    held = []

    def make() -> None:
        maps[-1] = torch.zeros(batch, *graph.x)
        if image == "held":
            held.append(maps[-1])

    if profiled:
        from mbcost.modules.memory.profiled import profiled_run

        return profiled_run(lambda: module.run(maps), make)
    from mbcost.modules.memory.storages import observed_run

    make()
    return observed_run(lambda: module.run(maps), maps.values(), module)


__all__ = ["Observed", "Sample", "verify_inference"]
