"""Devices from YAML: how fast they multiply and move bytes at most, and where each figure is from.

A device is named by the stem of a file in ``configs/devices/``, or by the path of one of one's own.
To add a device: its file. ``mbcost roof -o host.yaml`` measures one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Annotated

from mbcost.errors import MbcostError, did_you_mean
from mbcost.networks.rules import (
    Bytes,
    Count,
    Field,
    Keys,
    ListOf,
    MappingOf,
    Name,
    Record,
    Text,
    Whole,
    fields_of,
)
from mbcost.networks.settings import YAML_SUFFIXES
from mbcost.networks.yaml.catalog import configs_dir
from mbcost.networks.yaml.check import check
from mbcost.networks.yaml.document import Document, read_document
from mbcost.studies.memory.how import ITEM_BYTES

MOST_CORES = 10**6
DTYPES = tuple(ITEM_BYTES)
"""Types that a device may have a peak in."""

_FACTORS = MappingOf(
    Count("a factor of the rate"),
    "what multiplies to the rate, where no document prints it",
    empty="no factor is given",
    like="factors: {hz: 2.4G, lanes: 4}",
    names=True,
)
_SOURCE = Name("the document and its table or page, or what was measured")


@dataclass(frozen=True)
class Peak:
    """Multiply-adds a second at most, in one type; a fused multiply-add is one, not two."""

    source: Annotated[str, _SOURCE]
    mult_adds_per_s: Annotated[int | None, Count("multiply-adds a second, like 76.8G")] = None
    factors: Annotated[Mapping[str, int] | None, _FACTORS] = None

    @property
    def rate(self) -> int:
        """Multiply-adds a second."""
        return self.mult_adds_per_s or (prod(self.factors.values()) if self.factors else 0)


@dataclass(frozen=True)
class Level:
    """A cache or memory: what it can hold, and how fast bytes come out of it and go in at most."""

    level: Annotated[str, Name("its name: L1, memory")]
    bytes: Annotated[
        int | None,
        Bytes("bytes that it and all before it hold together; the last holds everything"),
    ] = None
    bytes_per_s: Annotated[
        int | None, Bytes("bytes a second, read and written together, like 17GB")
    ] = None
    factors: Annotated[Mapping[str, int] | None, _FACTORS] = None
    source: Annotated[str, _SOURCE] = ""

    @property
    def rate(self) -> int | None:
        """Bytes a second; None where it is not known."""
        return self.bytes_per_s or (prod(self.factors.values()) if self.factors else None)


_PEAKS = Keys(
    {
        dtype: Field(
            dtype, Record(Peak, like="{mult_adds_per_s: 76.8G, source: datasheet, page 3}")
        )
        for dtype in DTYPES
    },
    "multiply-adds a second at most, by type of weights and maps",
)
_LEVELS = ListOf(
    Record(Level, like="{level: memory, bytes_per_s: 17GB, source: datasheet, page 3}"),
    "caches and memories from the core outwards",
    most=16,
)


@dataclass(frozen=True)
class Device:
    """What a device can do at most; what no document says is not in it."""

    source: Annotated[str, Name("document and table or page of all that has no source of its own")]
    peaks: Annotated[Mapping[str, Peak], _PEAKS]
    title: Annotated[str, Text("the name in full")] = ""
    cores: Annotated[int, Whole(1, MOST_CORES, "cores that reach the peaks together")] = 1
    clock_hz: Annotated[int | None, Count("cycles a second of a core, like 2.4G")] = None
    sram_bytes: Annotated[int | None, Bytes("bytes of RAM on the chip of a microcontroller")] = None
    flash_bytes: Annotated[int | None, Bytes("bytes of program memory of a microcontroller")] = None
    bandwidths: Annotated[tuple[Level, ...], _LEVELS] = ()
    measured: Annotated[
        Mapping[str, str] | None,
        MappingOf(Text(""), "by what it was measured, and when", names=True),
    ] = None
    name: str = ""
    """The stem of its file."""
    place: str = ""
    """Its file, as messages name it."""

    def peak(self, dtype: str) -> int:
        """Return the multiply-adds a second at most in ``dtype``; raise where it is not known."""
        if dtype not in self.peaks:
            raise MbcostError(
                f"has no peak in {dtype}",
                place=self.place,
                way_out=f"--dtype {' or '.join(self.peaks)}",
            )
        return self.peaks[dtype].rate

    def seconds_to_move(self, read: int, written: int) -> Fraction:
        """Return the seconds that an operator takes at least to read and write so many bytes.

        All of them pass the first level. Of what is read, a level holds at most all that fits in it
        when the operator begins, and of what is written, when it ends: the rest passes the next
        level. A level whose rate is not known takes no time.
        """
        longest, held = Fraction(0), 0
        for level in self.bandwidths:
            passing = max(0, read - held) + max(0, written - held)
            if level.rate:
                longest = max(longest, Fraction(passing, level.rate))
            held = level.bytes or 0
        return longest


DEVICE = Keys(fields_of(Device), "a device: what it can do at most, and where that is printed")


@cache
def device_files() -> dict[str, Path]:
    """Return the files of the devices that ship with mbcost, by name."""
    return {path.stem: path for path in sorted((configs_dir() / "devices").glob("*.yaml"))}


def find_device(name: str) -> Path | None:
    """Return the file of the built-in device of that name; kebab and snake case are the same."""
    return device_files().get(name.replace("_", "-").lower())


def load_device(name: str) -> Device:
    """Return the device that ``name`` names: a built-in one, or a YAML file."""
    shipped = find_device(name)
    if shipped:
        return read_device(read_document(shipped, f"configs/devices/{shipped.name}"), shipped.stem)
    if name.endswith(YAML_SUFFIXES):
        return read_device(read_document(Path(name)), Path(name).stem)
    raise MbcostError(
        f"no device is called {name!r}",
        way_out=f"{did_you_mean(name.replace('_', '-'), device_files())}; or a YAML file, which "
        "`mbcost roof -o host.yaml` measures",
    )


def read_device(document: Document, stem: str) -> Device:
    """Return the device in a document."""
    found = Device(**check(DEVICE, document.data, document))
    if not found.peaks:
        raise document.error("no peak is given", "peaks", way_out=f"some of {', '.join(DTYPES)}")
    for dtype, peak in found.peaks.items():
        _check_rate(document, peak, "mult_adds_per_s", "peaks", dtype)
        if not peak.rate:
            raise document.error("no rate is given", "peaks", dtype, way_out="leave it out")
    for i, level in enumerate(found.bandwidths):
        _check_rate(document, level, "bytes_per_s", "bandwidths", i)
    _check_order(document, found.bandwidths)
    return replace(found, title=found.title or stem, name=stem, place=document.path)


def _check_rate(document: Document, of: Peak | Level, key: str, *keys: str | int) -> None:
    """Raise for a rate that is said twice, is none, or has no source."""
    given = getattr(of, key)
    if given is not None and of.factors is not None:
        problem = f"needs one of {key!r} and 'factors', not both"
        raise document.error(problem, *keys, way_out="keep one")
    if given == 0 or (of.factors and of.rate == 0):
        where = key if given == 0 else "factors"
        raise document.error("a rate must be above 0", *keys, where, way_out="leave it out")
    if of.rate and not of.source:
        raise document.error("the key 'source' is missing", *keys, way_out=_SOURCE.doc)


def _check_order(document: Document, levels: tuple[Level, ...]) -> None:
    """Raise where levels do not hold more and more, the last of them everything."""
    for i, level in enumerate(levels):
        keys = ("bandwidths", i)
        last = i == len(levels) - 1
        if last != (level.bytes is None):
            problem = "is the last level, which holds everything" if last else "has no 'bytes'"
            raise document.error(
                problem, *keys, way_out="leave out its bytes" if last else "like bytes: 512KiB"
            )
    for i, (inner, outer) in enumerate(pairwise(levels[:-1]), 1):
        if (inner.bytes or 0) >= (outer.bytes or 0):
            raise document.error(
                "holds no more than the level before it",
                "bandwidths",
                i,
                "bytes",
                way_out="from the core outwards; bytes are those of all levels up to it",
            )
