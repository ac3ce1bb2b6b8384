"""Measured times: a network against itself covers 1, and V1 to V3 rank as the papers rank them,
and no layer is above the roof of the machine.

python -m tests.proofs.latency --sample 40 --seconds 1800

``--sample`` is how often the network is measured against itself, 50 rounds each. CPU time at one
thread throughout; milliseconds of a phone stand beside as a ranking only.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import yaml

from mbcost.modules.roof import cases_of
from mbcost.studies.device.latency import Asked, Timing, runs_of, timing
from mbcost.studies.device.measured import roof_of, roof_steps
from mbcost.studies.device.parts import shares
from mbcost.studies.device.shares_table import share_records
from mbcost.targets.resolve import resolve, resolve_one
from tests import ROOT

ROUNDS = 50
COVERED = 35 / 40
"""Of the intervals, so many have to cover 1 at least: of 40 at 95 % fewer do once in 2,000."""
HALF_WIDTH = 0.02


class Pair(NamedTuple):
    """Two networks, the quicker first, and the rows in which one paper prints both."""

    quick: str
    slow: str
    paper: str
    rows: tuple[str, str]


PAIRS = (
    Pair("v3-small", "v3-large", "v3", ("v3-t3-06", "v3-t3-01")),
    Pair("v3-large", "v2", "v3", ("v3-t3-01", "v3-t3-05")),
    Pair("v2", "v1", "v2", ("v2-t4-05", "v2-t4-01")),
)


def measured(targets: list[str], runtime: str, rounds: int | None, seed: int = 0) -> Timing:
    asked = Asked((runtime,), rounds=rounds, seed=seed)
    return timing(runs_of(resolve(targets), asked), asked)


def against_itself(repeats: int, end: float) -> Iterator[str]:
    """Yield what 50 rounds of v2 against v2 say, repeated; the last line says what is missed."""
    covered, widths, done = 0, [], 0
    for seed in range(repeats):
        if time.monotonic() > end:
            break
        ratio = measured(["v2", "v2"], "eager", ROUNDS, seed).ratio(1)
        assert ratio is not None
        assert ratio.low is not None
        assert ratio.high is not None
        done += 1
        covered += ratio.low <= 1 <= ratio.high
        widths.append((ratio.high - ratio.low) / 2 / ratio.median)
    widths.sort()
    yield (
        f"v2 against itself, eager, {done} times {ROUNDS} rounds: {covered} intervals cover 1; "
        f"half-width {widths[len(widths) // 2]:.2%} in the middle, {widths[-1]:.2%} at most"
    )
    if covered < COVERED * done:
        yield f"MISSED: at least {COVERED:.1%} were to cover 1"
    if widths[len(widths) // 2] > HALF_WIDTH:
        yield f"MISSED: the half-width was to be {HALF_WIDTH:.0%} at most"


TALLEST = 1.05
"""Of the roof, how high a layer may stand: a ceiling is the best of what was tried."""
LONG_S = 1e-4
"""Of shorter layers the clock's own steps are a part."""


def under_the_roof(seconds: float) -> Iterator[str]:
    """Yield how near the layers of V1 and V2 in ONNX Runtime are to the roof of this machine."""
    *_, (_, timed) = roof_steps(cases_of(1), 1, seconds)
    device = roof_of(timed, 1, seconds).device()
    for target in ("v1", "v2"):
        (run,) = runs_of([resolve_one(target)], Asked(("onnx",)))
        rows = share_records(shares(run, Asked(("onnx",), rounds=ROUNDS)), "layer", device)
        long = [row for row in rows if row["of_roof"] and row["seconds"] >= LONG_S]
        top = max(long, key=lambda row: row["of_roof"])
        yield (
            f"{target}, onnx fp32: of {len(long)} layers of 0.1 ms or more {top['path']} "
            f"is nearest to the roof, at {top['of_roof']:.1%} of it"
        )
        if top["of_roof"] > TALLEST:
            yield f"MISSED: no layer was to be above {TALLEST:.0%}"


def ranking(runtime: str) -> Iterator[str]:
    """Yield the networks as they rank, each with its ratio to the one before it."""
    for pair in PAIRS:
        quick, slow = pair.quick, pair.slow
        made = measured([quick, slow], runtime, None)
        ratio = made.ratio(1)
        assert ratio is not None
        assert ratio.low is not None
        assert ratio.high is not None
        first, second = (1e3 * made.time(i).median for i in (0, 1))
        phone = " and ".join(reversed(printed(pair)))
        yield (
            f"{runtime} fp32: {slow} takes {ratio.median:.3f} × as long as {quick} "
            f"({ratio.low:.3f} to {ratio.high:.3f}, {len(made.measured.rounds)} rounds; "
            f"{second:.2f} and {first:.2f} ms here, {phone} printed)"
        )
        if ratio.low <= 1:
            yield f"MISSED: {quick} was to be quicker than {slow}"


def printed(pair: Pair) -> list[str]:
    """Return the milliseconds that the paper prints of both, on one core of a phone."""
    document = yaml.safe_load(
        (ROOT / "configs" / "papers" / f"{pair.paper}.yaml").read_text("utf-8")
    )
    rows = {row["id"]: row for table in document["tables"] for row in table["rows"]}
    assert [rows[i]["net"] for i in pair.rows] == [pair.quick, pair.slow]
    found = (rows[i].get("p1_ms", rows[i].get("cpu_ms")) for i in pair.rows)
    return [f"{ms} ({i})" for ms, i in zip(found, pair.rows, strict=True)]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sample", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=1800)
    given = parser.parse_args()
    missed = False
    end = time.monotonic() + given.seconds
    for lines in (
        against_itself(given.sample, end),
        ranking("onnx"),
        ranking("litert"),
        under_the_roof(20),
    ):
        for line in lines:
            print(line, flush=True)
            missed |= line.startswith("MISSED")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
