from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import mbcost


def test_count_takes_the_command_lines_settings() -> None:
    report = mbcost.count("v2", alpha=0.5, size=(160, 96), batch=2, in_=1)
    assert report.x == (1, 160, 96)
    assert report.mult_adds == 2 * mbcost.count("v2@alpha=0.5,size=160x96,in=1").mult_adds
    network = mbcost.load("v2")
    assert network.count(alpha=0.5).params == mbcost.count(network, alpha=0.5).params


def test_load_returns_a_network_or_a_block() -> None:
    assert isinstance(mbcost.load("v2"), mbcost.Network)
    assert isinstance(mbcost.load("standard"), mbcost.SingleBlock)
    with pytest.raises(mbcost.MbcostError, match="settings belong to count"):
        mbcost.load("v2@alpha=0.5")


def test_mistakes_name_place_and_way_out() -> None:
    with pytest.raises(mbcost.MbcostError, match="did you mean 'alpha'"):
        mbcost.count("v2", alhpa=0.5)
    with pytest.raises(mbcost.MbcostError, match="v2: alpha: 0 is out of range"):
        mbcost.load("v2").count(alpha=0)
    with pytest.raises(mbcost.MbcostError, match="nothing to compare"):
        mbcost.compare()


def test_frames_add_up_to_the_report() -> None:
    report = mbcost.count("v3-small", batch=2)
    frame = report.frame()
    assert isinstance(frame, pd.DataFrame)
    assert frame["params"].sum() == report.params
    assert frame["mult_adds"].sum() == report.mult_adds
    assert frame["path"].is_unique


def test_compare_runs_the_counters_it_is_given() -> None:
    comparison = mbcost.compare("standard", "inverted-residual", size=16, counters=["torchinfo"])
    frame = comparison.frame()
    assert list(frame["verified"]) == [True, True]
    assert frame["torchinfo_mult_adds"].gt(frame["mult_adds"]).all()
    assert frame["fvcore_flops"].isna().all()


def test_notebooks_get_tables() -> None:
    html = mbcost.compare("v1", "v2")._repr_html_()
    assert html.count("<tr>") == 3
    assert "1.9× fewer" in html
    assert "3,504,872 params" in mbcost.count("v2")._repr_html_()


def test_a_users_path_may_be_a_path(tmp_path: Path) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text("input: [3, 8, 8]\nrows: [{block: conv, c: 4}]\n")
    report = mbcost.count(path)
    assert (report.name, report.params) == ("tiny", 4 * 3 * 9 + 2 * 4)


def test_unknown_names_of_the_package_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = mbcost.nothing
