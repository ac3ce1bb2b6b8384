"""Command lines: most of one is right, or nothing but the first mistake would ever be tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random

from mbcost.networks.settings import SETTINGS

TARGETS = (
    *("v1", "v2", "v3-small", "v3_large", "standard", "inverted-residual", "v2@alpha=0.5", "v2@"),
    *("v2@alpha", "v2@alpha=nan", "v2@size=0", "v2@classes=10,size=64x96", "mine.yaml", "a@b.yaml"),
    *("a@b.yaml@size=16", "mine.yaml:thin", "nope", "", " ", "@", "x" * 300, "/", ".", "..", "v9"),
    *("cost.json", "cost.json:v3-small", "space.yaml", "budgets.yaml", "sweep.csv", "evil.py:f"),
    *("timm:", "torchvision:", "standard@kernel=5", "standard@act=selu", "v2@fold_bn=true"),
)
GOOD_TARGETS = ("v1", "v2", "v3-small", "v2@alpha=0.5", "standard", "a@b.yaml", "space.yaml")
_COMMANDS: dict[str, tuple[tuple[int, ...], tuple[str, ...]]] = {
    "compare": ((0, 1, 2, 3), ("--fast",)),
    "model": ((1,), ("--fast",)),
    "explain": ((1,), ()),
    "check": ((0, 1, 2), ()),
    "baseline": ((1, 2), ()),
    "diff": ((2,), ()),
    "sweep": ((1,), ("--verify", "0", "--samples", "7")),
    "search": ((1,), ("--verify", "0", "--samples", "7")),
    "plot share": ((1, 2), ("--show-data",)),
    "plot layers": ((1,), ("--show-data",)),
    "plot sweep": ((1,), ("--show-data",)),
    "plot accuracy": ((0, 1), ("--show-data",)),
    "memory": ((1, 2), ()),
    "plot memory": ((1,), ("--show-data",)),
    "deploy": ((1,), ("--size", "32", "-o", "net.tflite", "-o", "net.onnx")),
    "show": ((1,), ()),
    "list": ((0,), ()),
}
"""Commands with how many targets they take, and what keeps them short."""
_LEFT_OUT = ("--help", "--counter", "--fast", "--verify", "--samples", "--workers", "--plot")
_GOOD_VALUES = {
    "--alpha": ("0.5", "1", "0.35:1.4:0.35", "0.5,1"),
    "--rho": ("0.5", "1"),
    "--size": ("96", "224x160", "96,128", "32"),
    "--in": ("1", "16"),
    "--out": ("8", "24"),
    "--kernel": ("1", "3", "5"),
    "--stride": ("1", "2"),
    "--padding": ("0", "1"),
    "--expand": ("1", "4"),
    "--act": ("relu", "none"),
    "--classes": ("10", "1000"),
    "--round-nearest": ("4", "8"),
    "--output-stride": ("8", "16"),
    "--batch": ("1", "8"),
    "--max-params": ("3.5M", "0", "1000000"),
    "--max-mult-adds": ("300M", "0", "1T"),
    "--max-param-bytes": ("4MB",),
    "--max-weight-bytes": ("4MB", "512KiB"),
    "--max-activation-bytes": ("2MB",),
    "--max-total-bytes": ("100MB",),
    "--dtype": ("int8", "fp32", "fp16", "bf16"),
    "--budget": ("budgets.yaml",),
    "--baseline": ("cost.json",),
    "--max-growth": ("1%", "0%"),
    "--format": ("csv", "json", "latex", "markdown", "table"),
    "--output": (
        *("out.csv", "out.json", "out.md", "out.tex", "-", "out.onnx", "out.tflite"),
        *("OUT.TFLITE", "out.onnx"),
    ),
    "--layout": ("nchw", "nhwc"),
    "--input-range": ("0:255", "-1:1", "0:1", "-1e-9:1e-9", "-1e30:1e30", "1:0"),
    "--weights": ("cost.json", "mine.yaml", "none.pt", "random"),
    "--seed": ("0", "7", "-1"),
    "--fuse": ("none", "tflite", "all"),
    "--image": ("held", "released", "excluded"),
    "--in-place": ("add", "depthwise", "add,depthwise", "none"),
    "--order": ("as-is", "best"),
    "--align": ("1", "16", "64", "0"),
    "--optimizer": ("sgd", "momentum", "adam", "adamw"),
    "--fit": ("200MB", "1KiB", "0", "10GB"),
    "--sort": ("params", "-mult_adds", "name"),
    "--columns": ("name,params", "target,alpha,mult_adds"),
    "--by": ("kind", "layer", "block"),
    "--set": ("rows.1.t=3,6", "*.k=3,5", "rows.0.k=1:3"),
    "--x": ("params", "size", "alpha"),
}
_OPTION_VALUES = (
    *("params", "mult_adds", "-params", "v2", "torch", "flop", "0", "1", "3.5M", "100000000T"),
    *("1%", "-5", "4MB", "int8", "budgets.yaml", "cost.json", "rows.0.n=1:3", "rows.99.t=1", "x"),
    *("", " ", "3in", "1e9", "size", "alpha=0.5", "=", "\udcff", "9" * 400, "☃", ",", "sweep.csv"),
    *("0.35:1.4:0.35", "1:0:1", "nan", "inf", "true", "65537", "0:1e5000:1", "1x3x8x8", "\0"),
    *("x" * 300 + ".csv", "out\udcff.csv", "a@b.csv", "no/out.csv", "out.svg", "/", ".", "1e-9"),
)


def arguments(random: Random, options_of: Callable[[str], Mapping[str, bool]]) -> list[str]:
    """Return a command line: a command, targets, some of its options; ``options_of`` knows them."""
    command = random.choice(list(_COMMANDS))
    counts, short = _COMMANDS[command]
    count = random.choice(counts) if random.random() < 0.95 else random.randrange(4)
    known = GOOD_TARGETS if random.random() < 0.7 else TARGETS
    given = [*command.split(), *random.choices(known, k=count), *short]
    if command == "plot sweep" and random.random() < 0.5:
        given[2:3] = ["sweep.csv"]
    if command == "diff" and random.random() < 0.5:
        given[-1:] = ["cost.json"]
    settings = {f"--{name.replace('_', '-')}" for name in SETTINGS}
    for option, is_flag in options_of(command).items():
        if option in _LEFT_OUT or random.random() > (0.03 if option in settings else 0.15):
            continue
        if is_flag:
            given.append(option)
            continue
        values: Sequence[str] = _OPTION_VALUES
        if random.random() < 0.8:
            values = _GOOD_VALUES.get(option, values)
        given += [option, random.choice(values)]
    if random.random() < 0.03:
        given.insert(random.randrange(len(given) + 1), random.choice(("--bogus", "-x", "--", "-h")))
    return given
