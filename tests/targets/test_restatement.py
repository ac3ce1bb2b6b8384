"""By which convention mult-adds are shown, and when they are flops."""

from __future__ import annotations

import pytest

from mbcost.cost import CONVENTIONS, PAPERS
from mbcost.errors import MbcostError
from mbcost.targets.restatement import Restatement, restatement


@pytest.mark.parametrize(
    ("convention", "unit", "title", "figure", "shown_unit"),
    [
        (None, None, "mult-adds", "mult_adds", "mult-add"),
        ("papers", "mult-adds", "mult-adds", "mult_adds", "mult-add"),
        (None, "flops", "flops", "flops", "flop"),
        ("fvcore", None, "mult-adds as fvcore", "mult_adds", "mult-add"),
        ("fvcore", "flop", "flops as fvcore", "flops", "flop"),
        ("ptflops_aten", None, "mult-adds as ptflops-aten", "mult_adds", "mult-add"),
        ("torch", None, "flops as torch", "flops", "flop"),  # counts two already
        ("torch", "mult_add", "flops as torch", "flops", "flop"),
    ],
)
def test_a_convention_and_a_unit_make_a_title_and_a_key(
    convention: str | None, unit: str | None, title: str, figure: str, shown_unit: str
) -> None:
    found = restatement(convention, unit)
    assert (found.title, found.figure, found.unit) == (title, figure, shown_unit)
    assert found.mult_adds_title == f"mult-adds{title.removeprefix(shown_unit + 's')}"
    assert found.counts.startswith(f"{title}: ")
    assert found.counts.endswith(", each as two flops.") is (unit in ("flop", "flops"))


def test_flops_are_two_a_mult_add_and_a_counter_in_flops_is_halved() -> None:
    torch, fvcore = Restatement(CONVENTIONS["torch"]), Restatement(CONVENTIONS["fvcore"])
    assert [torch.mult_adds(figure) for figure in (8, 9)] == [4, 4.5]
    assert isinstance(torch.mult_adds(2**70), int)
    assert (torch.flop_count(9), fvcore.flop_count(9), fvcore.mult_adds(9)) == (9, 18, 9)
    assert Restatement().convention is PAPERS


@pytest.mark.parametrize(
    ("convention", "unit", "problem"),
    [
        ("fvcor", None, r"--convention: unknown convention 'fvcor' \(did you mean 'fvcore'"),
        (None, "macs", "--unit: unknown unit 'mac' "),
        ("torch", "flops", "--unit: torch counts two per multiply-add already"),
    ],
)
def test_what_is_unknown_or_counted_already_is_refused(
    convention: str | None, unit: str | None, problem: str
) -> None:
    with pytest.raises(MbcostError, match=problem):
        restatement(convention, unit)
