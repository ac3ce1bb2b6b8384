"""Text that was right, changed in a few places: YAML, JSON, CSV."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from copy import deepcopy
from random import Random
from typing import Any

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
    for _ in range(random.choice((1, 1, 1, 1, 1, 1, 2, 3, 6))):
        text = random.choice(_MUTATIONS)(random, text)
    return text


def _another_value(random: Random, text: str) -> str:
    pattern = r"(?<=[:,\[-] )[^\s,:{}\[\]]+" if random.random() < 0.7 else r"[\w.]+"
    words = list(re.finditer(pattern, text))
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


_MUTATIONS = (_another_value,) * 8 + (_another_line,) * 2 + (_another_character,) * 2 + (_cut,)


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
        targets = node.get("targets") if isinstance(node, dict) else node
        if isinstance(targets, list) and targets and random.random() < 0.6:
            node = random.choice(targets)  # or one of a thousand layers would be changed
        while isinstance(node, dict | list) and node:
            key = random.choice(list(node) if isinstance(node, dict) else range(len(node)))
            if not isinstance(node[key], dict | list) or not node[key] or random.random() < 0.25:
                if random.random() < 0.2:
                    del node[key]
                else:
                    node[key] = deepcopy(random.choice(JSON_VALUES))
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
