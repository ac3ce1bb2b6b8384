"""Every key that a file, ``--columns`` or ``--sort`` knows: its unit, its meaning, its commands.

``mbcost list columns`` and ``docs/columns.md`` are made of it. A new key needs its line in
``MEANINGS``, a new table of keys its line in ``groups``; a counter's key needs none: its convention
says what it counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

MEANINGS = {
    "name": ("text", "the YAML's stem or the model's name: `standard`, `v2`"),
    "target": ("text", "what was typed"),
    "alpha": ("number", "width multiplier α; empty where there is none"),
    "rho": ("number", "resolution multiplier ρ: height ÷ native height; empty where there is none"),
    "size": ("pixels", "height and width of the input: 224, or `224x160`"),
    "classes": ("count", "classes; empty where there are none"),
    "batch": ("images", "images per batch"),
    "input": ("elements", "C×H×W of one image: `[3, 224, 224]` in JSON, `3x224x224` in CSV"),
    "output": ("elements", "the same of what is put out; a list where there are several outputs"),
    "params": ("count", "weights, biases, batch-norm γ and β"),
    "params_weights": ("count", "weights of convolutions and linear layers alone"),
    "params_all": ("count", "`params` with running means and variances"),
    "mult_adds": ("count", "multiply-adds of the batch, or what `--convention` says of them"),
    "flops": ("count", "two per mult-add"),
    "unit": ("text", "of the figure asked for: `mult-add`, or `flop`, which `flops` holds"),
    "params_ratio": ("ratio", "`params` ÷ those of the reference"),
    "mult_adds_ratio": ("ratio", "`mult_adds` ÷ those of the reference"),
    "input_bytes": ("bytes", "input of the batch, float32"),
    "forward_backward_bytes": ("bytes", "twice what layers with parameters put out, float32"),
    "param_bytes": ("bytes", "`params`, float32"),
    "total_bytes": ("bytes", "the three above added up: torchinfo's estimate"),
    "verified": ("truth", "every counter that ran equals its convention; empty if none ran"),
    "convention": ("text", "the convention of `mult_adds`; `papers` unless restated"),
    "versions": ("text", "versions of mbcost and of what ran; an object in JSON"),
    "fold_bn": ("truth", "batch-norms are folded into the convolution before them"),
    "fp32_bytes": ("bytes", "weights with 4 bytes a parameter"),
    "fp16_bytes": ("bytes", "weights with 2 bytes a parameter"),
    "int8_bytes": ("bytes", "weights with 1 byte a weight and 4 a bias, γ or β"),
    "top1": ("per cent", "published top-1, of exactly this α, size and all else"),
    "top1_source": ("text", "where it is printed"),
    "trained_top1": ("per cent", "top-1 that a training here measured; never a published one"),
    "data": ("text", "what it was trained on"),
    "epochs": ("count", "epochs of that training"),
    "seed": ("count", "seed of that training"),
    "path": ("text", "the layer's path in the module"),
    "kind": ("text", "`linear`, `depthwise`, `pointwise`, `conv`, `batch_norm`, …"),
    "kernel": ("pixels", "of a convolution: 3, or `1x7`"),
    "stride": ("pixels", "of a convolution"),
    "groups": ("count", "of a convolution"),
    "weight_bytes": ("bytes", "weights in the `--dtype`"),
    "largest_activation_bytes": ("bytes", "the largest map of the batch, in the `--dtype`"),
    "peak_activation_bytes": (
        "bytes",
        "the most maps of the batch alive at once: in eager inference, the image held by its "
        "caller; with `--fuse` in the deployed network",
    ),
    "dtype": ("text", "the `--dtype`: what maps and weights are made of"),
    "peak_at": ("text", "the layer that runs when most is alive in eager inference"),
    "lower_bound_bytes": ("bytes", "the largest set of maps alive at once in the deployed network"),
    "arena_bytes": ("bytes", "the arena that a greedy planner makes of them: its planned head"),
    "arena_persistent_bytes": ("bytes", "what TensorFlow Lite Micro keeps besides, measured"),
    "arena_overhead": ("ratio", "`arena_bytes` ÷ `lower_bound_bytes` − 1"),
    "best_order_bytes": ("bytes", "that bound in the best order, with `--order best`"),
    "order_is_best": ("truth", "that no order is better; false where the search gave up"),
    "fusion": ("text", "`none`, `tflite` or `all`, and what runs in place"),
    "saved_bytes": ("bytes", "what autograd keeps for the backward, no parameters"),
    "grad_bytes": ("bytes", "gradients of all parameters"),
    "optimizer_bytes": ("bytes", "what the optimizer keeps from step to step"),
    "buffer_bytes": ("bytes", "running means, variances and counts of batch-norms"),
    "peak_forward_bytes": ("bytes", "the most alive in forward and loss, everything counted"),
    "peak_backward_bytes": ("bytes", "the most alive in the backward, everything counted"),
    "peak_step_bytes": ("bytes", "the most alive in the optimizer's step, everything counted"),
    "train_peak_bytes": ("bytes", "the largest of the three"),
    "max_batch": ("images", "the largest batch within `--fit`; 0 where none is"),
    "max_batch_bytes": ("bytes", "what that batch takes"),
    "next_batch_bytes": ("bytes", "what one image more takes"),
    "step": ("count", "number of the operator, from 0"),
    "phase": ("text", "`forward`, `backward` or `step`"),
    "alive_bytes": ("bytes", "all that is alive when the operator has run"),
    "written_bytes": ("bytes", "what the operator allocates"),
    "freed_bytes": ("bytes", "what nothing reads after it"),
    "alive": ("text", "the maps alive, each by the layer that wrote it"),
    "freed": ("text", "those freed then"),
    "first": ("count", "the first step at which the tensor is alive"),
    "last": ("count", "the last one"),
    "offset_bytes": ("bytes", "where the tensor begins in the arena"),
    "size_bytes": ("bytes", "how long it is"),
    "verdict": ("text", "`pass` or `FAIL`"),
    "figure": ("text", "which figure is compared"),
    "value": ("count", "the figure"),
    "limit": ("count", "the most it may be"),
    "slack": ("ratio", "what is left of the limit ÷ the limit; negative when over"),
    "baseline": ("count", "the figure in the baseline"),
    "growth": ("ratio", "growth since the baseline; 0.01 is 1 %"),
    "change": ("text", "`added`, `removed` or `changed`"),
    "path_before": ("text", "the layer's path before"),
    "what": ("text", "what changed: `output 1000 → 100`"),
    "params_before": ("count", "`params` before"),
    "params_after": ("count", "`params` after"),
    "params_delta": ("count", "after − before"),
    "params_growth": ("ratio", "delta ÷ before"),
    "mult_adds_before": ("count", "`mult_adds` before"),
    "mult_adds_after": ("count", "`mult_adds` after"),
    "mult_adds_delta": ("count", "after − before"),
    "mult_adds_growth": ("ratio", "delta ÷ before"),
    "params_formula": ("text", "the formula with the numbers filled in: `3²·3·32`"),
    "mult_adds_formula": ("text", "the same for mult-adds"),
    "kernel_seen": (
        "per cent",
        "positions of the kernel that ever meet the map, not padding alone",
    ),
    "file": ("text", "the file, as named"),
    "file_format": ("text", "`ONNX`"),
    "layout": ("text", "dimensions of input and maps: `nchw` or `nhwc`"),
    "input_low": ("number", "least value of the input"),
    "input_high": ("number", "greatest value of the input"),
    "weights_from": ("text", "the file of the weights, or `random` and the seed"),
    "file_bytes": ("bytes", "the file"),
    "predicted_bytes": ("bytes", "its parameters, by closed form"),
    "overhead_bytes": ("bytes", "all else in it: file − predicted"),
    "layers": ("count", "convolutions and linear layers"),
    "layers_matched": ("count", "those the file has by name, with all their figures"),
    "max_difference": ("ratio", "largest difference of an output from torch ÷ its largest element"),
    "title": ("text", "the name in full"),
    "settings": ("text", "the settings it takes"),
    "source": ("text", "the paper or code it follows"),
    "key": ("text", "the key"),
    "meaning": ("text", "what it means"),
    "commands": ("text", "the commands whose files hold it"),
    "counts": ("text", "what its convention counts"),
    "installed": ("truth", "that its package is installed"),
}
"""Unit and meaning of each key; where one key means two things, ``IN_PLACE`` has the second."""

IN_PLACE = {
    **dict.fromkeys(
        (("records", "settings"), ("check", "settings")),
        ("text", "what was set: `alpha 0.5`; an object in JSON"),
    ),
    ("layers", "input"): ("elements", "C×H×W that the layer reads"),
    ("layers", "output"): ("elements", "C×H×W that the layer puts out"),
    ("layers", "params"): ("count", "trainable parameters of the layer"),
    ("explain", "params"): ("count", "trainable parameters of the layer"),
    ("paper", "paper"): ("text", "`v1`, `v2` or `v3`"),
    ("paper", "version"): ("text", "version of the paper"),
    ("paper", "table"): ("text", "table, figure or section"),
    ("paper", "row"): ("text", "the printed row"),
    ("paper", "figure"): ("text", "what the printed figure is of"),
    ("paper", "target"): ("text", "what is built for it here"),
    ("paper", "printed"): ("text", "as printed"),
    ("paper", "ours"): ("text", "ours, in the manner of the printed one"),
    ("paper", "value"): ("number", "ours, every digit"),
    ("paper", "id"): ("text", "the printed row that it is a figure of, as `v1-t6-01`"),
    ("paper", "verdict"): ("text", "see [the papers](papers.md)"),
    ("paper", "reason"): ("text", "why, where it is not simply reproduced"),
    ("memory", "name"): ("text", "the YAML's stem or the model's name"),
    ("records", "largest_activation_bytes"): ("bytes", "the largest map of the batch, float32"),
    **dict.fromkeys(
        (("records", "arena_bytes"), ("sweep", "arena_bytes")),
        ("bytes", "the arena planned for the deployed network's maps: an interpreter takes more"),
    ),
    **dict.fromkeys(
        (("records", "train_peak_bytes"), ("sweep", "train_peak_bytes")),
        ("bytes", "the most alive in a step of training, everything counted, float32"),
    ),
    **dict.fromkeys(
        (("memory", "peak_activation_bytes"), ("records", "peak_activation_bytes")),
        ("bytes", "the most maps alive at once, eager inference"),
    ),
    ("memory", "settings"): ("text", "what was set: `alpha 0.5`; an object in JSON"),
    ("tensors", "name"): ("text", "the layer that writes the tensor, or `input`"),
    ("deploy", "mult_adds"): ("count", "those layers', from the shapes in the file, for the batch"),
    ("deploy", "verified"): ("truth", "the file is as the closed form says, and outputs are near"),
    ("list columns", "unit"): ("text", "what its values are in"),
    ("list counters", "name"): ("text", "the name that `--counter` takes"),
    ("list counters", "key"): ("text", "the key of its figure"),
    ("list", "kind"): ("text", "`network`, `detection`, `segmentation`, `block` or `space`"),
}

ALIASES = {
    **dict.fromkeys(("macs", "mmacs", "gmacs", "madds"), "mult_adds"),
    **dict.fromkeys(("mflops", "gflops"), "flops"),
}
"""Keys as other tools call them; ``flops`` is a key of its own: two per mult-add."""


def canonical(word: str) -> tuple[str, str]:
    """Return the key that ``word`` of ``--columns`` or ``--sort`` means, and what is to be said."""
    sign = "-" if word.strip().startswith("-") else ""
    name = word.strip().lstrip("-").replace("-", "_").lower()
    if name == "flops":
        return sign + name, ""
    if name not in ALIASES:
        return word, ""
    key = ALIASES[name]
    prefix = " (the column finds its own prefix)" if name[0] in "mg" and name != "macs" else ""
    return sign + key, f"{word.strip().lstrip('-')} is {key} here: {meaning(key)[1]}{prefix}"


LIST_FIELDS = ("name", "kind", "title", "settings", "source")
KEY_FIELDS = ("key", "unit", "meaning", "commands")
COUNTER_FIELDS = ("name", "key", "installed", "counts")
"""Of the tables of ``mbcost list``."""


class Keys(NamedTuple):
    """Keys that stand together in the files of some commands."""

    place: str
    """Where ``IN_PLACE`` looks for what a key means there."""
    commands: tuple[str, ...]
    keys: tuple[str, ...]

    def lines(self) -> Iterator[tuple[str, str, str]]:
        """Yield (key, unit, meaning) of each."""
        for key in self.keys:
            yield key, *meaning(key, self.place)


def meaning(key: str, place: str = "") -> tuple[str, str]:
    """Return unit and meaning of a key in a place."""
    return IN_PLACE.get((place, key)) or MEANINGS.get(key) or _counted(key)


def _counted(key: str) -> tuple[str, str]:
    from mbcost.cost import CONVENTIONS
    from mbcost.modules.counters import COUNTERS

    for counter in COUNTERS.values():
        if counter.key == key:
            return "count", f"{counter.name}: {CONVENTIONS[counter.name].counts}"
    raise KeyError(f"{key} has no line in mbcost.studies.keys.MEANINGS")


@cache
def groups() -> dict[str, Keys]:
    """Return all keys, those that stand together in one group, in the order of docs/columns.md."""
    from mbcost.cost import LAYER_KEYS
    from mbcost.modules.counters import COUNTERS
    from mbcost.studies import deploy_table, explain
    from mbcost.studies.compare import records
    from mbcost.studies.guard import check_table, diff
    from mbcost.studies.memory import figures, stated, steps
    from mbcost.studies.papers import table as paper
    from mbcost.studies.spaces import columns as sweep

    counted = [counter.key for counter in COUNTERS.values()]
    asked = (*records.DEPLOYED_COLUMNS, *records.EXTRA_COLUMNS, *records.MEMORY_COLUMNS)
    diffs = dict.fromkeys(key for view in diff.VIEWS.values() for key in view)
    both, spaces = ("compare", "model"), ("sweep", "search")
    return {
        "records": Keys("records", both, tuple(k for k in records.RECORD_KEYS if k not in counted)),
        "counted": Keys("records", both, tuple(k for k in records.RECORD_KEYS if k in counted)),
        "asked": Keys("records", ("compare",), asked),
        "flops": Keys("records", both, ("flops",)),
        "trained": Keys("records", ("compare",), tuple(records.TRAINED_COLUMNS)),
        "layers": Keys("layers", ("model",), LAYER_KEYS),
        "memory": Keys("memory", ("memory",), tuple(figures.KEYS)),
        "steps": Keys("steps", ("memory --by layer",), tuple(steps.STEP_COLUMNS)),
        "tensors": Keys("tensors", ("memory --by tensor",), tuple(steps.TENSOR_COLUMNS)),
        "sweep": Keys("sweep", spaces, tuple(sweep.COST_KEYS)),
        "whole": Keys("sweep", spaces, tuple(stated.OF_WHOLE)),
        "check": Keys("check", ("check",), tuple(check_table.COLUMNS)),
        "diff": Keys("diff", ("diff",), tuple(diffs)),
        "explain": Keys("explain", ("explain",), tuple(explain.FIELDS)),
        "paper": Keys("paper", ("paper",), tuple(paper.FIELDS)),
        "deploy": Keys("deploy", ("deploy",), tuple(deploy_table.FIELDS)),
        "list": Keys("list", ("list",), LIST_FIELDS),
        "list columns": Keys("list columns", ("list columns",), KEY_FIELDS),
        "list counters": Keys("list counters", ("list counters",), COUNTER_FIELDS),
        "further": Keys("records", both, tuple(k for k in counted if k not in records.RECORD_KEYS)),
    }
