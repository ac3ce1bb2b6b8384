"""Closed matches: a sample of what ``tests.proofs.closed_matches`` proves of every case."""

from __future__ import annotations

from tests import ROOT
from tests.proofs.closed_matches import OPEN, open_files, removals, unnoticed


def test_every_match_ends_in_assert_never_or_says_why_not() -> None:
    assert open_files(ROOT / "mbcost") == set(OPEN)


def test_a_layer_without_its_case_fails_mypy() -> None:
    removed = removals(ROOT / "mbcost", "graph/")
    assert len(removed) >= 50
    assert unnoticed(removed) == []


def test_a_match_that_takes_whatever_comes_goes_unnoticed() -> None:
    first, *_ = removals(ROOT / "mbcost", "graph/shapes")
    careless = first._replace(text=first.text.replace("assert_never(layer)", "return x"))
    assert careless != first
    assert unnoticed([careless]) == [careless]
