"""``mbcost roof``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from mbcost.cli.app import app
from mbcost.cli.groups import Group
from mbcost.cli.options import DeviceName, Exact, FormatName, Rows, Settings, Targets
from mbcost.cli.output import Sink, check_writable, parted, sink
from mbcost.errors import MbcostError, did_you_mean
from mbcost.networks.settings import YAML_SUFFIXES
from mbcost.studies.memory.how import ITEM_BYTES
from mbcost.units import parse_word

if TYPE_CHECKING:
    from mbcost.output.table import Table
    from mbcost.studies.device.measured import Roof
    from mbcost.studies.device.profile import Device

RoofOutput = Annotated[
    list[str] | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="Write to FILE; the suffix decides: .yaml for the device that was measured, or .txt "
        ".md .csv .tex .json for the table. Repeatable; - is stdout.",
        show_default=False,
    ),
]


class Place(NamedTuple):
    """Which files a measured device goes to, and where the table does."""

    devices: tuple[Path, ...]
    table: Sink


def place(exact: Exact = False, format: FormatName = "table", output: RoofOutput = None) -> Place:
    """Return where device and table go, or raise: a wrong suffix, a place that is not there."""
    files, rest = parted(output, YAML_SUFFIXES)
    check_writable(files)
    return Place(tuple(dict.fromkeys(files)), sink(exact, format, rest))


@dataclass(frozen=True)
class Measuring:
    """How this machine is measured, as typed."""

    threads: Annotated[
        int | None,
        typer.Option(
            "--threads",
            metavar="N",
            min=1,
            max=1024,
            help="Threads that are measured together. At one the CPU's clock counts, at several "
            "the wall's. Default 1.",
            show_default=False,
        ),
    ] = None
    seconds: Annotated[
        float | None,
        typer.Option(
            "--seconds",
            metavar="S",
            min=0.01,
            max=3600.0,
            help="How long is measured, about. Default 20.",
            show_default=False,
        ),
    ] = None


@dataclass(frozen=True)
class Bounding:
    """What is bounded, and how it is shown, as typed."""

    dtype: Annotated[
        str | None,
        typer.Option(
            "--dtype",
            metavar="|".join(ITEM_BYTES),
            help="Type of weights and maps. Default fp32.",
            show_default=False,
        ),
    ] = None
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="layer|kind", help="Parts of one TARGET.", show_default=False),
    ] = None


@app.command()
def roof(
    *,
    targets: Targets = None,
    device: DeviceName = None,
    bounding: Bounding,
    measuring: Measuring,
    rows: Rows,
    where: Annotated[Place, Group(place)],
    settings: Settings,
) -> None:
    """How fast a device is at most, and how long a network takes on it at least.

    Without a TARGET this machine is measured: mult-adds by type (torch and ONNX Runtime) and
    bandwidth by cache; -o host.yaml writes it as a device. With TARGETs and --device a lower bound
    is printed, which is no latency: no layer multiplies or moves bytes faster. --device alone shows
    that device and its sources.

    mbcost roof -o host.yaml

    mbcost roof v1 v2 v3-small --device raspberry-pi-5 --dtype int8

    mbcost roof v2 --device host.yaml --by kind
    """
    if device is None and not targets:
        _refuse("of a TARGET on a --device", {**_bounded(bounding), **_options(settings)})
        _measure(measuring, rows, where)
        return
    if device is None:
        raise MbcostError(
            "on which device?",
            place="--device",
            way_out="like --device raspberry-pi-5; `mbcost list` shows them, and `mbcost "
            "roof -o host.yaml` measures this machine",
        )
    timed = {"--threads": measuring.threads, "--seconds": measuring.seconds}
    written = {"-o": where.devices[0] if where.devices else None}
    _refuse("of a measurement, which has no --device and no TARGET", {**timed, **written})
    from mbcost.studies.device.profile import load_device

    found = load_device(device)
    if not targets:
        _refuse("of a TARGET", {**_bounded(bounding), **_options(settings)})
        from mbcost.studies.device.table import device_table

        where.table.show(lambda: device_table(found, rows.columns, rows.sort))
        return
    where.table.show(lambda: _bounds(targets, found, bounding, rows, settings))


def _bounded(bounding: Bounding) -> dict[str, object]:
    return {"--dtype": bounding.dtype, "--by": bounding.by}


def _options(settings: Mapping[str, str]) -> dict[str, object]:
    return {f"--{name.replace('_', '-')}": value for name, value in settings.items()}


def _refuse(what: str, given: Mapping[str, object]) -> None:
    """Raise for an option that was given where it means nothing."""
    for option, value in given.items():
        if value is not None:
            raise MbcostError(f"is {what}", place=option, way_out=f"leave out {option}")


def dtype_of(text: str | None) -> str:
    """Return the type that was typed, or fp32."""
    try:
        return parse_word(text or "fp32", tuple(ITEM_BYTES))
    except MbcostError as error:
        raise error.at("--dtype") from None


def _bounds(
    targets: list[str], device: Device, bounding: Bounding, rows: Rows, settings: dict[str, str]
) -> Table:
    from mbcost.studies.device.table import VIEWS, bound_table, part_table
    from mbcost.targets.resolve import resolve

    dtype, by = dtype_of(bounding.dtype), bounding.by
    device.peak(dtype)
    if by is not None and by not in VIEWS:
        raise MbcostError(f"unknown view {by!r}", place="--by", way_out=did_you_mean(by, VIEWS))
    subjects = resolve(targets, settings)
    if by is None:
        return bound_table(subjects, device, dtype, rows.columns, rows.sort)
    if len(subjects) != 1:
        raise MbcostError("shows the parts of one target", place="--by", way_out="one TARGET")
    return part_table(subjects[0], device, dtype, by, rows.columns, rows.sort)


def _measure(measuring: Measuring, rows: Rows, where: Place) -> None:
    """Measure this machine, show its ceilings and write it as a device."""
    from mbcost.errors import missing, not_installed
    from mbcost.modules.roof import cases_of
    from mbcost.output.progress import progress
    from mbcost.output.table import choose_columns
    from mbcost.studies.device.measured import SECONDS, roof_of, roof_steps, turns
    from mbcost.studies.device.table import CEILING_COLUMNS, device_table

    if missing(["torch"]):
        raise not_installed("a measurement", ["torch"])
    choose_columns(CEILING_COLUMNS, rows.columns, ())
    threads, seconds = measuring.threads or 1, measuring.seconds or SECONDS
    cases = cases_of(threads)
    *_, (_, timed) = progress(roof_steps(cases, threads, seconds), turns(cases))
    found = roof_of(timed, threads, seconds)
    name = where.devices[0].stem if where.devices else "host"
    table = device_table(found.device(name), rows.columns, rows.sort)
    where.table.show(lambda: table, beside=lambda: _files(found, where))


def _files(found: Roof, where: Place) -> dict[Path, str]:
    return {path: found.text() for path in where.devices}
