"""The JSON schema says what the reader of each file says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import jsonschema
import pytest
import yaml

from mbcost.errors import MbcostError
from mbcost.networks.yaml import load_specs
from mbcost.networks.yaml.catalog import configs_dir
from mbcost.networks.yaml.document import parse_document
from mbcost.studies.device.profile import load_device
from mbcost.studies.guard.budget_file import load_budgets
from mbcost.studies.schema import json_schema
from mbcost.studies.spaces.space_file import load_space
from tests.hostile.documents import random_budgets, random_network, random_space

CONFIGS = sorted(path for path in configs_dir().glob("*/*.yaml") if path.parent.name != "papers")
ROW = {"block": "conv", "c": 8}
GOOD: dict[str, dict[str, Any]] = {
    "network": {"input": [3, 8, 8], "rows": [ROW]},
    "set": {"blocks": {"a": {"block": "conv", "k": 3}}},
    "budgets": {"budgets": {"v2": {"max_params": "3.5M"}}},
    "space": {
        "input": [3, 8, 8],
        "rows": [{**ROW, "k": [3, 5], "n": [1, 2], "per_layer": ["k"]}],
        "settings": {"alpha": [0.5, 1.0], "size": "8:32:8"},
    },
    "device": {"source": "datasheet", "peaks": {"fp32": {"mult_adds_per_s": "1G", "source": "x"}}},
}
REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("network", {"rows": []}),
    ("network", {"rows": [{"block": "convv", "c": 8}]}),
    ("network", {"rows": [{**ROW, "kk": 3}]}),
    ("network", {"rows": [{**ROW, "c": -1}]}),
    ("network", {"rows": [{**ROW, "n": 1001}]}),
    ("network", {"rows": [{**ROW, "scale": "wide"}]}),
    ("network", {"rows": [{"block": "linear"}]}),
    ("network", {"rows": [ROW, {"block": "add"}]}),
    ("network", {"rows": [{**ROW, "reduced_tail": {"kk": 3}}]}),
    ("network", {"input": [3, 8]}),
    ("network", {"width": "wide"}),
    ("network", {"output_stride": None}),
    ("network", {"published": [{"alpha": 1.0}]}),
    ("network", {"published": [{"alpha": 0, "size": 224}]}),
    ("network", {"published": [{"alpha": 1, "size": 224, "params": 300}]}),
    ("network", {"typo": 1}),
    ("set", {"blocks": {}}),
    ("set", {"blocks": {"a": {"block": "fire"}}}),
    ("set", {"blocks": {"a": {**ROW, "n": 2}}}),
    ("set", {"classes": 10}),
    ("budgets", {"budgets": {}}),
    ("budgets", {"dtype": "int3"}),
    ("budgets", {"max_growth": 1}),
    ("budgets", {"budgets": {"v2": {"max_params": "3.5MB"}}}),
    ("space", {"rows": [{**ROW, "k": []}]}),
    ("space", {"rows": [{**ROW, "k": [3, None]}]}),
    ("space", {"rows": [{**ROW, "k": [3, 0]}]}),
    ("space", {"rows": [{**ROW, "block": ["conv", "linear"]}]}),
    ("space", {"settings": {"alpha": []}}),
    ("space", {"settings": {"alpha": [[1]]}}),
    ("space", {"setting": {}}),
    ("device", {"source": ""}),
    ("device", {"peaks": {"fp64": {"mult_adds_per_s": "1G", "source": "x"}}}),
    ("device", {"peaks": {"fp32": {"mult_adds_per_s": "1G"}}}),
    ("device", {"peaks": {"fp32": {"factors": {}, "source": "x"}}}),
    ("device", {"bandwidths": []}),
    ("device", {"bandwidths": [{"bytes_per_s": "1GB", "source": "x"}]}),
    ("device", {"flash_bytes": "1 Mbit"}),
    ("device", {"typo": 1}),
]


@cache
def validator() -> Any:
    return jsonschema.Draft202012Validator(json_schema())


def load(kind: str, text: str, folder: Path) -> Any:
    path = folder / "mine.yaml"
    path.write_text(text, "utf-8")
    readers: dict[str, Callable[[], Any]] = {
        "budgets": lambda: load_budgets(path),
        "space": lambda: load_space(str(path)),
        "device": lambda: load_device(str(path)),
    }
    return readers.get(kind, lambda: load_specs(path))()


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_config_obeys_the_schema(path: Path) -> None:
    validator().validate(yaml.safe_load(path.read_text("utf-8")))


@pytest.mark.parametrize("kind", GOOD)
def test_each_kind_of_file_is_known(kind: str, tmp_path: Path) -> None:
    validator().validate(GOOD[kind])
    load(kind, yaml.safe_dump(GOOD[kind]), tmp_path)


@pytest.mark.parametrize(("kind", "change"), REFUSED, ids=str)
def test_what_the_reader_refuses_the_schema_refuses(
    kind: str, change: dict[str, Any], tmp_path: Path
) -> None:
    changed = {**GOOD[kind], **change}
    assert not validator().is_valid(changed)
    with pytest.raises(MbcostError):
        load(kind, yaml.safe_dump(changed), tmp_path)


def documents(kind: str, cases: int) -> Iterator[str]:
    make = {"network": random_network, "budgets": random_budgets, "space": random_space}[kind]
    for case in range(cases):
        yield make(Random(f"{kind}:{case}"))


@pytest.mark.parametrize("kind", ["network", "budgets", "space"])
def test_what_the_reader_takes_the_schema_takes(kind: str, tmp_path: Path) -> None:
    taken = 0
    for text in documents(kind, 120):
        try:
            load(kind, text, tmp_path)
        except MbcostError:
            continue
        taken += 1
        validator().validate(parse_document(text, "mine.yaml").data)
    assert taken > 30


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
