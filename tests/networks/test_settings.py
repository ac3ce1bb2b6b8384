"""What is typed behind a target or given in Python, and what it is as plain data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mbcost.errors import MbcostError
from mbcost.networks.settings import (
    MAX_VALUES,
    SETTINGS,
    as_record,
    as_text,
    parse_all,
    parse_values,
    split_inline,
)


@pytest.mark.parametrize(
    ("target", "name", "settings"),
    [
        ("v2", "v2", {}),
        ("v2@alpha=0.5,size=160", "v2", {"alpha": "0.5", "size": "160"}),
        ("v2@ reduced-tail = true", "v2", {"reduced_tail": "true"}),
        ("a@b/net.yaml", "a@b/net.yaml", {}),
        ("a@b/net.yaml@alpha=1", "a@b/net.yaml", {"alpha": "1"}),
        ("a@b.yaml:x@alpha=1", "a@b.yaml:x", {"alpha": "1"}),
        ("net.py:make@width=2", "net.py:make", {"width": "2"}),
    ],
)
def test_settings_stand_behind_the_first_at_that_no_path_follows(
    target: str, name: str, settings: dict[str, str]
) -> None:
    assert split_inline(target) == (name, settings)


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("v2@", "'' is not a setting"),
        ("v2@alpha", "'alpha' is not a setting"),
        ("v2@alpha=", "'alpha=' is not a setting"),
        ("v2@=1", "'=1' is not a setting"),
        ("v2@alpha=1,,size=2", "'' is not a setting"),
        ("v2@alpha=1,alpha=2", "'alpha' is set twice"),
        ("v2@reduced-tail=1,reduced_tail=0", "'reduced_tail' is set twice"),
    ],
)
def test_what_is_no_setting_is_refused(target: str, problem: str) -> None:
    with pytest.raises(MbcostError, match=problem):
        split_inline(target)


def test_a_file_with_an_at_in_its_name_is_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = "net@alpha=0.5.yaml"
    assert split_inline(name) == ("net", {"alpha": "0.5.yaml"})
    (tmp_path / name).touch()
    assert split_inline(name) == (name, {})


def test_values_are_lists_and_ranges_each_once_in_order() -> None:
    alpha, kernel = SETTINGS["alpha"], SETTINGS["kernel"]
    assert parse_values(kernel, "7,3, 5,3", "--kernel") == (7, 3, 5)
    assert parse_values(alpha, "0.5:1:0.25,0.75,1.4", "--alpha") == (0.5, 0.75, 1.0, 1.4)
    assert len(parse_values(SETTINGS["in"], f"1:{MAX_VALUES}", "--in")) == MAX_VALUES
    for text, problem in (
        ("3,,5", "--kernel: '3,,5' has an empty item"),
        (f"0:{MAX_VALUES}", f"--kernel: '0:{MAX_VALUES}' holds 10,001 values"),
        (f"1:{MAX_VALUES},{MAX_VALUES + 1}", "--kernel: "),
    ):
        with pytest.raises(MbcostError, match=problem):
            parse_values(kernel, text, "--kernel")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.5"),
        (True, "True"),
        ((224, 160), "224x160"),
        ([1, 3, 8], "1x3x8"),
        (((1, 3), (1, 77)), "1x3+1x77"),
        (["1x77:int64", (1, 3)], "1x77:int64+1x3"),
        ({"x": (1, 3), "mask": "1x10:bool"}, "x=1x3+mask=1x10:bool"),
    ],
)
def test_a_value_of_python_is_what_would_be_typed(value: object, text: str) -> None:
    assert as_text(value) == text


def test_settings_are_parsed_by_their_rules_under_any_spelling() -> None:
    given: dict[str, Any] = {"in_": 4, "reduced-tail": "no", "size": "224x160", "alpha": 0.5}
    parsed = parse_all(SETTINGS, given, "v3")
    assert parsed == {"in": 4, "reduced_tail": False, "size": (224, 160), "alpha": 0.5}
    assert as_record(parsed) == {
        "in": 4,
        "reduced_tail": False,
        "size": "224x160",
        "alpha": 0.5,
    }
    assert as_record({"size": (9, 9), "options": {"width": 2}}) == {"size": 9, "width": 2}


@pytest.mark.parametrize(
    ("given", "place", "problem"),
    [
        ({"alfa": 1}, "v2", r"v2: no setting 'alfa' here \(did you mean 'alpha'"),
        ({"alpha": 0}, "v2", "v2: alpha: 0 is out of range"),
        ({"fold_bn": "perhaps"}, "--", "--fold-bn: 'perhaps' is neither true nor false"),
    ],
)
def test_a_setting_that_does_not_parse_names_its_place(
    given: dict[str, Any], place: str, problem: str
) -> None:
    with pytest.raises(MbcostError, match=problem):
        parse_all(SETTINGS, given, place)


def test_what_cannot_be_written_is_refused() -> None:
    endless: dict[str, Any] = {}
    endless["x"] = endless
    with pytest.raises(MbcostError, match="a dict that cannot be written"):
        as_text(endless)
    with pytest.raises(MbcostError, match="v2: size: a int that cannot be written"):
        parse_all(SETTINGS, {"size": 10**5000}, "v2")
