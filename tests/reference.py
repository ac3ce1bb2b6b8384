"""The pages and tables of docs/ that are generated: the keys of files, conventions and floors.

A new key needs its line in ``MEANINGS``, a new counter none: its convention says what it counts.
``python -m tests.regenerate`` writes them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

import mbcost
from mbcost.cost import CONVENTIONS, LAYER_KEYS
from mbcost.modules.counters import COUNTERS
from mbcost.studies import deploy_table, explain, listing
from mbcost.studies.compare import records
from mbcost.studies.device import latency_table as latency
from mbcost.studies.device import table as bounds
from mbcost.studies.guard import check_table, diff
from mbcost.studies.memory import figures as memory
from mbcost.studies.memory import steps
from mbcost.studies.memory.stated import OF_WHOLE
from mbcost.studies.papers import table as paper
from mbcost.studies.spaces import columns as sweep
from mbcost.studies.spaces.sweep.table import PREDICTED
from mbcost.studies.training import table as training
from tests.test_architecture import DOORS, FLOORS, PACKAGE

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
    "predicted_top1": ("per cent", "predicted by a fit over published points, measured by nobody"),
    "predicted_top1_error": ("points", "its error bar: mean leave-one-out error of the family"),
    "top1_source": ("text", "where it is printed"),
    "trained_top1": ("per cent", "measured on the test images at the end of a training"),
    "trained_top5": ("per cent", "so is this; empty of five classes or fewer"),
    "test_loss": ("nats", "mean cross-entropy on the test images"),
    "data": ("text", "what was trained on"),
    "epochs": ("count", "passes over the images"),
    "seed": ("count", "of all that a training draws"),
    "train_images": ("images", "trained on"),
    "val_images": ("images", "held out; empty if none"),
    "test_images": ("images", "tested on"),
    "best_epoch": ("count", "the epoch with the greatest top-1 on what was held out"),
    "best_val_top1": ("per cent", "that top-1"),
    "best_top1": ("per cent", "what that epoch reaches on the test images"),
    "train_s": ("seconds", "spent on steps, over all resumptions"),
    "data_sha256": ("text", "digest of pixels, labels and classes"),
    "weights_sha256": ("text", "digest of the weights at the end"),
    "kernel_seen": ("per cent", "positions of the kernel that meet the map, not padding alone"),
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
    "file": ("text", "the file, as named"),
    "file_format": ("text", "`ONNX` or `TFLite`"),
    "layout": ("text", "dimensions of input and maps: `nchw` or `nhwc`"),
    "input_low": ("number", "least value of the input"),
    "input_high": ("number", "greatest value of the input"),
    "weights_from": ("text", "the file of the weights, or `random` and the seed"),
    "file_bytes": ("bytes", "the file"),
    "predicted_bytes": ("bytes", "its parameters, by closed form"),
    "predicted_peak_bytes": (
        "bytes",
        "the largest set of maps alive at once in the file as a runtime that fuses relu and relu6 "
        "runs it: a prediction",
    ),
    "arena_measured": ("truth", "TFLite Micro planned `arena_bytes` for this file, in this run"),
    "overhead_bytes": ("bytes", "all else in it: file − predicted"),
    "layers": ("count", "convolutions and linear layers"),
    "layers_matched": ("count", "those the file has by name, with all their figures"),
    "max_difference": ("ratio", "largest difference of an output from torch ÷ its largest element"),
    "device": ("text", "the device's name: the stem of its file"),
    "moved_bytes": ("bytes", "weights and maps that operators read, and maps that they write"),
    "mult_adds_per_byte": ("ratio", "`mult_adds` ÷ `moved_bytes`"),
    "runtime": ("text", "`eager`, `compile`, `onnx` or `litert`"),
    "seconds": ("seconds", "median of the rounds, on `clock`"),
    "seconds_low": ("seconds", "from here the true median lies, in 95 % of cases"),
    "seconds_high": ("seconds", "to here"),
    "margin": ("ratio", "distance of the farther of both ÷ the median"),
    "ratio": ("ratio", "median of the rounds' ratios to the reference"),
    "ratio_low": ("ratio", "from here the true one lies, in 95 % of cases"),
    "ratio_high": ("ratio", "to here"),
    "ratio_margin": ("ratio", "distance of the farther of both ÷ the median"),
    "gmacs_per_second": ("10⁹ per second", "`mult_adds` ÷ `seconds`"),
    "disturbed": ("ratio", "threads × wall ÷ CPU time: 1 where nothing else ran in its place"),
    "evidence": ("truth", "the time is one to build on"),
    "rounds": ("count", "in each of which every target ran once"),
    "clock": ("text", "`cpu` at one thread, `wall` at several"),
    "cpu": ("text", "the processor"),
    "load": ("count", "processes that ran or waited, mean of the last minute"),
    "date": ("text", "when it was measured, UTC"),
    "mult_adds_share": ("ratio", "of all mult-adds"),
    "threads": ("count", "threads that were allowed"),
    "time_share": ("ratio", "of the time of all rows"),
    "at_least_seconds": ("seconds", "no run of these operators is faster: no latency"),
    "most_gmacs_per_second": ("10⁹/s", "`mult_adds` ÷ `at_least_seconds`"),
    "bound": ("text", "what most of that time is bound by: `compute` or `memory`"),
    "memory_share": ("ratio", "of that time, what operators take that memory bounds"),
    "bound_share": ("ratio", "of the target's `at_least_seconds`"),
    "ceiling": ("text", "a type, of mult-adds; a cache or memory, of bytes"),
    "mult_adds_per_s": ("1/s", "multiply-adds a second at most"),
    "bytes_per_s": ("bytes/s", "read and written together, at most"),
    "bytes": ("bytes", "what it holds; of caches, with all before it"),
    "title": ("text", "the name in full"),
    "settings": ("text", "the settings it takes"),
    "source": ("text", "the paper or code it follows"),
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
    ("deploy", "arena_bytes"): (
        "bytes",
        "the arena that TFLite Micro's planner makes of this file's maps: its head",
    ),
    ("deploy", "verified"): ("truth", "the file is as the closed form says, and outputs are near"),
    ("train", "params"): ("count", "weights, biases, batch-norm γ and β"),
    ("train", "mult_adds"): ("count", "multiply-adds of one image, at the size trained on"),
    ("shares", "seconds"): ("seconds", "median; of several layers the sum of their medians"),
    ("latency", "moved_bytes"): (
        "bytes",
        "parameters, maps read and maps written, each once, in `dtype`",
    ),
    ("bounds", "settings"): ("text", "what was set: `alpha 0.5`; an object in JSON"),
    ("ceilings", "source"): ("text", "the document, or what was timed"),
    ("list", "kind"): (
        "text",
        "`network`, `detection`, `segmentation`, `block`, `space` or `device`",
    ),
}

_HEAD = "| key | unit | meaning |\n|---|---|---|\n"
CONVENTIONS_MARK = "conventions: written by python -m tests.regenerate"
FLOORS_MARK = "floors: written by python -m tests.regenerate"
FURTHER = "## Further counters\n"


def columns_page() -> str:
    """Return ``docs/columns.md``."""
    first = [key for key in records.RECORD_KEYS if key not in _MEASURED]
    counted = [key for key in records.RECORD_KEYS if key in _MEASURED]
    diffs = dict.fromkeys(key for view in diff.VIEWS.values() for key in view)
    return f"""# Columns and keys

What files hold, by command. CSV and JSON have the same keys, with raw integers in base units. A
value that is missing is empty (`null` in JSON), never 0. `--columns` and `--sort` take these keys.

<!-- written by python -m tests.regenerate -->

## Records: `compare`, `model`, `mbcost.count`

{_table("records", first)}
Each counter has a key of its own, empty where it was not run:

{_table("records", counted)}
With `--fold-bn`, and wherever `--columns` asks for them:

{_table("records", (*records.DEPLOYED_COLUMNS, *records.EXTRA_COLUMNS, *records.MEMORY_COLUMNS))}
With `--unit flop` and `--convention torch`, where `mult_adds` stay mult-adds:

{_table("records", ("flops",))}
JSON adds `params_by_kind` and `mult_adds_by_kind`; `model` adds `layers`, and `by_block` or
`by_kind` as `--by` says. Of a traced model JSON has `uncounted` too: the operators whose cost is
missing from the totals, each with how often it ran.

## Layers: `model`

{_table("layers", LAYER_KEYS)}
`mult_adds` are those of the layer, for the batch. `--by block` and `--by kind` have `block` or
`kind`, `params` and `mult_adds`. Behind them stand `flops`, where they were asked for, and in CSV
`unit` and `convention`.

## `memory`

Null where a figure was not asked for or is not known:

{_table("memory", memory.KEYS)}
With `--verify` there is `verified`, and in JSON `measured`. `--by layer`:

{_table("steps", steps.STEP_COLUMNS)}
`--by tensor`:

{_table("tensors", steps.TENSOR_COLUMNS)}
## Sweeps: `sweep`, `search`

First what was chosen, each choice under its own key (`alpha`, `size`, `rows.3.t`), then what it
costs, and `top1` where one is published:

{_table("sweep", sweep.COST_KEYS)}
Where a limit is on them, or `--columns` asks for them:

{_table("sweep", OF_WHOLE)}
With `--accuracy predicted`:

{_table("sweep", PREDICTED)}
## `check`

{_table("check", check_table.COLUMNS)}
## `diff`

{_table("diff", diffs)}
## `latency`

{_table("latency", latency.FIELDS)}
JSON adds `settings`; `stopped`, why no further round was run; `warm_up`, rounds before the first
that counts; `cpu_samples` and `wall_samples`, seconds of each round. `--by layer`, and with another
first column `kind` and `block`:

{_table("shares", latency.SHARE_COLUMNS)}
## `explain`

{_table("explain", explain.FIELDS)}
## `paper`

{_table("paper", paper.FIELDS)}
## `deploy`

{_table("deploy", deploy_table.FIELDS)}
JSON adds `settings`; `parameters` and `constants`, elements by type; `overhead`, bytes by part; and
`file_layers`: `path`, `weights`, `biases` and `mult_adds` as the file has them.

## `train`

`record.json` has these, and `compare --runs` `trained_top1`, `data`, `epochs` and `seed`:

{_table("train", training.FIELDS)}
It adds `name`, `settings`, `recipe`, `history`, a row an epoch, `classes`, `confusion`, by true
class how often each class was answered, `mean` and `std` of each channel, `graph_sha256`,
`threads`, `device` and `versions`. `predict` prints `class` and `probability`, in per cent.

## `roof`

With targets and a device:

{_table("bounds", bounds.FIELDS)}
JSON holds these as `bounds`, beside the `device`. `--by layer`, and without `path` `--by kind`:

{_table("parts", bounds.PART_COLUMNS)}
Of a device:

{_table("ceilings", bounds.CEILING_COLUMNS)}
## `list`

{_table("list", listing.FIELDS)}
{FURTHER}
Where they were run (`--counter NAME`), their figures stand behind those of torch:

{_table("records", (c.key for c in COUNTERS.values() if c.key not in records.RECORD_KEYS))}"""


_MEASURED = {counter.key: counter for counter in COUNTERS.values()}


def _table(place: str, keys: Iterable[str]) -> str:
    return _HEAD + "".join(_line(place, key) for key in keys)


def _line(place: str, key: str) -> str:
    unit, meaning = IN_PLACE.get((place, key)) or MEANINGS.get(key) or _counted(key)
    return f"| `{key}` | {unit} | {meaning} |\n"


def _counted(key: str) -> tuple[str, str]:
    if key not in _MEASURED:
        raise KeyError(f"{key} has no line in tests.reference.MEANINGS")
    counter = _MEASURED[key]
    return "count", f"{counter.name}: {CONVENTIONS[counter.name].counts}"


def conventions_table() -> str:
    """Return the conventions in words, each with its total of V2."""
    report = mbcost.count("v2")
    head = "\n| convention | what is counted | v2 |\n|---|---|--:|\n"
    return (
        head
        + "".join(
            f"| `{name}` | {convention.counts} | {report.total(convention):,} |\n"
            for name, convention in CONVENTIONS.items()
        )
        + "\n"
    )


def floors_table() -> str:
    """Return the rooms from the top floor down, each in its own words, and its doors."""
    head = "\n| floor | room | what it holds | door to |\n|--:|---|---|---|\n"
    return head + "".join(map(_room, sorted(FLOORS, key=FLOORS.__getitem__, reverse=True))) + "\n"


def _room(name: str) -> str:
    file = PACKAGE / f"{name}.py"
    file = file if file.exists() else PACKAGE / name / "__init__.py"
    face = (ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "").split("\n\n")[0]
    doors = ", ".join(package for package, rooms in DOORS.items() if name in rooms)
    shown = " ".join(face.replace("``", "`").split())
    return f"| {FLOORS[name]} | `{name}` | {shown} | {doors or '–'} |\n"
