from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mbcost.cost import cost_of
from mbcost.networks.spec import report
from mbcost.networks.yaml import builtin, builtins
from mbcost.output.table import Record
from mbcost.studies.guard import matching
from mbcost.studies.guard.matching import match_layers, same
from mbcost.targets.resolve import resolve_one


def layers_of(target: str) -> list[Record]:
    found = resolve_one(target).report
    return [layer.record(1) for layer in found.layers]


def paired(before: list[Record], after: list[Record]) -> dict[str | None, str | None]:
    """Path after by path before; None collects what is only on one side."""
    return {
        None if i is None else before[i]["path"]: None if j is None else after[j]["path"]
        for i, j in match_layers(before, after)
    }


def edited(tmp_path: Path, old: str, new: str) -> str:
    """Write v2 with one row changed, and return its path as a target."""
    entry = builtins()["v2"]
    text = entry.path.read_text("utf-8")
    assert old in text
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace(old, new), "utf-8")
    return str(path)


ROW_3 = "  - {block: inverted_residual, t: 6, c: 32, n: 3, s: 2, act: relu6}\n"


@pytest.mark.parametrize("name", sorted(builtins()))
def test_a_network_matches_itself_layer_by_layer(name: str) -> None:
    layers = layers_of(name)
    assert match_layers(layers, layers) == [(i, i) for i in range(len(layers))]


def test_the_same_paths_are_the_same_layers_whatever_their_shapes() -> None:
    before, after = layers_of("v2"), layers_of("v2@alpha=0.5,size=96")
    assert paired(before, after) == {layer["path"]: layer["path"] for layer in before}


def test_a_row_inserted_in_the_middle_leaves_the_rows_behind_it_alone(tmp_path: Path) -> None:
    new = "  - {block: inverted_residual, t: 3, c: 32, n: 1, s: 1, act: relu6}\n"
    before = layers_of("v2")
    after = layers_of(edited(tmp_path, ROW_3, ROW_3 + new))
    found = match_layers(before, after)
    added = [after[j]["path"] for i, j in found if i is None and j is not None]
    assert {path.rsplit(".", 2)[0] for path in added if "add" not in path} == {"rows.4"}
    assert len(added) == len(after) - len(before)
    both = [(i, j) for i, j in found if i is not None and j is not None]
    assert all(same(before[i], after[j]) for i, j in both)
    assert len(both) == len(before)


def test_an_inserted_row_that_changes_the_next_one_is_added_as_a_whole(tmp_path: Path) -> None:
    new = "  - {block: inverted_residual, t: 4, c: 48, n: 1, s: 1, act: relu6}\n"
    before = layers_of("v2")
    after = layers_of(edited(tmp_path, ROW_3, ROW_3 + new))
    found = match_layers(before, after)
    added = [after[j]["path"] for i, j in found if i is None and j is not None]
    assert {path[: len("rows.4.")] for path in added} == {"rows.4."}
    assert len(added) == len(after) - len(before)
    changed = [
        (before[i]["path"], after[j]["path"])
        for i, j in found
        if i is not None and j is not None and not same(before[i], after[j])
    ]
    assert changed
    assert all(a.replace("rows.4.0", "rows.5.0") == b for a, b in changed)


def test_a_removed_row_is_removed_as_a_whole(tmp_path: Path) -> None:
    new = "  - {block: inverted_residual, t: 3, c: 32, n: 1, s: 1, act: relu6}\n"
    before = layers_of(edited(tmp_path, ROW_3, ROW_3 + new))
    after = layers_of("v2")
    found = match_layers(before, after)
    removed = [before[i]["path"] for i, j in found if j is None and i is not None]
    assert removed == [x["path"] for x in before if x["path"].startswith("rows.4.")]
    assert len(removed) == len(before) - len(after)


def test_where_rows_moved_and_all_widths_changed_the_rows_still_correspond(
    tmp_path: Path,
) -> None:
    new = "  - {block: inverted_residual, t: 3, c: 32, n: 1, s: 1, act: relu6}\n"
    before = layers_of("v2")
    after = layers_of(edited(tmp_path, ROW_3, ROW_3 + new) + "@alpha=0.5")
    found = match_layers(before, after)
    assert not [i for i, j in found if j is None]
    added = [after[j]["path"] for i, j in found if i is None and j is not None]
    assert len(added) == len(after) - len(before)
    assert {path.split(".")[1] for path in added} == {"4"}


@pytest.mark.parametrize(
    ("path", "row", "name"),
    [
        ("rows.4.0.expand.conv", "rows.4.0", "expand.conv"),
        ("rows.8.conv", "rows.8", "conv"),
        ("features.3.conv.0.0", "features.3", "conv.0.0"),
        ("features.0.0", "features.0", "0"),
        ("classifier.1", "classifier.1", ""),
        ("layer1.0.downsample.0", "layer1.0", "downsample.0"),
        ("encoder.layer_0.mlp", "encoder.layer_0", "mlp"),
        ("conv", "", "conv"),
    ],
)
def test_a_path_is_split_into_its_row_and_its_name_there(path: str, row: str, name: str) -> None:
    assert matching._split(path) == (row, name)


@pytest.mark.parametrize("limit", [matching.MAX_ALIGNED, 0])
def test_each_layer_is_matched_once_and_in_order(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "MAX_ALIGNED", limit)  # 0: by path alone, as for huge networks
    for one, two in (("v2", "v3-large"), ("v3-large", "v1"), ("v1", "standard")):
        before, after = layers_of(one), layers_of(two)
        found = match_layers(before, after)
        assert [i for i, _ in found if i is not None] == list(range(len(before)))
        assert [j for _, j in found if j is not None] == list(range(len(after)))


LAYERS = st.lists(
    st.builds(
        lambda path, kind, c: {
            "path": path, "kind": kind, "kernel": 3, "stride": 1, "groups": 1,
            "input": [c, 8, 8], "output": [c, 8, 8], "params": c, "mult_adds": c,
        },
        st.sampled_from(["rows.0.conv", "rows.0.bn", "rows.1.0.conv", "rows.1.1.conv", "head"]),
        st.sampled_from(["conv", "batch_norm"]),
        st.integers(1, 3),
    ),
    max_size=12,
)  # fmt: skip


@given(LAYERS, LAYERS)
@settings(deadline=None)
def test_any_two_lists_are_matched_once_in_order_and_their_deltas_add_up(
    before: list[Record], after: list[Record]
) -> None:
    found = match_layers(before, after)
    assert [i for i, _ in found if i is not None] == list(range(len(before)))
    assert [j for _, j in found if j is not None] == list(range(len(after)))
    delta = sum(
        (0 if j is None else after[j]["params"]) - (0 if i is None else before[i]["params"])
        for i, j in found
    )
    assert delta == sum(x["params"] for x in after) - sum(x["params"] for x in before)


def test_the_records_matched_are_those_of_a_cost_report() -> None:
    spec = builtin("v3-small")
    assert cost_of(spec.graph({}), "v3-small").layers == report(spec, {}).layers
    keys = set(layers_of("v3-small")[0])
    assert set(matching.SIGNATURE) | {"path"} == keys


def test_rows_beyond_what_can_be_aligned_are_paired_by_path() -> None:
    layer = {"path": "", "kind": "conv", "kernel": 3, "params": 1, "mult_adds": 1}

    def rows(count: int, **changed: object) -> list[Record]:
        return [{**layer, "path": f"rows.{i}.conv", **changed} for i in range(count)]

    for other in (rows(2400), rows(2400, kernel=5)):  # 6 M pairs: equal ones, and none alike
        assert max(matching.MAX_EQUAL, matching.MAX_ALIGNED) < 2500 * 2400
        found = match_layers(rows(2500), other)
        assert found == [(i, i if i < 2400 else None) for i in range(2500)]
