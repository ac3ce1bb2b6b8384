"""Input that is wrong at random: what ``tests.fuzz`` feeds to mbcost.

Half of it is text that was right and is changed in a few places, half is made from the rules of
blocks and settings with a value out of range here and there, which reaches deeper.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from random import Random
from typing import Any

from mbcost.blocks import BLOCKS, MERGES, block_fields
from mbcost.blocks.fields import Number, OneOf, Truth, Whole
from mbcost.budget import LIMITS
from mbcost.settings import SETTINGS, Inputs, SettingRule, Sides

SCALARS = (
    *("0", "-1", "1", "2", "3", "7", "8", "24", "1000", "65536", "65537", "1048576", "1048577"),
    *("1e400", "-1e9", "1e-9", "0.5", "0.35", ".nan", ".inf", "-.inf", "9" * 40, "9" * 5000, "1_0"),
    *("~", "null", "true", "false", "yes", "''", '""', '" "', "[]", "{}", "[1, [2]]", "[1, 2, 3]"),
    *(
        "010",
        "0o10",
        "0x10",
        "1:30",
        "1:2:0.5",
        "2024-01-01",
        "!!int 3",
        "!!bool x",
        "! x",
        "!!str",
    ),
    *("*a", "&a 1", "&a [*a]", "<<", "=", "classes", "relu", "conv", "input", "identity", "none"),
    *(
        "☃",
        "é" * 300,
        '"\\0"',
        '"\\e[31m"',
        '"\\ud800"',
        "|",
        ">",
        "? x",
        "- x",
        "@",
        "%",
        "`",
        "x" * 999,
    ),
    *("[" * 70, "[" * 3000, "{a: " * 100, "- " * 2000, "{}: 1", "224x", "0x0", "224x160", "3.5M"),
)
CHARACTERS = "[]{}:,-&*!|>'\"%@`#?\n\t \0\x07\x1b\r\x85\u2028é☃\ud83d\udcff0123456789.eE+~=<"


def mutated_text(random: Random, text: str) -> str:
    """Return ``text`` changed in a few places: a value, a line, a character, its end."""
    for _ in range(random.choice((1, 1, 1, 2, 3, 6))):
        text = random.choice(_MUTATIONS)(random, text)
    return text


def _another_value(random: Random, text: str) -> str:
    words = list(re.finditer(r"[\w.]+", text))
    if not words:
        return text
    word = random.choice(words)
    values = SCALARS if random.random() < 0.7 else [w.group() for w in words]
    return text[: word.start()] + random.choice(values) + text[word.end() :]


def _another_line(random: Random, text: str) -> str:
    lines = text.splitlines(keepends=True) or [""]
    i, j = random.randrange(len(lines)), random.randrange(len(lines))
    match random.randrange(4):
        case 0:
            del lines[i]
        case 1:
            lines.insert(j, lines[i])
        case 2:
            lines[i], lines[j] = lines[j], lines[i]
        case _:
            lines[i] = " " * random.randrange(6) + lines[i].lstrip()
    return "".join(lines)


def _another_character(random: Random, text: str) -> str:
    i = random.randrange(len(text) + 1)
    inserted = "".join(random.choices(CHARACTERS, k=random.choice((1, 1, 2, 5))))
    return text[:i] + inserted + text[i + random.randrange(3) :]


def _cut(random: Random, text: str) -> str:
    i = random.randrange(len(text) + 1)
    return text[:i] if random.random() < 0.5 else text[i:]


_MUTATIONS = (_another_value,) * 4 + (_another_line,) * 2 + (_another_character,) * 2 + (_cut,)


def value_of(random: Random, rule: SettingRule) -> Any:
    """Return a value that mostly obeys a rule, as YAML or a command line would hold it."""
    if random.random() < 0.03:
        return _Raw(random.choice(SCALARS))
    match rule:
        case Whole(low, high):
            few = (low, low + 1, 2, 3, 4, 8, 16, 24, 32)
            return random.choice(few) if random.random() < 0.97 else random.choice((high, high + 1))
        case Number(high):
            return random.choice(
                (0.25, 0.35, 0.5, 1, 1.4, 2, 4, 6, 0.01, high, 0, -1, high + 1, 1e-9)
            )
        case OneOf(words):
            return random.choice(words)
        case Truth():
            return random.choice((True, False))
        case Sides():
            return random.choice((8, 32, 96, 224, "224x160", "96x1", 65536, 65537))
        case Inputs():
            return random.choice(("1x3x8x8", "1x3x32x32+1x3", "1x77:int64", "0x3", "x"))


class _Raw(str):
    """Text that stands in YAML as it is."""

    __slots__ = ()


def flow(value: Any) -> str:
    """Return YAML in one line."""
    match value:
        case dict():
            return "{" + ", ".join(f"{k}: {flow(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(flow, value)) + "]"
        case bool():
            return str(value).lower()
        case _:
            return str(value)


def random_row(random: Random, names: list[str]) -> dict[str, Any]:
    """Return a row of any block or merge, most of its fields valid, now and then wired."""
    if len(names) > 1 and random.random() < 0.2:
        row: dict[str, Any] = {"block": random.choice(list(MERGES))}
        row["inputs"] = random.choices(names, k=random.choice((1, 2, 2, 2, 3)))
    else:
        block = random.choice(list(BLOCKS))
        row = {"block": block}
        for known in block_fields(BLOCKS[block]).values():
            if known.required or known.name == "c" or random.random() < 0.2:
                row[known.name] = value_of(random, known.rule)
        if block == "inverted_residual":
            row.pop(random.choice(("t", "exp")), None)
        if random.random() < 0.3:
            row["n"] = random.choice((1, 2, 3, 5, 40, 1000, 1001, 0))
        if random.random() < 0.1:
            row["scale"] = random.choice(("full", "widen", "fixed", "truncate", "wide"))
        if random.random() < 0.1:
            row["reduced_tail"] = {"c": random.choice((8, 16, "classes"))}
        if names and random.random() < 0.15:
            row["inputs"] = [random.choice((*names, "input", "nothing"))]
        if random.random() < 0.1:
            row["tap"] = {f"t{len(names)}": random.choice(("expand", "depthwise", "x"))}
            names += row["tap"]
    if random.random() < 0.3:
        row["name"] = f"r{len(names)}"
        names.append(row["name"])
    if random.random() < 0.1:
        row["output"] = True
    return row


def random_network(random: Random) -> str:
    """Return the YAML of a network of random rows."""
    names: list[str] = []
    size = random.choice((8, 32, 33, 224))
    head = {
        "input": [random.choice((1, 3, 16)), size, random.choice((size, 7))],
        "classes": random.choice((1, 10, 1000)),
        "width": random.choice(("truncate", "divisible", "none")),
        "expansion": random.choice(("absolute", "ratio")),
        "output_stride": random.choice((1, 2, 8, 16)),
    }
    lines = [f"{k}: {flow(v)}" for k, v in head.items() if k == "input" or random.random() < 0.4]
    rows = [random_row(random, names) for _ in range(random.choice((1, 2, 4, 8, 20)))]
    return "\n".join([*lines, "rows:", *(f"  - {flow(row)}" for row in rows)]) + "\n"


def random_space(random: Random) -> str:
    """Return the YAML of a space: rows in which a field is a list, settings that are ranges."""
    rows = []
    for _ in range(random.choice((1, 2, 4))):
        row = random_row(random, [])
        for key in list(row):
            if random.random() < 0.2:
                row[key] = [
                    row[key],
                    *(random.choice((1, 2, 3, 5, 8, "conv", [1])) for _ in range(2)),
                ]
        if random.random() < 0.3:
            row["per_layer"] = random.choices([*row, "k"], k=random.choice((1, 2)))
        rows.append(row)
    ranges = ("0.35:1.4:0.35", "1:3:1", "[0.5, 1]", "[8, 16]", "1:0", "0:1e9:1", "true", "[]", "{}")
    settings = {
        key: random.choice(ranges) for key in SETTINGS if random.random() < 0.12 and key != "input"
    }
    head = ["input: [3, 32, 32]", "classes: 10", *[f"settings: {flow(settings)}"] * bool(settings)]
    return "\n".join([*head, "rows:", *(f"  - {flow(row)}" for row in rows)]) + "\n"


def random_budgets(random: Random) -> str:
    """Return the YAML of a budget file."""
    amounts = (
        "3.5M",
        "1",
        "0",
        "300M",
        "1%",
        "4MB",
        "512KiB",
        "-1",
        "1e9",
        "''",
        "100000000T",
        "x",
    )
    budgets = {}
    for target in random.choices(TARGETS, k=random.choice((1, 2, 3))):
        budgets[f'"{target}"'] = {
            key: random.choice(amounts)
            for key in (*LIMITS, "dtype", "fold_bn", "max_growth")
            if random.random() < 0.3
        }
    return "".join(f"{k}: {flow(v)}\n" for k, v in {"budgets": budgets}.items())


JSON_VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 1, 2.5, 10**30, 10**400, 1e308, "", "x", "3", [], {}, [[]], [1, "a"]),
    *(
        [["a"]],
        ["a", "b"],
        {"a": 1},
        {"conv": -1},
        {"conv": [1]},
        [1, 2, 3],
        [[1, 2], [3]],
        "\udcff",
    ),
)


def mutated_json(random: Random, reports: Sequence[str]) -> str:
    """Return a report with a few of its values replaced or left out, or its text changed."""
    text = random.choice(reports)
    if random.random() < 0.2:
        return mutated_text(random, text)
    document: Any = json.loads(text)
    for _ in range(random.choice((1, 1, 2, 4))):
        node = document
        while isinstance(node, dict | list) and node:
            key = random.choice(list(node) if isinstance(node, dict) else range(len(node)))
            if not isinstance(node[key], dict | list) or not node[key] or random.random() < 0.25:
                if random.random() < 0.2:
                    del node[key]
                else:
                    node[key] = random.choice(JSON_VALUES)
                break
            node = node[key]
    return json.dumps(document)


def mutated_csv(random: Random) -> str:
    """Return a sweep's CSV with cells that are empty, words or not numbers at all."""
    lines = ["target,alpha,size,mult_adds"]
    for alpha in (0.5, 1.0):
        for size in (96, 128, 224):
            lines.append(f"v2,{alpha},{size},{int(alpha * size * 1000)}")
    text = "\n".join(lines) + "\n"
    cells = (
        "",
        "x",
        "-1",
        "0",
        "1e400",
        "nan",
        "1e308",
        "-1e308",
        '"',
        '"a,b"',
        "=1+1",
        "9" * 5000,
    )
    for _ in range(random.choice((0, 1, 2, 5))):
        spans = list(re.finditer(r"[^,\n]+", text))
        span = random.choice(spans)
        text = text[: span.start()] + random.choice(cells) + text[span.end() :]
    return text if random.random() < 0.6 else mutated_text(random, text)


TARGETS = (
    *("v1", "v2", "v3-small", "v3_large", "standard", "inverted-residual", "v2@alpha=0.5", "v2@"),
    *("v2@alpha", "v2@alpha=nan", "v2@size=0", "v2@classes=10,size=64x96", "mine.yaml", "a@b.yaml"),
    *("a@b.yaml@size=16", "mine.yaml:thin", "nope", "", " ", "@", "x" * 300, "/", ".", "..", "v9"),
    *("cost.json", "cost.json:v3-small", "space.yaml", "budgets.yaml", "sweep.csv", "evil.py:f"),
    *("timm:", "torchvision:", "standard@kernel=5", "standard@act=selu", "v2@fold_bn=true"),
)
_COMMANDS = {
    "compare": (("--fast",), ("--reference", "--sort", "--columns", "--convention", "--unit")),
    "model": (("--fast",), ("--by", "--sort", "--columns", "--convention", "--unit")),
    "explain": ((), ()),
    "check": (
        (),
        (
            "--max-params",
            "--max-mult-adds",
            "--max-param-bytes",
            "--max-total-bytes",
            "--dtype",
            "--budget",
            "--baseline",
            "--max-growth",
        ),
    ),
    "baseline": ((), ()),
    "diff": ((), ("--by", "--columns", "--sort")),
    "sweep": (("--verify", "0", "--samples", "7"), ("--set", "--columns", "--max-params", "--key")),
    "search": (
        ("--verify", "0", "--samples", "7"),
        ("--set", "--max-params", "--target-mult-adds", "--max-weight-bytes", "--minimize"),
    ),
    "plot share": (("--show-data",), ("--by", "--width")),
    "plot layers": (("--show-data",), ("--width",)),
    "plot sweep": (("--show-data",), ("--key", "--x", "--y", "--only")),
    "plot accuracy": (("--show-data",), ("--x",)),
    "show": ((), ()),
    "list": ((), ()),
}
"""Commands with what keeps them short, and options of their own."""
_OPTION_VALUES = (
    *("params", "mult_adds", "-params", "kind", "block", "layer", "v2", "v1", "torch", "flop", "0"),
    *("1", "3.5M", "100000000T", "1%", "-5", "4MB", "int8", "fp32", "budgets.yaml", "cost.json"),
    *("rows.1.t=3,6", "*.k=3,5", "rows.0.n=1:3", "rows.99.t=1", "x", "", " ", "3in", "1e9", "size"),
    *("alpha", "alpha=0.5", "=", "\udcff", "9" * 400, "☃", "name,params", ",", "sweep.csv", "nan"),
)
_SETTING_VALUES = (
    *("0.5", "1", "0", "-1", "224", "96,128", "0.35:1.4:0.35", "1:0:1", "224x160", "nan", "inf"),
    *(
        "",
        " ",
        "true",
        "relu",
        "65537",
        "1048577",
        "9" * 400,
        "1e9",
        "x",
        "3",
        "0:1e5000:1",
        "1x3x8x8",
    ),
)


def random_settings(random: Random, names: Sequence[str]) -> dict[str, Any]:
    """Return values for a few settings of these names."""
    rules = {name: SETTINGS[name] for name in names if name in SETTINGS}
    chosen = [name for name in rules if random.random() < 0.2]
    return {name: value_of(random, rules[name]) for name in chosen}


def arguments(random: Random) -> list[str]:
    """Return a command line: a command, targets, options with values of any kind."""
    command = random.choice(list(_COMMANDS))
    short, own = _COMMANDS[command]
    many = (
        (1, 1, 1, 2, 2, 0)
        if command in ("compare", "check", "baseline", "diff")
        else (1, 1, 1, 0, 2)
    )
    given = [*command.split(), *random.choices(TARGETS, k=random.choice(many)), *short]
    for option in own:
        if random.random() < 0.25:
            given += [option, random.choice(_OPTION_VALUES)]
    for name in SETTINGS:
        if random.random() < 0.06:
            given += [f"--{name.replace('_', '-')}", random.choice(_SETTING_VALUES)]
    if random.random() < 0.3:
        given += ["--format", random.choice(("csv", "json", "latex", "markdown", "html", "x"))]
    if random.random() < 0.3:
        given += ["-o", random.choice(OUTPUTS)]
    if random.random() < 0.05:
        given.insert(random.randrange(len(given) + 1), random.choice(("--bogus", "-x", "--", "-h")))
    return given


OUTPUTS = (
    *("out.csv", "out.json", "out.md", "out.tex", "out.txt", "-", "out.svg", "no/out.csv", "out.x"),
    *("x" * 300 + ".csv", "out\udcff.csv", "", "a@b.csv", "/", "."),
)
