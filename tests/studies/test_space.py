"""Design spaces: what varies, as typed and as YAML, and the networks its configs are."""

from __future__ import annotations

from pathlib import Path

import pytest

import mbcost
from mbcost.errors import MbcostError
from mbcost.networks.network import Network
from mbcost.networks.settings import SETTINGS, parse_values
from mbcost.networks.spec import report
from mbcost.networks.yaml import builtins
from mbcost.networks.yaml.write import spec_yaml
from mbcost.studies.spaces.selection import with_fields
from mbcost.studies.spaces.space_file import load_space, space_files
from mbcost.units import expand_range

NETWORKS = [name for name, entry in builtins().items() if entry.kind == "network"]


def test_a_range_holds_both_ends_and_exact_steps() -> None:
    assert expand_range("0.35:1.4:0.35", 10) == ["0.35", "0.70", "1.05", "1.40"]
    assert parse_values(SETTINGS["alpha"], "0.1:0.3:0.1", "") == (0.1, 0.2, 0.3)
    assert parse_values(SETTINGS["size"], "96:224:64,100x60,96", "") == (
        (96, 96),
        (160, 160),
        (224, 224),
        (100, 60),
    )
    assert parse_values(SETTINGS["classes"], "9:11", "") == (9, 10, 11)
    assert expand_range("1:10:4", 10) == ["1", "5", "9"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1:0.5:0.1", "ends before it starts"),
        ("0.5:1:0", "is not above 0"),
        ("0.5:1:-0.1", "is not above 0"),
        ("a:b", "is not a range"),
        ("1:2:3:4", "is not a range"),
        (":", "is not a range"),
        ("0.1:nan", "is not a range"),
        ("0:inf:0.1", "is not a range"),
        ("0.00001:10:0.00001", "at most 10,000"),
        ("0:1:0.5", "0 is out of range"),
        ("0.5,,1", "empty item"),
        ("", "empty item"),
    ],
)
def test_a_bad_range_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(MbcostError, match=message):
        parse_values(SETTINGS["alpha"], text, "--alpha")


def test_one_value_fixes_and_several_are_an_axis() -> None:
    space = load_space("v2").narrowed({"size": "96,128", "alpha": "0.5"})
    assert [axis.key for axis in space.axes] == ["size"]
    assert space.settings == {"alpha": 0.5}
    assert space.size == 2
    assert space.narrowed({"size": "64"}).axes == ()
    assert space.narrowed({"rho": "0.5,1"}).settings == {"alpha": 0.5}


@pytest.mark.parametrize("name", space_files())
def test_a_shipped_space_varies_and_its_configs_are_networks(name: str) -> None:
    space = load_space(name)
    assert space.size > 10**6
    for index in (0, space.size - 1):
        spec, settings = space.at(space.choice(index))
        assert isinstance(spec, Network)
        assert report(spec, settings).params > 10**6
        assert spec.source


def test_the_smallest_and_largest_once_for_all_networks() -> None:
    """Rebuilt here by hand: 2 or 4 layers a stage, all 3 × 3 at ratio 3, or 7 × 7 at ratio 6."""

    def weights(depth: int, k: int, t: int) -> int:
        total = 27 * 16 + 9 * 16 + 16 * 16
        c_in = 16
        for c, se in ((24, 0), (40, 1), (80, 0), (112, 1), (160, 1)):
            for _ in range(depth):
                exp = t * c_in
                total += c_in * exp + k * k * exp + exp * c
                squeezed = max(8, (exp // 4 + 4) // 8 * 8)
                squeezed += 8 if squeezed < 0.9 * exp / 4 else 0
                total += se * 2 * exp * squeezed
                c_in = c
        return total + 160 * 960 + 960 * 1280 + 1280 * 1000

    space = load_space("ofa-mobilenetv3")
    smallest, settings = space.at(space.choice(0))
    assert report(smallest, settings).params_weights == weights(2, 3, 3)
    largest, settings = space.at(space.choice(space.size - 1))
    assert report(largest, settings).params_weights == weights(4, 7, 6)


def test_a_layer_that_is_not_there_has_no_choice() -> None:
    space = load_space("ofa-mobilenetv3")
    values = space.values(space.choice(0))
    assert values["rows.2.n"] == 2
    assert values["rows.2.1.k"] == 3
    assert values["rows.2.2.k"] is None


@pytest.mark.parametrize(
    ("name", "index"),
    [("ofa-mobilenetv3", 12345678901234567890), ("mobilenet-grid", 7_654_321), ("v3-large", 0)],
)
def test_a_written_config_costs_the_same_layer_for_layer(
    name: str, index: int, tmp_path: Path
) -> None:
    space = load_space(name).narrowed({"alpha": "0.75,1.1", "size": "160,192"})
    spec, settings = space.at(space.choice(index % space.size))
    path = tmp_path / "winner.yaml"
    path.write_text(spec_yaml(spec, settings, "a comment"))
    written, original = mbcost.count(path), report(spec, settings)
    assert written.x == original.x
    assert [(layer.x, layer.y, layer.terms) for layer in written.layers] == [
        (layer.x, layer.y, layer.terms) for layer in original.layers
    ]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_is_written_with_its_wiring(name: str, tmp_path: Path) -> None:
    """Each node reads what it did, in the original's paths but for the numbers of split rows."""
    space = load_space(name)
    alpha = 2.0 if name == "shufflenet-g2" else 0.5  # its 2 groups do not divide 25 channels
    given = {"alpha": alpha, "classes": 7, "fold_bn": False, "output_stride": 8}
    settings = {key: value for key, value in given.items() if key in space.spec.accepts}
    path = tmp_path / "written.yaml"
    path.write_text(spec_yaml(space.spec, settings, ""))
    written, original = load_space(str(path)).spec.graph(), space.spec.graph(settings)
    assert (written.x, written.outputs) == (original.x, original.outputs)
    assert [node[2:] for node in written.nodes] == [node[2:] for node in original.nodes]


def test_one_layer_of_a_row_that_branches_is_chosen_like_the_row() -> None:
    """Rows 6 (tapped), 9 (named) and 18 (reads a tap, puts out) of one layer each."""
    graphs = []
    for repeat in ("", "0."):
        space = with_fields(load_space("ssdlite-v2"), [f"rows.{i}.{repeat}k=5" for i in (6, 9, 18)])
        spec, settings = space.at(space.choice(0))
        graphs.append(spec.graph(settings))
    assert graphs[0].outputs == graphs[1].outputs
    assert [node[2:] for node in graphs[0].nodes] == [node[2:] for node in graphs[1].nodes]
    assert len(graphs[0].outputs) == 12


def test_a_written_block_costs_the_same(tmp_path: Path) -> None:
    space = load_space("inverted-residual").narrowed({"expand": "4", "size": "28", "in": "32"})
    path = tmp_path / "block.yaml"
    path.write_text(spec_yaml(*space.at(()), ""))
    spec, settings = space.at(())
    assert mbcost.count(path).mult_adds == report(spec, settings).mult_adds


SPACE = "input: [3, 8, 8]\nrows:\n  - {block: conv, c: [8, 16]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SPACE + ", k: []}\n", r"rows\[0\]\.k: must be a list, not an empty list"),
        (SPACE + ", k: [3, 0]}\n", r"rows\[0\]\.k: 0 is out of range"),
        (SPACE + ", kk: [3]}\n", r"unknown key 'kk'"),
        (SPACE + ", per_layer: [k]}\n", r"per_layer\[0\]: unknown value 'k'"),
        (SPACE + "}\nsettings: {alpha: [0, 1]}\n", r"settings\.alpha: .*0 is out of range"),
        (SPACE + "}\nsettings: {alhpa: 1}\n", r"settings\.alhpa: "),
        (SPACE + "}\nsettings: {size: '9:5'}\n", r"settings\.size: .*ends before it starts"),
    ],
)
def test_a_bad_space_file_says_where(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(text)
    with pytest.raises(MbcostError) as raised:
        load_space(str(path))
    import re

    assert re.search(message, str(raised.value)), str(raised.value)
