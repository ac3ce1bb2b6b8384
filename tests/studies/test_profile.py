"""Devices from YAML: each figure with its source, and what is wrong with its place."""

from __future__ import annotations

from fractions import Fraction
from math import prod
from pathlib import Path

import pytest

from mbcost.errors import MbcostError
from mbcost.networks.yaml.document import parse_document
from mbcost.studies.device.profile import (
    DTYPES,
    Device,
    device_files,
    find_device,
    load_device,
    read_device,
)

DEVICES = list(device_files())
PRINTED = {
    # mult-adds a second by hand: lanes × pipes × cycles, or half of the printed FLOPS
    ("nucleo-f446re", "fp32"): 180 * 10**6,
    ("nucleo-f446re", "int8"): 2 * 180 * 10**6,
    ("stm32f746g-disco", "fp32"): 216 * 10**6,
    ("stm32f746g-disco", "int8"): 2 * 216 * 10**6,
    ("kirin-980-big-core", "fp32"): 2 * 4 * 2600 * 10**6,
    ("kirin-980-big-core", "fp16"): 2 * 8 * 2600 * 10**6,
    ("kirin-980-big-core", "int8"): 2 * 16 * 2600 * 10**6,
    ("raspberry-pi-5", "fp32"): 4 * 2 * 4 * 2400 * 10**6,
    ("raspberry-pi-5", "fp16"): 4 * 2 * 8 * 2400 * 10**6,
    ("raspberry-pi-5", "int8"): 4 * 2 * 16 * 2400 * 10**6,
    ("h100-sxm", "fp32"): 669 * 10**11 // 2,
    ("h100-sxm", "fp16"): 9894 * 10**11 // 2,
    ("h100-sxm", "bf16"): 9894 * 10**11 // 2,
    ("h100-sxm", "int8"): 19789 * 10**11 // 2,
}
MOVED = {
    ("nucleo-f446re", "SRAM and flash"): 4 * 180 * 10**6,
    ("stm32f746g-disco", "SRAM and flash"): 8 * 216 * 10**6,
    ("kirin-980-big-core", "L1"): 2 * 16 * 2600 * 10**6,
    ("kirin-980-big-core", "memory"): 4 * 2 * 4266 * 10**6,
    ("raspberry-pi-5", "L1"): 4 * 2 * 16 * 2400 * 10**6,
    ("raspberry-pi-5", "memory"): 4 * 4267 * 10**6,
    ("h100-sxm", "memory"): 335 * 10**10,
}
GOOD = """source: datasheet, page 1
peaks:
  fp32: {mult_adds_per_s: 1G, source: page 2}
bandwidths:
  - {level: L1, bytes: 32KiB, factors: {hz: 1G, bytes_per_load: 8}, source: page 3}
  - {level: memory, bytes_per_s: 2GB, source: page 4}
"""
REFUSED = {
    "fp32: {": ("fp33: {", "peaks.fp33", "unknown key 'fp33' (did you mean 'fp32'?)"),
    "source: datasheet, page 1": ("title: x", "", "the key 'source' is missing"),
    "datasheet, page 1": ("' '", "source", "is an empty name"),
    ", source: page 2": ("", "peaks.fp32", "the key 'source' is missing"),
    ", source: page 3": ("", "bandwidths[0]", "the key 'source' is missing"),
    ", source: page 4": ("", "bandwidths[1]", "the key 'source' is missing"),
    "mult_adds_per_s: 1G, ": ("", "peaks.fp32", "no rate is given"),
    "mult_adds_per_s: 1G": ("mult_adds_per_s: 0", "peaks.fp32.mult_adds_per_s", "above 0"),
    "1G, source: page 2": ("fast, source: x", "peaks.fp32.mult_adds_per_s", "is not a count"),
    "1G, source: page": ("1G, factors: {hz: 1}, source: x", "peaks.fp32", "not both"),
    "{hz: 1G, bytes_per_load: 8}": ("{}", "bandwidths[0].factors", "no factor is given"),
    "bytes_per_load: 8": ("bytes_per_load: 0", "bandwidths[0].factors", "above 0"),
    "bytes: 32KiB, ": ("", "bandwidths[0]", "has no 'bytes'"),
    "level: memory, ": ("level: memory, bytes: 1MB, ", "bandwidths[1]", "is the last level"),
    "  - {level: memory": (
        "  - {level: L2, bytes: 32KiB}\n  - {level: memory",
        "bandwidths[1].bytes",
        "holds no more than the level before it",
    ),
    "2GB": ("2Gbit", "bandwidths[1].bytes_per_s", "is not a size in bytes"),
    "  fp32: {mult_adds_per_s: 1G, source: page 2}\n": ("  {}\n", "peaks", "no peak is given"),
}


@pytest.mark.parametrize("name", DEVICES)
def test_every_shipped_device_is_read_and_says_where_each_figure_is_from(name: str) -> None:
    device = load_device(name)
    assert device.title != name
    assert len(device.source) > 20
    assert device.measured is None
    for dtype, peak in device.peaks.items():
        assert len(peak.source) > 20
        assert peak.rate == PRINTED[name, dtype]
        assert peak.mult_adds_per_s or prod((peak.factors or {}).values()) == peak.rate
    for level in device.bandwidths:
        assert (level.rate is None) == (not level.source)
        assert level.rate == MOVED.get((name, level.level))
    assert device.bandwidths[-1].rate


def test_no_figure_is_expected_of_a_device_that_is_not_there() -> None:
    peaks = {(name, dtype) for name in DEVICES for dtype in load_device(name).peaks}
    assert peaks == set(PRINTED)
    assert {name for name, _ in MOVED} == set(DEVICES)


def test_microcontrollers_have_flash_and_sram_others_none() -> None:
    found = {name: load_device(name) for name in DEVICES}
    sizes = {name: (d.sram_bytes, d.flash_bytes) for name, d in found.items() if d.sram_bytes}
    assert sizes == {
        "nucleo-f446re": (128 * 1024, 512 * 1024),
        "stm32f746g-disco": (320 * 1024, 1024 * 1024),
    }


def test_names_are_kebab_or_snake_and_misspelt_ones_are_told() -> None:
    assert find_device("Raspberry_Pi_5") == find_device("raspberry-pi-5")
    with pytest.raises(MbcostError) as error:
        load_device("rasberry-pi-5")
    assert "did you mean 'raspberry-pi-5'?" in str(error.value)


def read(text: str) -> Device:
    return read_device(parse_document(text, "mine.yaml"), "mine")


def test_a_file_is_a_device_called_by_its_stem(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD, "utf-8")
    device = load_device(str(path))
    assert (device.name, device.title, device.place) == ("mine", "mine", str(path))
    assert [level.rate for level in device.bandwidths] == [8 * 10**9, 2 * 10**9]
    assert device.peak("fp32") == 10**9
    with pytest.raises(MbcostError, match="has no peak in int8"):
        device.peak("int8")


@pytest.mark.parametrize("good", REFUSED)
def test_what_is_wrong_is_refused_with_its_place(good: str) -> None:
    bad, place, problem = REFUSED[good]
    assert GOOD.count(good) == 1
    with pytest.raises(MbcostError) as error:
        read(GOOD.replace(good, bad))
    assert error.value.place.split(": ")[1:] == ([place] if place else [])
    assert problem in str(error.value)


def test_bytes_pass_the_first_level_and_what_it_cannot_hold_the_next() -> None:
    device = read(GOOD)
    small = device.seconds_to_move(20 * 1024, 10 * 1024)
    assert small == Fraction(30 * 1024, 8 * 10**9)
    # of what is read 32 KiB may be there before, of what is written 32 KiB may stay there
    large = device.seconds_to_move(1000 * 1024, 40 * 1024)
    assert large == Fraction((968 + 8) * 1024, 2 * 10**9)
    assert large > Fraction(1040 * 1024, 8 * 10**9)
    assert device.seconds_to_move(0, 0) == 0


def test_no_time_passes_in_a_level_whose_rate_is_not_known() -> None:
    unknown = read(GOOD.replace("bytes_per_s: 2GB, source: page 4", ""))
    assert unknown.seconds_to_move(10**6, 0) == Fraction(10**6, 8 * 10**9)
    none = read(GOOD[: GOOD.index("bandwidths")])
    assert none.seconds_to_move(10**6, 10**6) == 0


def test_types_are_those_of_memory() -> None:
    assert DTYPES == ("fp32", "fp16", "bf16", "int8")
