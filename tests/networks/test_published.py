"""Every figure printed beside a network, compared with ours."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import pytest

from mbcost.networks.network import Network
from mbcost.networks.published import Published
from mbcost.networks.yaml import builtin, builtins
from mbcost.units import PREFIXES

NETWORKS = {
    name: spec
    for name, entry in builtins().items()
    if entry.kind == "network" and isinstance(spec := builtin(name), Network)
}
ROWS = [
    pytest.param(network, row, id=f"{name}-{row.alpha:g}-{row.size}")
    for name, network in NETWORKS.items()
    for row in network.published
]


def agrees(printed: str, ours: int) -> bool:
    """Return whether ``ours`` rounds or truncates to the printed digits, all of them."""
    digits = printed.rstrip("kKMBGT ")
    prefix = {"K": "k", "B": "G"}.get(printed[-1], printed[-1]) if digits != printed else ""
    decimals = len(digits.partition(".")[2])
    steps = Fraction(ours, PREFIXES[prefix]) * 10**decimals
    return int(digits.replace(".", "")) in (floor(steps), floor(steps + Fraction(1, 2)))


def differing(network: Network, row: Published) -> list[str]:
    """Return the printed figures that ours do not round or truncate to."""
    report = network.count(**network.printed_for(row))
    ours = {
        "mult_adds": report.mult_adds,
        "params": report.params_as(network.published_params),
    }
    printed = {name: getattr(row, name) for name in ours}
    return [
        f"{name}: printed {text}, ours {ours[name]:,}"
        for name, text in printed.items()
        if text is not None and not agrees(text, ours[name])
    ]


@pytest.mark.parametrize(("network", "row"), ROWS)
def test_a_printed_figure_agrees_or_says_why(network: Network, row: Published) -> None:
    found = differing(network, row)
    if row.reason:
        assert found, "every figure agrees: its reason has to go"
    else:
        assert not found


@pytest.mark.parametrize("name", [name for name, n in NETWORKS.items() if n.published])
def test_printed_figures_name_their_source(name: str) -> None:
    assert NETWORKS[name].published_source
    assert NETWORKS[name].source


def test_the_figures_of_a_network_with_one_changed_width_no_longer_agree() -> None:
    v1 = NETWORKS["v1"]
    first, *rest = v1.rows
    narrow = Network(
        "narrow",
        v1.x,
        (type(first)(first.block, {**first.fields, "c": 31}), *rest),
        classes=v1.classes,
        published_params=v1.published_params,
    )
    row = next(row for row in v1.published if row.alpha == 1 and row.size == 224)
    assert differing(v1, row) == []
    assert differing(narrow, row) == ["mult_adds: printed 569M, ours 567,485,952"]


@pytest.mark.parametrize(
    ("printed", "ours", "expected"),
    [
        ("569M", 568_740_352, True),  # rounds
        ("568M", 568_740_352, True),  # truncates
        ("570M", 568_740_352, False),
        ("0.39B", 385_814_752, True),
        ("4.2M", 4_249_999, True),
        ("4.2M", 4_300_000, False),
        ("4.2M", 4_199_999, True),
        ("720M", 724_406_816, False),  # a printed zero is a digit
        ("4383312", 4_383_312, True),
        ("4383312", 4_383_313, False),
    ],
)
def test_agreement_is_rounding_or_truncation(printed: str, ours: int, expected: bool) -> None:
    assert agrees(printed, ours) is expected
