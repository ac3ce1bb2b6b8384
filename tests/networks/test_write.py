"""What is written as YAML costs what it was written from, whatever made its layers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import mbcost
from mbcost.errors import MbcostError
from mbcost.graph.primitives import Shape
from mbcost.networks.blocks import BLOCKS, block_fields
from mbcost.networks.spec import report
from mbcost.networks.yaml.write import spec_yaml
from mbcost.studies.spaces.parts import scalar_figures
from mbcost.studies.spaces.space import Space
from mbcost.studies.spaces.space_file import load_space
from tests import strategies
from tests.conftest import Cli


def random_rows(rng: random.Random, x: Shape) -> Iterator[dict[str, Any]]:
    """Yield rows of blocks that fit one after the other."""
    for _ in range(rng.randint(2, 6)):
        block, fields, x = strategies.fitting_next(rng, x)
        row: dict[str, Any] = {"block": block, **fields}
        if rng.random() < 0.5:
            row["n"] = rng.randint(2, 4)
        if rng.random() < 0.3:
            row["scale"] = rng.choice(("fixed", "widen", "truncate"))
        if "c" in row and rng.random() < 0.3:
            row["reduced_tail"] = rng.choice(({"c": 16}, {"c": 20, "s": 1}, {"s": 2}))
        yield row


def random_space(rng: random.Random, path: Path) -> Space:
    """Return a random network with choices in its rows, read from a YAML at ``path``."""
    rows = list(random_rows(rng, (3, 96, 64)))
    if rng.random() < 0.4:  # two branches of one row's output
        rows[-1] = {"block": "conv", "c": 16, "name": "left"}
        rows.append({"block": "depthwise_separable", "c": 16, "inputs": ["left"], "name": "right"})
        rows.append({"block": "add", "inputs": ["left", "right"]})
    for i, row in enumerate(rows):
        if row["block"] == "inverted_residual" and row.get("t", 1) > 1 and "n" not in row:
            row["tap"] = {f"tap{i}": "expand"}
            rows[-1]["output"] = True
            rows.append({"block": "conv", "c": 8, "inputs": [f"tap{i}"]})
            break
    for row in rows:
        known = block_fields(BLOCKS[row["block"]]) if row["block"] in BLOCKS else {}
        if rng.random() < 0.5:
            names = [name for name in known if name in row]
            for name in rng.sample(names, min(2, len(names))):
                row[name] = rng.sample(sorted(set(strategies.values(known[name]))), 2)
            if row.get("n", 1) > 1 and names and rng.random() < 0.5:
                lists = [name for name in names if isinstance(row[name], list)]
                row["per_layer"] = lists[:1]
    rows += [{"block": "global_pool"}, {"block": "linear", "c": "classes"}]
    data: dict[str, Any] = {
        "input": [3, 96, 64],
        "classes": 10,
        "width": rng.choice(("divisible", "truncate")),
        "divisor": rng.choice((4, 8)),
    }
    if rng.random() < 0.3:
        data["output_stride"] = rng.choice((1, 2, 4))
    path.write_text(yaml.safe_dump({**data, "rows": rows}, sort_keys=False))
    settings = {
        "alpha": rng.choice(("0.5", "0.77", "1", "1.3")),
        "size": rng.choice(("96x64", "130")),
        "classes": rng.choice(("10", "7")),
        "in": rng.choice(("3", "1")),
        "fold_bn": rng.choice(("true", "false")),
        "reduced_tail": "true",
    }
    space = load_space(str(path))
    return space.narrowed({k: v for k, v in settings.items() if k in space.spec.accepts})


def test_a_random_config_is_written_as_what_it_costs(tmp_path: Path) -> None:
    written, folded, branched = 0, 0, 0
    path = tmp_path / "written.yaml"
    for seed in range(200):
        rng = random.Random(seed)
        space = random_space(rng, tmp_path / "space.yaml")
        spec, settings = space.at(space.choice(rng.randrange(space.size)))
        try:
            expected, _ = scalar_figures(spec, settings)
        except MbcostError:
            continue  # a map shrank to nothing, or widths do not fit
        path.write_text(spec_yaml(spec, settings, f"seed {seed}"))
        (again,) = (load_space(str(path)).spec,)
        assert scalar_figures(again, {})[0] == expected, f"seed {seed}"
        found = mbcost.count(path)
        figures = (found.params, found.params_all, found.mult_adds)
        assert figures == (expected.params, expected.params_all, expected.mult_adds), seed
        written += 1
        folded += bool(settings["fold_bn"])
        branched += "inputs" in path.read_text()
    assert (written > 75, folded > 20, branched > 20) == (True, True, True)


@pytest.mark.parametrize("block", BLOCKS)
def test_a_default_written_out_changes_nothing(block: str) -> None:
    """Of every field that has one, in rows of one layer and of several."""
    from mbcost.networks.yaml.document import parse_document
    from mbcost.networks.yaml.specs import read_network

    needed = {"c": 48, "t": 2, "exp": 64, "k": 3, "act": "relu", "anchors": 3, "squeeze": 8}
    needed |= {"boxes": 2, "size": 3}
    widths = dict.fromkeys(
        ("expand1", "expand3", "c1", "reduce3", "c3", "reduce5", "c5", "pool"), 8
    )
    fields = block_fields(BLOCKS[block])
    row: dict[str, Any] = {"block": block}
    row |= {name: {**needed, **widths}[name] for name, known in fields.items() if known.required}
    row |= {"conv": {"c": 48}, "inverted_residual": {"t": 2}}.get(block, {})
    for n in (1, 3):
        costs = set()
        for name in ("", *fields):
            if not name or (fields[name].default is not None and not fields[name].required):
                more = {name: fields[name].default} if name else {}
                data = {"input": [48, 256, 256], "rows": [{**row, **more, "n": n}]}
                document = parse_document(yaml.safe_dump(data), "network.yaml")
                costs.add(scalar_figures(read_network(document, data, "network"), {}))
        assert len(costs) == 1


def test_repeats_have_stride_one_whether_the_stride_is_written_or_the_default(
    tmp_path: Path,
) -> None:
    sizes = []
    for fields in ("s: 2, ", ""):
        path = tmp_path / "pool.yaml"
        path.write_text(
            "input: [3, 64, 64]\nrows:\n"
            f"  - {{block: pool, k: 3, {fields}p: 1, n: 3}}\n"
            "  - {block: window_pool, k: 3, s: 2, sw: 4, n: 2}\n"
        )
        spec = load_space(str(path)).spec
        sizes.append([node.y for node in spec.graph().nodes])
    assert sizes[0] == sizes[1]
    assert sizes[0] == [(3, 32, 32), (3, 32, 32), (3, 32, 32), (3, 15, 8), (3, 13, 6)]


WINNERS = {
    "fold": ("v2", "--alpha", "0.35,0.5", "--fold-bn"),
    "fold of a block": ("inverted-residual", "--expand", "2,4", "--fold-bn"),
    "plain": ("v3-small", "--max-mult-adds", "30M"),
    "tail": ("v3-large-torchvision", "--reduced-tail", "--alpha", "0.5,1"),
    "fields": ("v2", "--set", "*.k=3,5", "--set", "rows.3.1.t=2,6", "--fold-bn"),
    "branches": ("ssdlite-v2", "--alpha", "0.5", "--size", "320", "--fold-bn"),
    "dilated": ("deeplabv3-v2", "--output-stride", "8", "--size", "129", "--fold-bn"),
}


@pytest.mark.parametrize("case", WINNERS)
def test_the_written_winner_costs_what_the_search_said(
    cli: Cli, cli_json: Any, case: str, tmp_path: Path
) -> None:
    import json

    path, data = tmp_path / "winner.yaml", tmp_path / "winner.json"
    outputs = ("-o", str(path), "-o", str(data), "--objective", "mult_adds", "--verify", "0")
    result = cli("search", *WINNERS[case], *outputs)
    assert result.exit_code == 0, result.stderr
    winner = json.loads(data.read_text())["winner"]
    model = cli_json("model", str(path), "--fast")
    for key in ("params", "params_weights", "params_all", "mult_adds", "size"):
        assert model[key] == winner[key], key


def test_of_two_ways_to_say_one_thing_the_later_one_is_written(tmp_path: Path) -> None:
    """A tail in t where the row has exp, a block's --out where its file has t."""
    path, written = tmp_path / "rows.yaml", tmp_path / "written.yaml"
    path.write_text(
        "input: [3, 32, 32]\nrows:\n"
        "  - {block: inverted_residual, c: 8, t: 6, reduced_tail: {exp: 12}}\n"
        "  - {block: conv, c: 64, k: 1, reduced_tail: {t: 0.5}}\n"
    )
    space = load_space(str(path)).narrowed({"reduced_tail": "true"})
    # 3·12 + 9·12 + 12·8, then 8·4: weights alone
    assert report(*space.at(())).params_weights == 36 + 108 + 96 + 32
    written.write_text(spec_yaml(*space.at(()), ""))
    assert mbcost.count(written).params_weights == 36 + 108 + 96 + 32

    path.write_text("input: [4, 8, 8]\nblocks: {mine: {block: conv, t: 2, k: 1}}\n")
    space = load_space(str(path)).narrowed({"out": "3"})
    assert report(*space.at(())).params_weights == 12
    written.write_text(spec_yaml(*space.at(()), ""))
    assert mbcost.count(written).params_weights == 12
    with pytest.raises(MbcostError, match="c and t both set the width"):
        report(*space.narrowed({"t": "3"}).at(()))


def test_a_name_or_comment_of_any_text_is_still_yaml(tmp_path: Path) -> None:
    path = tmp_path / "rows.yaml"
    path.write_text('input: [4, 8, 8]\nblocks: {"a: [b": {block: conv, c: 3}}\n')
    spec, settings = load_space(str(path)).at(())
    path.write_text(spec_yaml(spec, settings, "one\x07\nrows: 2\u2028c: 3"))
    assert mbcost.count(path).params == report(spec, settings).params
