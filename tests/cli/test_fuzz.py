"""Whatever a file or a command line holds, the answer is a result or one message."""

from __future__ import annotations

from pathlib import Path

import pytest

from mbcost.errors import MbcostError
from tests.fuzz import KINDS, LONGEST_MESSAGE, Failure, outcome_of, run, run_case


def test_five_hundred_hostile_inputs_end_as_they_must() -> None:
    ran, failures = run(seed=0, cases=500)
    assert not failures, "\n".join(map(str, failures))
    assert sum(ran.values()) == 500
    for kind in KINDS:  # much of it is right, or only the first check of each would be tried
        assert ran[kind, "fine"] >= 5, (kind, ran)
        assert ran[kind, "refused"] >= 5, (kind, ran)


def test_a_case_is_made_from_its_seed_and_number_alone() -> None:
    from random import Random

    from tests.hostile.documents import random_network, random_space

    for make in (random_network, random_space):
        assert make(Random("0:1")) == make(Random("0:1")) != make(Random("1:1"))
    assert run_case(3, 5) == run_case(3, 5)


def test_the_fuzzer_writes_nothing_where_it_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run(seed=1, cases=60)
    assert list(tmp_path.iterdir()) == []
    assert Path.cwd() == tmp_path


@pytest.mark.parametrize(
    "error", [KeyError("x"), RecursionError(), MbcostError("x" * 9, way_out="y" * LONGEST_MESSAGE)]
)
def test_the_fuzzer_can_fail(error: Exception) -> None:
    def attempt() -> None:
        raise error

    outcome = outcome_of("yaml", attempt, 7, 9)
    if isinstance(error, MbcostError):
        assert outcome == "refused"  # what is too long is shortened
        return
    assert isinstance(outcome, Failure)
    assert type(error).__name__ in outcome.problem
    assert "--seed 7 --only 9" in str(outcome)
