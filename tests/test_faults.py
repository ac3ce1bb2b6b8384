"""Planted faults: each can be planted, and a sample of what ``tests.proofs.faults`` does to all."""

from __future__ import annotations

from collections import Counter

import pytest

from tests import ROOT
from tests.proofs.faults import FAULTS, Fault, UnsoundError, finder, mirror, planted


@pytest.mark.parametrize("file", sorted({fault.file for fault in FAULTS}))
def test_every_fault_can_be_planted_as_the_code_stands(file: str) -> None:
    text = (ROOT / "mbcost" / file).read_text("utf-8")
    found = [planted(fault, text) for fault in FAULTS if fault.file == file]
    assert text not in found
    assert len(set(found)) == len(found)


def test_a_text_that_stands_twice_or_is_gone_is_no_fault() -> None:
    for old in ("a", "c"):
        with pytest.raises(ValueError, match="times in its file"):
            planted(Fault("units.py", old, "b"), "a = a")
    with pytest.raises(SyntaxError):
        planted(Fault("units.py", "= a", "="), "a = a")


def test_there_are_faults_in_every_room_that_counts() -> None:
    rooms = Counter(fault.file.partition("/")[0] for fault in FAULTS)
    assert len(FAULTS) >= 60
    assert min(rooms[room] for room in ("graph", "cost", "networks", "modules", "output")) >= 5


def test_a_files_own_tests_come_first_then_its_folders() -> None:
    assert mirror(Fault("cost/storage.py", "", ""))[0] == "tests/cost/test_storage.py"
    assert mirror(Fault("modules/trace/rows.py", "", ""))[0] == "tests/modules/test_trace.py"
    assert all((ROOT / test).exists() for fault in FAULTS for test in mirror(fault))


def test_a_fault_is_found_and_a_change_of_words_is_not() -> None:
    fault = next(fault for fault in FAULTS if fault.file == "cost/storage.py")
    tests = mirror(fault)[:1]
    assert finder(fault, tests).startswith("tests/cost/test_storage.py::")
    words = Fault(fault.file, "In words, for captions", "In words for captions")
    assert finder(words, tests) == ""


def test_tests_that_fail_anyway_find_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.proofs.faults.failure", lambda _, tests: f"{tests}::test_flaky")
    with pytest.raises(UnsoundError, match=r"any\.py::test_flaky fails without a fault, too"):
        finder(FAULTS[0], ["tests/test_any.py"])
