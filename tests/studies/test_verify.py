"""What is emitted is verified, not something counted beside it: broken tables are found out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mbcost.errors import CheckFailedError
from mbcost.studies.memory.stated import OF_WHOLE, Stated
from mbcost.studies.spaces.chunks import Chunks, locked
from mbcost.studies.spaces.columns import Layout
from mbcost.studies.spaces.parts import Figures
from mbcost.studies.spaces.plan import Counting, Plan
from mbcost.studies.spaces.search.search import Objective, search_steps
from mbcost.studies.spaces.space_file import load_space
from mbcost.studies.spaces.sweep.writers import WRITERS
from mbcost.studies.spaces.verify import Sample, Verifier
from tests.conftest import Cli

SMALL = """
input: [3, 17, 17]
classes: 10
width: divisible
expansion: ratio
rows:
  - {block: conv, c: 16, s: 2}
  - {block: inverted_residual, exp: 48, c: 24, n: 2}
  - {block: global_pool}
  - {block: linear, c: classes}
"""


@pytest.fixture
def small(tmp_path: Path) -> str:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return str(path)


VARIED = {"alpha": "0.5,1,1.5", "size": "17,33"}


def plan_of(target: str) -> Plan:
    return Plan(load_space(target).narrowed(VARIED))


ARGS = ("--alpha", "0.5,1,1.5", "--size", "17,33")


def broken(plan: Plan, figure: str, row: int = 1) -> Counting:
    """Return what counts the plan with one figure of what it has learnt of a row put wrong."""
    count = Counting(plan)
    count(0)
    learnt = count.reader.tables[row].figures[figure]
    learnt += 2**40  # maxima and sums alike: no other row comes near
    return count


@pytest.mark.parametrize("figure", Figures._fields)
def test_rows_from_a_broken_table_are_found_out(small: str, figure: str) -> None:
    for stated in (Stated("fp32"), Stated("int8", "tflite")):
        plan = replace(plan_of(small), stated=stated, whole=tuple(OF_WHOLE))
        layout = Layout(plan)
        Verifier(layout, 2).rows(layout.records(Counting(plan)(0)))
        rows = layout.records(broken(plan, figure)(0))
        with pytest.raises(CheckFailedError, match=f"{figure} is .*, the closed form says "):
            Verifier(layout, 2).rows(rows)


@pytest.mark.parametrize("key", OF_WHOLE)
def test_a_figure_of_the_whole_network_that_is_wrong_is_found_out(small: str, key: str) -> None:
    plan = replace(plan_of(small), whole=tuple(OF_WHOLE))
    layout = Layout(plan)
    rows = [{**row, key: row[key] + 16} for row in layout.records(Counting(plan)(0))]
    with pytest.raises(CheckFailedError, match=f"{key} is .*, the closed form says "):
        Verifier(layout, 2).rows(rows)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_from_a_broken_table_is_not_put_in_its_place(
    cli: Cli, small: str, tmp_path: Path, suffix: str
) -> None:
    """A chunk that a reader with a broken table left behind, joined by --resume, is read back."""
    path = tmp_path / f"out{suffix}"
    plan = plan_of(small)
    chunks = Chunks(path, Layout(plan))
    with locked([chunks]):
        chunks.begin(resume=False)
        chunks.keep(0, broken(plan, "mult_adds")(0), WRITERS[suffix](chunks.layout))
    args = ("sweep", small, *ARGS, "-o", str(path), "--resume")
    result = cli(*args, "--verify", "1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "mult_adds is 1,099,5" in result.stderr  # 2⁴⁰ and some
    assert not path.exists()
    assert cli(*args, "--verify", "0").exit_code == 0  # who does not want to know
    assert path.exists()


def test_csv_is_verified_as_it_passes(small: str) -> None:
    layout = Layout(plan_of(small))
    writer: Any = WRITERS[".csv"](layout)
    good, bad = (
        writer.text(count(0)) for count in (Counting(layout.plan), broken(layout.plan, "params"))
    )
    verifier = Verifier(layout, 3)
    assert list(verifier.passing([writer.header, good, ""])) == [writer.header, good, ""]
    assert verifier.line().startswith("verified to the unit: 3 configs built")
    passing = Verifier(layout, 3).passing([writer.header, bad])
    assert [next(passing), next(passing)] == [writer.header, bad]
    with pytest.raises(CheckFailedError, match=r"params is 1,099,5.*, the closed form says "):
        next(passing)


def test_the_winner_of_a_broken_table_is_found_out(small: str) -> None:
    """Every config is right but the one that wins: at the largest alpha and size."""
    plan = plan_of(small)
    layout = Layout(plan)
    count = Counting(plan)
    best = count(0).figures["mult_adds"].argmax()
    table = count.reader.tables[-1]
    entry = table.entries_of(*last_feeds(count, plan, int(best)))
    table.figures["mult_adds"][entry] += 1
    for objective, fails in ((Objective("mult_adds"), True), (Objective("mult_adds", -1), False)):
        *_, (_, answer) = search_steps(layout, {}, (objective,), 1, count)
        verifier = Verifier(layout, 1)
        if fails:
            with pytest.raises(CheckFailedError, match=r"mult_adds is .*, the closed form says"):
                answer.verify(verifier)
        else:
            answer.verify(verifier)
            assert verifier.line().startswith("verified to the unit: 1 config built")


def last_feeds(count: Counting, plan: Plan, config: int) -> tuple[Any, Any, Any]:
    """Return what the last row is fed in a config, and its settings and choices."""
    reader = count.reader
    choices = plan.choices(0)[:, [config]]
    settings = reader._code(reader.setting_axes, choices)
    feed = np.take(reader.inputs, reader._code(reader.input_axes, choices))
    for table in reader.tables[:-1]:
        feed = np.take(table.next, table.entries_of(feed, settings, choices))
    return feed, settings, choices


def test_what_a_winner_was_chosen_from_is_verified_too(small: str) -> None:
    """A figure too large everywhere but in the smallest config lets another one lose."""
    plan = plan_of(small)
    *_, (_, answer) = search_steps(
        Layout(plan), {}, (Objective("params", -1),), 6, broken(plan, "peak_activation_bytes")
    )
    answer.found.records.clear()
    with pytest.raises(CheckFailedError, match="peak_activation_bytes is "):
        answer.verify(Verifier(Layout(plan), 6))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("alpha", 0.75, "alpha 0.75, which is not in the space"),
        ("alpha", 1.5, "is .*, the closed form says"),
        ("size", 17, "is .*, the closed form says"),
        ("batch", 2, "batch is 2, the closed form says 1"),
        ("classes", None, "classes is empty, the closed form says 10"),
    ],
)
def test_a_row_that_names_another_config_is_found_out(
    small: str, key: str, value: Any, message: str
) -> None:
    layout = Layout(plan_of(small))
    row = layout.records(Counting(layout.plan)(0))[3]  # alpha 1.0, size 33
    Verifier(layout, 1).row(row)
    with pytest.raises(CheckFailedError, match=message):
        Verifier(layout, 1).row({**row, key: value})
    with pytest.raises(CheckFailedError, match=r"a row lacks |, the closed form says"):
        Verifier(layout, 1).row({k: v for k, v in row.items() if k != key})


def test_a_top1_that_was_not_published_is_found_out() -> None:
    layout = Layout(Plan(load_space("v1").narrowed({"alpha": "0.5,0.6", "size": "160"})))
    published, other = layout.records(Counting(layout.plan)(0))
    Verifier(layout, 1).row(published)
    for row, top1, said in ((published, 60.3, "60.2"), (other, 60.2, "empty")):
        with pytest.raises(CheckFailedError, match=f"top1 is {top1}, the closed form says {said}"):
            Verifier(layout, 1).row({**row, "top1": top1})


TARGETS: dict[str, tuple[str, ...]] = {
    "rho": ("small", "--rho", "0.5,1,2"),
    "sides": ("small", "--size", "17,33x20", "--batch", "1,3", "--classes", "7,10", "--in", "1,3"),
    "layers": ("small", "--set", "rows.1.n=1,2", "--set", "rows.1.1.k=3,5", "--dtype", "int8"),
    "fractions": ("small", "--set", "rows.1.se=0.25,1", "--fold-bn"),
    "block": ("inverted-residual", "--in", "8", "--out", "8,16", "--size", "9", "--expand", "1,2"),
    "one": ("small",),
}


@pytest.mark.parametrize("case", TARGETS)
def test_what_is_emitted_agrees_whatever_varies(
    cli: Cli, small: str, tmp_path: Path, case: str
) -> None:
    target, *options = TARGETS[case]
    args = ("sweep", small if target == "small" else target, *options, "--verify", "4")
    for output in ("-", str(tmp_path / "x.csv"), str(tmp_path / "x.parquet")):
        result = cli(*args, "--format", "csv", "-o", output)
        assert result.exit_code == 0, result.stderr
        assert "mbcost: verified to the unit: " in result.stderr
    result = cli(*args, "--format", "json")
    assert result.exit_code == 0, result.stderr
    configs = len(json.loads(result.stdout))
    assert f"verified to the unit: {min(4, configs)} config" in cli(*args).stdout


def test_a_name_of_two_lines_is_read_back(cli: Cli, tmp_path: Path) -> None:
    odd = tmp_path / 'a, "b"\nc.yaml'
    odd.write_text(SMALL)
    for name in ("x.csv", "x.parquet"):
        result = cli("sweep", str(odd), *ARGS, "--verify", "6", "-o", str(tmp_path / name))
        assert result.exit_code == 0, result.stderr
        assert "verified to the unit: 6 configs built" in result.stderr


def test_a_budget_that_leaves_nothing_leaves_nothing_to_verify(
    cli: Cli, small: str, tmp_path: Path
) -> None:
    for name in ("x.csv", "x.parquet"):
        result = cli("sweep", small, *ARGS, "--max-params", "1", "-o", str(tmp_path / name))
        assert result.exit_code == 0
        assert "not verified: no config was emitted" in result.stderr


def test_every_row_of_a_file_can_be_read_back(small: str, tmp_path: Path) -> None:
    from random import Random

    layout = Layout(plan_of(small))
    path = tmp_path / "x.csv"
    writer: Any = WRITERS[".csv"](layout)
    path.write_text(writer.header + writer.text(Counting(layout.plan)(0)))
    rows = {tuple(row.values()) for row in writer.some_rows(path, 6, Random(0))}
    assert len(rows) == 6
    assert len(writer.some_rows(path, 9, Random(0))) == 6


def test_a_sample_takes_each_item_as_often_as_any_other() -> None:
    def pieces() -> Iterator[range]:
        yield from (range(0), range(1), range(1, 7), range(7, 20))

    taken = np.zeros(20, int)
    for seed in range(600):
        sample: Sample[int] = Sample(5, seed)
        for piece in pieces():
            sample.add(len(piece), piece.__getitem__)
        assert len(set(sample.items)) == 5
        taken[sample.items] += 1
    assert taken.sum() == 3000
    assert taken.min() > 105  # of 150 on average: four standard deviations
    assert taken.max() < 195
    nothing: Sample[int] = Sample(0, 0)
    nothing.add(9, range(9).__getitem__)
    assert nothing.items == []
