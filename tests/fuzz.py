"""Hostile input: YAML, budgets, spaces, JSON, CSV and command lines, made wrong at random.

    python -m tests.fuzz --seed 0 --sample 20000 --seconds 3600
    python -m tests.fuzz --seed 0 --only 1234  # one case again

Whatever a file or a command line holds, the answer is a result or one ``MbcostError``; a command
ends with 0, 1, 2 or 130 and prints no traceback. A case is made from the seed and its number
alone. To add a kind of input: a function from ``Random`` to nothing, and its line in ``KINDS``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from mbcost.errors import MbcostError, shortened
from mbcost.networks.yaml.catalog import builtins, configs_dir
from tests.hostile.commands import arguments
from tests.hostile.documents import (
    random_budgets,
    random_network,
    random_settings,
    random_space,
)
from tests.hostile.text import mutated_csv, mutated_json, mutated_text

CPU_SECONDS = 60
"""A case that takes longer has hung."""
LONGEST_MESSAGE = 3000
MEMORY_BYTES = 12 * 2**30


class Failure(NamedTuple):
    """A case that did not end as it must."""

    kind: str
    seed: int
    case: int
    problem: str

    def __str__(self) -> str:
        again = f"python -m tests.fuzz --seed {self.seed} --only {self.case}"
        return f"{self.kind}: {self.problem}\n    again: {again}"


class HungError(Exception):
    """A case used all its CPU time."""


GOOD_YAML = """\
input: [3, 32, 32]
rows:
  - {block: conv, c: 8}
  - {block: inverted_residual, t: 6, c: 8, n: 2}
"""


def fuzz_yaml(random: Random) -> None:
    """A network or a set of blocks, loaded and counted under random settings."""
    from mbcost.networks.yaml import load_specs

    text = random_network(random)
    if random.random() < 0.4:
        text = random.choice((GOOD_YAML, random.choice(_texts())))
    if random.random() < 0.7:
        text = mutated_text(random, text)
    for spec in load_specs(_written(text, "mine.yaml")).values():
        _count(spec, random)


def fuzz_budgets(random: Random) -> None:
    """A budget file, checked."""
    from mbcost.studies.guard.budget import Budget
    from mbcost.studies.guard.budget_file import load_budgets
    from mbcost.studies.guard.check import checks_of, chosen_budgets
    from mbcost.studies.guard.check_table import check_table

    text = random_budgets(random)
    if random.random() < 0.5:
        text = mutated_text(random, text)
    file = load_budgets(_written(text, "budgets.yaml"))
    settings = random_settings(random, ("size", "batch"))
    _show(check_table(checks_of(chosen_budgets([], Budget(), file, {}), settings)))


def fuzz_space(random: Random) -> None:
    """A design space, narrowed, with a few of its networks counted."""
    from mbcost.studies.spaces.space_file import load_space

    text = random.choice(_texts("spaces"))
    if random.random() < 0.6:
        text = random_space(random)
    if random.random() < 0.6:
        text = mutated_text(random, text)
    space = load_space(str(_written(text, "space.yaml")))
    for _ in range(2):
        spec, settings = space.at(space.choice(random.randrange(space.size)))
        space.describe(space.choice(0))
        spec.graph(settings)


def fuzz_json(random: Random) -> None:
    """A report that mbcost wrote, changed, then compared with a target and with itself."""
    from mbcost.studies.guard.diff import diff_of, diff_table

    path = _written(mutated_json(random, _reports()), "cost.json")
    other = random.choice(("v3-small", str(path), f"{path}:v3-small", f"{path}:v2@alpha=0.5"))
    sides = (str(path), other) if random.random() < 0.5 else (other, str(path))
    _show(diff_table(diff_of(*sides), random.choice(("layer", "kind"))))


def fuzz_csv(random: Random) -> None:
    """A sweep's CSV as a heat map's values."""
    from mbcost.output.plots import write_figure
    from mbcost.studies.figures import heat_map_of_csv

    path = _written(mutated_csv(random), "sweep.csv")
    only = [random.choice(("alpha=0.5", "target=v2", "size=", "=", "nothing"))] * random.randint(
        0, 1
    )
    found = heat_map_of_csv(path, "size", "alpha", "mult_adds", only)
    _show(found.table())
    if random.random() < 0.1:
        write_figure(found, Path("sweep.svg"))


def fuzz_command(random: Random) -> None:
    """A command line, run in this process."""
    from typer.testing import CliRunner

    from mbcost.cli import app

    _written(mutated_text(random, random.choice(_texts())), "mine.yaml")
    _written(GOOD_YAML, "a@b.yaml")
    _written(random_budgets(random), "budgets.yaml")
    _written(random_space(random), "space.yaml")
    _written(mutated_json(random, _reports()), "cost.json")
    _written(mutated_csv(random), "sweep.csv")
    given = arguments(random, _options_of)
    result = CliRunner().invoke(app, given)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception.with_traceback(result.exception.__traceback__)
    output = result.stdout + result.stderr
    if result.exit_code not in (0, 1, 2, 130) or "Traceback (most" in output:
        raise AssertionError(f"exit code {result.exit_code} of {given}: {output[-500:]}")
    if result.exit_code == 2 and not result.stderr.strip():
        raise AssertionError(f"exit code 2 without a message of {given}")
    if result.exit_code == 2:
        raise MbcostError(shortened(result.stderr.strip(), LONGEST_MESSAGE))


KINDS: dict[str, tuple[Callable[[Random], None], int]] = {
    "yaml": (fuzz_yaml, 8),
    "budgets": (fuzz_budgets, 2),
    "space": (fuzz_space, 3),
    "json": (fuzz_json, 3),
    "csv": (fuzz_csv, 2),
    "command": (fuzz_command, 6),
}
"""What is made wrong, each with its share of the cases."""


def outcome_of(kind: str, attempt: Callable[[], None], seed: int, case: int) -> str | Failure:
    """Return ``fine`` or ``refused``, or why ``attempt`` did not end as it must."""
    try:
        with _bounded(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            attempt()
    except MbcostError as error:
        message = str(error)
        if not error.problem.strip() or len(message) > LONGEST_MESSAGE:
            return Failure(kind, seed, case, f"a message of {len(message)} characters")
        return "refused"
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        own = [f for f in frames if "mbcost" in f.filename] or list(frames)
        where = f"{own[-1].filename}:{own[-1].lineno}"
        return Failure(kind, seed, case, f"{type(error).__name__}: {error!s:.300} at {where}")
    return "fine"


def run_case(seed: int, case: int) -> tuple[str, str | Failure]:
    """Run case number ``case`` in a directory of its own; return its kind and how it ended."""
    random = Random(f"{seed}:{case}")
    kinds = [name for name, (_, share) in KINDS.items() for _ in range(share)]
    kind = kinds[case % len(kinds)]
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory) / "work"  # so that .. is a place of its own, too
        work.mkdir()
        os.chdir(work)
        try:
            return kind, outcome_of(kind, lambda: KINDS[kind][0](random), seed, case)
        finally:
            os.chdir(before)


def run(
    seed: int, cases: int, seconds: float = float("inf")
) -> tuple[Counter[tuple[str, str]], list[Failure]]:
    """Run so many cases, or as many as the time allows; return how many by kind and how they
    ended, and the failures."""
    begun = time.monotonic()
    ran: Counter[tuple[str, str]] = Counter()
    failures = []
    for case in range(cases):
        if time.monotonic() - begun > seconds:
            break
        kind, outcome = run_case(seed, case)
        ran[kind, outcome if isinstance(outcome, str) else "failed"] += 1
        if isinstance(outcome, Failure):
            failures.append(outcome)
    return ran, failures


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    """Raise in a case that hangs; CPU time, so that a busy machine makes none fail."""

    def hung(*_: object) -> None:
        raise HungError(f"used {CPU_SECONDS} s of CPU time")

    before = signal.signal(signal.SIGVTALRM, hung)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _written(text: str | bytes, name: str) -> Path:
    path = Path.cwd() / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    return path


@cache
def _texts(*folders: str) -> tuple[str, ...]:
    """Return the YAML that ships with mbcost."""
    if not folders:
        return tuple(entry.path.read_text("utf-8") for entry in builtins().values())
    paths = [path for folder in folders for path in sorted((configs_dir() / folder).glob("*.yaml"))]
    return tuple(path.read_text("utf-8") for path in paths)


@cache
def _reports() -> tuple[str, ...]:
    """Return JSON that baseline and compare write."""
    from mbcost.studies.compare.comparison import Comparison
    from mbcost.studies.guard.snapshots import baseline_table
    from mbcost.targets.resolve import resolve

    subjects = resolve(["v3-small", "v2@alpha=0.5"])
    written = [baseline_table(subjects), baseline_table(subjects[:1]), Comparison(subjects).table()]
    return tuple(json.dumps(table.document) for table in written)


@cache
def _options_of(command: str) -> dict[str, bool]:
    """Return the options of a command by their long names, and whether each is a flag."""
    import typer

    from mbcost.cli import app

    found: Any = typer.main.get_command(app)
    for name in command.split():
        found = found.get_command(None, name)
    options = [p for p in found.params if p.param_type_name == "option"]
    return {max(p.opts, key=len): p.is_flag for p in options}


def _count(spec: Any, random: Random) -> None:
    spec.count()
    known = tuple(name for name in spec.accepts if name != "input")
    spec.count(**random_settings(random, known))


def _show(table: Any) -> None:
    from mbcost.output.formats import FORMATS

    for form in FORMATS.values():
        form.write(table, exact=False)


def main(sample: int = 500) -> int:
    """Run the fuzzer from the command line, by default on so many cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sample", type=int, default=sample)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--only", type=int, metavar="CASE", help="this case alone")
    given = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    if given.only is not None:
        kind, outcome = run_case(given.seed, given.only)
        print(outcome if isinstance(outcome, Failure) else f"{kind}: {outcome}")
        return int(isinstance(outcome, Failure))
    begun = time.monotonic()
    ran, failures = run(given.seed, given.sample, given.seconds)
    for failure in failures:
        print(failure)
    parts = ", ".join(f"{kind} {how} {count:,}" for (kind, how), count in sorted(ran.items()))
    took, total = time.monotonic() - begun, sum(ran.values())
    print(f"seed {given.seed}: {total:,} cases in {took:.0f} s ({parts}), {len(failures)} failed")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
