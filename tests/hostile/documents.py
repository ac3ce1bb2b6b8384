"""YAML made from the rules of blocks and settings, a value out of range here and there."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from mbcost.networks.blocks import BLOCKS, MERGES, ONE_OF, block_fields
from mbcost.networks.rules import Inputs, Number, OneOf, SettingRule, Sides, Truth, Whole
from mbcost.networks.settings import SETTINGS
from mbcost.studies.guard.budget import LIMITS
from tests.hostile.commands import GOOD_TARGETS, TARGETS
from tests.hostile.text import SCALARS


def value_of(random: Random, rule: SettingRule) -> Any:
    """Return a value that mostly obeys a rule, as YAML or a command line would hold it."""
    if random.random() < 0.005:
        return random.choice(SCALARS)
    few: tuple[Any, ...]
    wrong: tuple[Any, ...]
    match rule:
        case Whole(low, high):
            few, wrong = (low, low + 1, 2, 3, 4, 8, 16, 24, 32), (high, high + 1, low - 1)
        case Number(high):
            few, wrong = (0.25, 0.5, 1, 1.4, 2, 4, 6, 0.01, high), (0, -1, high + 1)
        case OneOf(words):
            return random.choice(words)
        case Truth():
            return random.choice((True, False))
        case Sides():
            few, wrong = (8, 32, 96, 224, "224x160", "96x1"), (65536, 65537)
        case Inputs():
            return random.choice(("1x3x8x8", "1x3x32x32+1x3", "1x77:int64", "0x3", "x"))
    return random.choice(few if random.random() < 0.98 else wrong)


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


def random_row(random: Random) -> dict[str, Any]:
    """Return a row of any block, most of its fields valid."""
    block = random.choice(list(BLOCKS))
    known = block_fields(BLOCKS[block])
    rivals = ONE_OF.get(block, ())
    row: dict[str, Any] = {"block": block}
    for name, one in known.items():
        if name not in rivals and (one.required or random.random() < 0.15):
            row[name] = value_of(random, one.rule)
    if rivals:
        chosen = random.choice(rivals)
        row[chosen] = value_of(random, known[chosen].rule)
    if random.random() < 0.3:
        row["n"] = random.choice((1, 2, 2, 3, 3, 3, 5, 40, 1000, 1001))
    if random.random() < 0.1:
        row["scale"] = random.choice(("full", "widen", "fixed", "truncate"))
    if random.random() < 0.1 and "c" in row:
        row["reduced_tail"] = {"c": random.choice((8, 16, "classes"))}
    if random.random() < 0.02:
        row.pop(random.choice(list(row)))
    return row


def wired(random: Random, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows with names, taps and merges between them, most of which fit."""
    found: list[dict[str, Any]] = []
    names: list[str] = []
    for i, row in enumerate(rows):
        if len(names) > 1 and random.random() < 0.4:
            merge = random.choice(list(MERGES))
            found.append(
                {"block": merge, "inputs": random.choices(names, k=random.choice((2, 2, 3)))}
            )
        if names and random.random() < 0.2:
            row["inputs"] = [random.choice((*names, "input"))]
        if random.random() < 0.1 and "n" not in row:
            row["tap"] = {f"t{i}": random.choice(("expand", "depthwise", "conv"))}
            names.append(f"t{i}")
        if random.random() < 0.4:
            row["name"] = f"r{i}"
            names.append(row["name"])
        if random.random() < 0.1:
            row["output"] = True
        found.append(row)
    read = {name for row in found for name in row.get("inputs", ())}
    for row in found if random.random() < 0.95 else ():
        if row.get("name") not in read:
            row.pop("name", None)
        if not read.issuperset(row.get("tap", ())):
            row.pop("tap", None)
    return found


def random_network(random: Random) -> str:
    """Return the YAML of a network of random rows, or of a set of random blocks."""
    size = random.choice((8, 32, 33, 224))
    head = {
        "input": [random.choice((1, 3, 16)), size, random.choice((size, 7))],
        "classes": random.choice((1, 10, 1000)),
        "width": random.choice(("truncate", "divisible", "none")),
        "expansion": random.choice(("absolute", "ratio")),
        "output_stride": random.choice((1, 2, 8, 16)),
    }
    rows = [random_row(random) for _ in range(random.choice((1, 2, 4, 8, 20)))]
    if random.random() < 0.15:
        return f"input: {flow(head['input'])}\nblocks: {flow(dict(enumerate(rows)))}\n"
    sure = ("input", "classes")
    lines = [f"{k}: {flow(v)}" for k, v in head.items() if k in sure or random.random() < 0.2]
    if random.random() < 0.5:
        rows = wired(random, rows)
    return "\n".join([*lines, "rows:", *(f"  - {flow(row)}" for row in rows)]) + "\n"


def random_space(random: Random) -> str:
    """Return the YAML of a space: rows in which a field is a list, settings that are ranges."""
    rows = []
    for _ in range(random.choice((1, 2, 4))):
        row = random_row(random)
        fields = [key for key in row if isinstance(row[key], int)]
        for key in fields:
            if random.random() < 0.4:
                others = (1, 2, 3, 5, 8) if random.random() < 0.97 else ("conv", [1], "x", None)
                row[key] = [row[key], *random.choices(others, k=2)]
        listed = [key for key in fields if isinstance(row[key], list)]
        if listed and random.random() < 0.4:
            row["per_layer"] = [random.choice(listed if random.random() < 0.95 else list(row))]
        rows.append(row)
    head = ["input: [3, 32, 32]", "classes: 10"]
    good: dict[str, tuple[str, ...]] = {
        "alpha": ("'0.35:1.4:0.35'", "[0.5, 1]", "0.5"),
        "size": ("[32, 64]", "'32:64:8'"),
    }
    wrong = ("1:3:1", "'1:0'", "'0:1e9:1'", "true", "[]", "{}", "[[1]]", "x")
    settings = {key: random.choice(values) for key, values in good.items() if random.random() < 0.5}
    if random.random() < 0.15:
        settings[random.choice(list(SETTINGS))] = random.choice(wrong)
    if settings:
        head.append(f"settings: {flow(settings)}")
    return "\n".join([*head, "rows:", *(f"  - {flow(row)}" for row in rows)]) + "\n"


def random_budgets(random: Random) -> str:
    """Return the YAML of a budget file."""
    good: dict[str, tuple[str, ...]] = dict.fromkeys(LIMITS, ("3500000", "0", "300k", "1"))
    good |= {"dtype": ("int8", "fp16"), "fold_bn": ("true", "false")}
    wrong = ("-1", "1e9", "''", "100000000T", "x", "1%", "[]", "4MB", "3.5M")
    known = GOOD_TARGETS[:-1] if random.random() < 0.8 else TARGETS
    budgets = {
        f'"{target}"': {
            key: random.choice(values if random.random() < 0.98 else wrong)
            for key, values in good.items()
            if random.random() < 0.4
        }
        for target in random.choices(known, k=random.choice((1, 2, 3)))
    }
    head = "max_growth: 1%\n" if random.random() < 0.1 else ""
    return f"{head}budgets: {flow(budgets)}\n"


def random_settings(random: Random, names: Sequence[str]) -> dict[str, Any]:
    """Return values for a few settings of these names."""
    rules = {name: SETTINGS[name] for name in names if name in SETTINGS}
    chosen = [name for name in rules if random.random() < 0.2]
    return {name: value_of(random, rules[name]) for name in chosen}
