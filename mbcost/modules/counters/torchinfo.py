"""torchinfo: parameters and mult-adds by module hooks.

Runs on the CPU while the forward is small, else on the meta device, where it gives equal figures.
"""

from __future__ import annotations

from mbcost.modules.counters.workbench import Counted, Workbench


def count_torchinfo(bench: Workbench) -> Counted:
    """Return torchinfo's total mult-adds, its figure per layer, params and memory."""
    import torch
    import torchinfo

    # of a model from elsewhere nothing need be computed, unless its path depends on it
    on_cpu = bench.real or (bench.fits(bench.batch) and not bench.traced)
    device = "cpu" if on_cpu else "meta"
    module = bench.module if on_cpu else bench.meta_module
    with torch.no_grad():
        statistics = torchinfo.summary(
            module,
            input_data=bench.inputs(bench.batch, device),
            device=device,  # said aloud: torchinfo would move a meta model to the CPU
            mode="eval",
            verbose=0,
        )
    paths = {id(part): path for path, part in module.named_modules()}
    by_layer: dict[str, int] = {}
    for layer in statistics.summary_list:
        if layer.is_leaf_layer:
            path = paths[id(layer.module)]
            by_layer[path] = by_layer.get(path, 0) + layer.macs
    figures = {
        "params": statistics.total_params,
        "forward_backward_bytes": statistics.total_output_bytes,
    }
    if not bench.traced:  # of other models it leaves out parameters of modules with children
        figures["param_bytes"] = statistics.total_param_bytes
    return Counted(statistics.total_mult_adds, by_layer, figures)
