"""What is too large or makes no sense is refused before time or memory is spent on it."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mbcost.errors import MbcostError
from mbcost.networks.network import Network
from mbcost.networks.settings import SETTINGS, parse_values
from mbcost.studies.spaces.columns import Layout
from mbcost.studies.spaces.plan import Counting, Plan
from mbcost.studies.spaces.space_file import load_space
from tests.conftest import Cli

FINE = ("--alpha", "0.1:10:0.001", "--size", "1:10000:1")
LARGE: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "sweep": (("sweep", "v2", *FINE), ("99,010,000 configs", "--samples", "a coarser step")),
    "search": (("search", "v2", *FINE), ("99,010,000 configs", "--samples", "a coarser step")),
    "plot": (("plot", "sweep", "v2", *FINE, "--show-data"), ("99,010,000 configs", "coarser step")),
    "inputs, drawn": (
        ("sweep", "v2", "--in", "1:10000", "--size", "1:10000", "--samples", "5"),
        ("100,000,000 configs", "a coarser step"),
    ),
    "space": (("sweep", "ofa-mobilenetv3"), ("about 10^22 configs", "--samples 1000000 draws")),
    "samples": (("sweep", "v2", "--samples", str(10**15)), ("10^15 configs", "1,000,000,000")),
    "workers": (("sweep", "v2", "--workers", "100000"), ("--workers",)),
}


@pytest.mark.parametrize("case", LARGE)
def test_what_is_too_large_is_refused_with_its_size_and_a_way_out(cli: Cli, case: str) -> None:
    args, words = LARGE[case]
    result = cli(*args)
    assert (result.exit_code, result.stdout) == (2, "")
    for word in words:
        assert word in result.stderr
    assert isinstance(result.exception, SystemExit)


def test_a_refused_grid_takes_no_memory(tmp_path: Path) -> None:
    """In a process that may take less than one number for each of its configs."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (700 * 10**6, 700 * 10**6))

    for args in (LARGE["sweep"][0], LARGE["samples"][0], LARGE["inputs, drawn"][0]):
        output = ("-o", str(tmp_path / "x.csv"))
        result = subprocess.run(
            [sys.executable, "-m", "mbcost", *args, *output, "--verify", "0"],
            capture_output=True,
            text=True,
            preexec_fn=limit,
            check=False,
        )
        assert result.returncode == 2, result.stderr
        assert "configs" in result.stderr
        assert "Traceback" not in result.stderr


def test_samples_are_the_way_out_of_a_fine_grid(cli_json: Any) -> None:
    rows = cli_json("sweep", "v2", *FINE, "--samples", "5", "--verify", "0")
    assert len(rows) == 5


def test_what_is_learnt_is_forgotten_before_it_fills_the_memory() -> None:
    space = load_space("v1").narrowed({"alpha": "0.5:1:0.01", "size": "96:224:8"})
    plan = Plan(space, unit=100)
    keeps = Counting(plan)
    expected = [keeps(unit) for unit in range(plan.units)]
    forgets = Counting(plan, most_learnt=50)
    for unit in range(plan.units):
        batch = forgets(unit)
        assert sum(len(table.next) for table in forgets.reader.tables) < 4000
        for name, figures in batch.figures.items():
            assert figures.tolist() == expected[unit].figures[name].tolist()
    assert sum(len(table.next) for table in keeps.reader.tables) > 4000


@pytest.mark.parametrize(
    "given",
    [
        {"alpha": "0.25:1.4:0.05", "size": "96:256:32"},
        {"alpha": "0.5,1", "rho": "0.5,0.714,1"},
        {"size": "224,160"},
        {"alpha": "0.75"},
        {"alpha": "0.3,0.4"},
        {"alpha": "0.5,1", "batch": "1,2", "size": "224"},
        {},
    ],
)
def test_top1_stands_where_it_was_published_and_nowhere_else(given: dict[str, str]) -> None:
    """Of every combination, by the closed form's own look-up."""
    space = load_space("v1").narrowed(given)
    layout = Layout(Plan(space))
    found = [row.get("top1") for row in layout.records(Counting(layout.plan)(0))]
    expected = []
    for index in range(space.size):
        spec, settings = space.at(space.choice(index))
        assert isinstance(spec, Network)
        expected.append(spec.top1(settings))
    assert found == expected
    assert any(expected) == any(field.key == "top1" for field in layout.fields)


@pytest.mark.parametrize(
    "text",
    [
        "0:1e5000:1",
        "0:1e999999999:1",
        "1e-999999:1:1e-999999",
        "0:1:1e-999999999",
        "1e5000:1e5000:1",
        "-1e5000:1:1",
        "1:1e12:1",
        ",".join(["1:9999"] * 3 + ["9000:19000"]),
    ],
)
def test_a_range_of_any_numbers_is_one_short_message(text: str) -> None:
    for rule in ("alpha", "size", "classes"):
        with pytest.raises(MbcostError) as raised:
            parse_values(SETTINGS[rule], text, f"--{rule}")
        assert len(str(raised.value)) < 300


def test_plot_sweep_takes_the_ranges_of_sweep(cli: Cli) -> None:
    ranges = cli(
        "plot", "sweep", "v2", "--alpha", "0.35:1.4:0.35", "--size", "96:224:64", "--show-data"
    )
    lists = cli(
        "plot", "sweep", "v2", "--alpha", "0.35,0.7,1.05,1.4", "--size", "96,160,224", "--show-data"
    )
    assert ranges.exit_code == 0, ranges.stderr
    assert ranges.stdout == lists.stdout
    assert len(ranges.stdout.splitlines()) == 1 + 4 * 3
    for text, message in (
        ("0.5,,1", "has an empty item"),
        ("1:0.5:0.1", "ends before it starts"),
        ("0.5:1:0", "has a step that is not above 0"),
    ):
        result = cli("plot", "sweep", "v2", "--alpha", text, "--show-data")
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"--alpha: '{text}' {message}" in result.stderr


ROW = "input: [3, 8, 8]\nclasses: 4\nrows:\n  - {block: conv, c: 8%s}\n%s"
SPACES = {
    "block": ("input: [3, 8, 8]\nrows:\n  - {block: [conv, pool]}\n", r"rows[0].block: is a list"),
    "one block": ("input: [3, 8, 8]\nrows:\n  - {block: [conv], c: 8}\n", "block: is a list"),
    "name": (ROW % (", name: [a, b]", ""), "rows[0].name: is a list, but cannot vary"),
    "output": (ROW % (", output: [true, false]", ""), "rows[0].output: is a list"),
    "tap": (ROW % (", tap: [a]", ""), "rows[0].tap: is a list"),
    "tail": (ROW % (", reduced_tail: [{c: 4}]", ""), "rows[0].reduced_tail: is a list"),
    "nothing": (ROW % (", p: [1, null]", ""), "rows[0].p[1]: holds an empty value"),
    "list in list": (ROW % (", k: [[1], [3]]", ""), "rows[0].k: must be a whole number"),
    "scale of a layer": (
        ROW % (", n: 2, scale: [full, fixed], per_layer: [scale]", ""),
        "rows[0].per_layer[0]: unknown value 'scale'",
    ),
    "layer twice": (
        ROW % (", k: [1, 3], per_layer: [k, k]", ""),
        "rows[0].per_layer[1]: names 'k' twice",
    ),
    "layers": (
        "input: [3, 8, 8]\nrows:\n"
        + "  - {block: conv, c: 8, n: [1, 900], k: [1, 3], per_layer: [k]}\n" * 2,
        "rows[1]: too many fields vary",
    ),
    "input": ("input: [[3, 8, 8]]\nrows:\n  - {block: conv, c: 8}\n", "input: "),
    "classes": (ROW.replace("classes: 4", "classes: [4, 5]") % ("", ""), "classes: must be"),
    "setting": (ROW % ("", "settings: {alpha: [[1, 2], 3]}\n"), "settings.alpha: must be a value"),
    "no setting": (ROW % ("", "settings: {alpha: null}\n"), "settings.alpha: must be a value"),
    "map": (ROW % ("", "settings: {alpha: {a: 1}}\n"), "settings.alpha: must be a value"),
    "empty": (ROW % ("", "settings: {alpha: []}\n"), "settings.alpha: must be a value"),
    "two sizes": (ROW % ("", "settings: {size: [8, 9], rho: [1, 2]}\n"), "rho and size both set"),
    "settings": (ROW % ("", "settings: [1]\n"), "settings: must be a mapping"),
    "blocks": (
        "input: [3, 8, 8]\nrows:\n" + "  - {block: conv, c: 8, n: 1000}\n" * 11,
        "repeat 11,000 times in all",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SPACES)
def test_a_space_file_that_makes_no_sense_says_where(cli: Cli, case: str, tmp_path: Path) -> None:
    text, message = SPACES[case]
    path = tmp_path / "space.yaml"
    path.write_text(text)
    for command in ("sweep", "search"):
        result = cli(command, str(path), "--verify", "0")
        assert isinstance(result.exception, SystemExit), result.exception
        assert (result.exit_code, result.stdout) == (2, "")
        assert message in result.stderr
