"""Whatever a file or a command line holds, the answer is a result or one message."""

from __future__ import annotations

import pytest

from mbcost.errors import MbcostError
from tests.fuzz import KINDS, LONGEST_MESSAGE, failure_of, run, run_case


def test_five_hundred_hostile_inputs_end_as_they_must() -> None:
    ran, failures = run(seed=0, cases=500)
    assert not failures, "\n".join(map(str, failures))
    assert set(ran) == set(KINDS)
    assert sum(ran.values()) == 500


def test_a_case_is_made_from_its_seed_and_number_alone() -> None:
    from random import Random

    from tests.hostile.documents import random_network, random_space

    for make in (random_network, random_space):
        assert make(Random("0:1")) == make(Random("0:1")) != make(Random("1:1"))
    assert run_case(3, 5) == run_case(3, 5)


def test_many_of_the_inputs_are_right_and_many_are_not() -> None:
    from random import Random

    for kind, (fuzz, _) in KINDS.items():
        if kind == "command":
            continue
        ended = set()
        for case in range(25):
            try:
                fuzz(Random(f"0:{case}"))
                ended.add("fine")
            except MbcostError:
                ended.add("refused")
        assert ended == {"fine", "refused"}, kind


@pytest.mark.parametrize(
    "error", [KeyError("x"), RecursionError(), MbcostError("x" * 9, way_out="y" * LONGEST_MESSAGE)]
)
def test_the_fuzzer_can_fail(error: Exception) -> None:
    def attempt() -> None:
        raise error

    failure = failure_of("yaml", attempt, 7, 9)
    if isinstance(error, MbcostError):
        assert failure is None  # what is too long is shortened
    else:
        assert failure is not None
        assert type(error).__name__ in failure.problem
        assert "--seed 7 --only 9" in str(failure)
