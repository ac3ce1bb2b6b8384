"""Every figure printed beside a network, compared with ours."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from mbcost.networks.network import Network
from mbcost.networks.published import Published
from mbcost.networks.yaml import builtin, builtins
from mbcost.studies.papers.printed import parse_printed

NETWORKS = {name: spec for name in builtins() if isinstance(spec := builtin(name), Network)}
ROWS = [
    pytest.param(network, row, id=f"{name}-{row.alpha:g}-{row.size}-{i}")
    for name, network in NETWORKS.items()
    for i, row in enumerate(network.published)
]


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
        if text is not None and not parse_printed(text).agrees(Fraction(ours[name]))
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


def test_a_top1_belongs_to_the_settings_it_was_printed_for() -> None:
    rows = (
        Published(1.0, 224, top1=70.0),
        Published(0.5, "96x160", top1=50.0),
        Published(1.0, 224, reduced_tail=True, top1=69.0),
        Published(1.0, 224, classes=10, params="1M"),
        Published(1.0, 224, output_stride=16, top1=68.0),
    )
    network = replace(NETWORKS["v3-large"], published=rows)
    assert network.top1({}) == 70.0
    assert network.top1({"rho": 1.0, "batch": 3, "fold_bn": True, "in": 3}) == 70.0
    assert network.top1({"size": (224, 160)}) is None
    assert network.top1({"alpha": 0.5, "size": (96, 160)}) == 50.0
    assert network.top1({"alpha": 0.5, "size": (160, 96)}) is None
    assert network.top1({"reduced_tail": True}) == 69.0
    assert network.top1({"reduced_tail": False, "classes": 1000, "round_nearest": 8}) == 70.0
    assert network.top1({"reduced_tail": True, "classes": 10}) is None
    assert network.top1({"classes": 10}) is None  # a row without a top-1
    assert network.top1({"output_stride": 16}) == 68.0
    assert network.top1({"in": 1}) is None
