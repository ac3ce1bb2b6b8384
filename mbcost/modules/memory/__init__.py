"""What a forward or a step of training really keeps in memory: it is run, and watched.

``storages`` watches tensors under a dispatch mode, ``profiled`` reads what the allocator tells
torch's profiler; ``saved`` and ``steps`` train. ``elsewhere`` runs any module on tensors without
values, ``trained`` trains it. None of them knows ``graph.eager`` or ``graph.training``, which are
compared with them.
"""

from __future__ import annotations

from mbcost.errors import MbcostError
from mbcost.graph.eager import Image
from mbcost.graph.graph import Graph
from mbcost.modules.memory.observed import Observed, Sample

TORCH_DTYPES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
"""What torch calls the data types that it runs a network in."""


def verify_inference(
    graph: Graph,
    batch: int = 1,
    image: Image = "held",
    *,
    dtype: str = "fp32",
    profiled: bool = False,
) -> Observed:
    """Return what a forward of ``graph`` on the CPU kept alive: by its storages, or ``profiled``,
    by the events of the allocator. ``dtype`` is one of ``TORCH_DTYPES``."""
    import torch

    from mbcost.modules.graph_module import GraphModule

    with torch.device("meta"):
        module = GraphModule(graph).eval()
    elements = getattr(torch, TORCH_DTYPES[dtype])
    module.to(elements).to_empty(device="cpu")
    for tensor in (*module.parameters(), *module.buffers()):
        tensor.detach().zero_()
    maps: dict[int, torch.Tensor] = {}
    held = []

    def make() -> None:
        maps[-1] = torch.zeros(batch, *graph.x, dtype=elements)
        if image == "held":
            held.append(maps[-1])

    try:
        if profiled:
            from mbcost.modules.memory.profiled import profiled_run

            return profiled_run(lambda: module.run(maps), make)
        from mbcost.modules.memory.storages import observed_run

        make()
        return observed_run(lambda: module.run(maps), maps.values(), module)
    except RuntimeError as error:
        raise MbcostError(
            f"torch does not run it in {dtype} on the CPU: {first_line(error)}",
            way_out="another dtype, a smaller size or batch",
        ) from error


def first_line(error: Exception) -> str:
    """Return the first line of what an error says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


__all__ = ["TORCH_DTYPES", "Observed", "Sample", "verify_inference"]
