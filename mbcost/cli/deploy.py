"""``mbcost deploy``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from mbcost.cli.app import app
from mbcost.cli.groups import Group
from mbcost.cli.options import Columns, FormatName, Settings, Target
from mbcost.cli.output import Sink, check_writable, parted, plain_sink
from mbcost.cost import DTYPES
from mbcost.errors import MbcostError
from mbcost.modules.exported import FILE_FORMATS, LAYOUTS
from mbcost.units import parse_span, parse_word

if TYPE_CHECKING:
    from mbcost.studies.deploy import Storage

DeployedOutput = Annotated[
    list[str] | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help=f"Write to FILE; the suffix decides: {' '.join(FILE_FORMATS)} for the network, or "
        ".txt .md .csv .tex .json for the table. Repeatable; - is stdout.",
        show_default=False,
    ),
]


class Place(NamedTuple):
    """Which files the network goes to, and where the table of them does."""

    files: tuple[Path, ...]
    table: Sink


def place(format: FormatName = "table", output: DeployedOutput = None) -> Place:
    """Return where network and table go, or raise: no file for it, a wrong suffix."""
    files, rest = parted(output, FILE_FORMATS)
    if not files:
        raise MbcostError(
            "no file for the network", place="-o", way_out="-o net.onnx or -o net.tflite"
        )
    check_writable(files)
    return Place(tuple(dict.fromkeys(files)), plain_sink(format, rest))


@dataclass(frozen=True)
class Stored:
    """How the network is stored, as typed."""

    dtype: Annotated[
        str,
        typer.Option(
            "--dtype",
            metavar="|".join(DTYPES),
            help="What parameters are stored as; int8 is quantised by random images.",
        ),
    ] = "fp32"
    layout: Annotated[
        str | None,
        typer.Option(
            "--layout",
            metavar="|".join(LAYOUTS),
            help="Dimensions of what the file reads and puts out. Default: as its programs expect "
            "(ONNX: nchw; TFLite has nhwc alone).",
            show_default=False,
        ),
    ] = None
    input_range: Annotated[
        str,
        typer.Option(
            "--input-range",
            metavar="LOW:HIGH",
            help="Values that the input has; images are drawn from it.",
        ),
    ] = "-1:1"
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            metavar="FILE.pt|RUN",
            help="A state dict of the paths of `mbcost model`, or a folder that `mbcost train` "
            "wrote. Default: random weights.",
            show_default=False,
        ),
    ] = None
    seed: Annotated[
        int,
        typer.Option(
            "--seed",
            metavar="S",
            min=0,
            max=2**32,
            help="Seed of random weights and of the images.",
        ),
    ] = 0

    def storage(self) -> Storage:
        """Return it checked."""
        from mbcost.studies.deploy import Storage
        from mbcost.studies.training.run import weights_of

        try:
            span = parse_span(self.input_range)
        except MbcostError as error:
            raise error.at("--input-range") from None
        layout = None if self.layout is None else _word(self.layout, LAYOUTS, "--layout")
        dtype = _word(self.dtype, tuple(DTYPES), "--dtype")
        weights = None if self.weights is None else weights_of(self.weights)
        return Storage(dtype, layout, span, weights, self.seed)


def _word(text: str, words: tuple[str, ...], option: str) -> str:
    try:
        return parse_word(text, words)
    except MbcostError as error:
        raise error.at(option) from None


@app.command()
def deploy(
    *,
    target: Target,
    stored: Stored,
    columns: Columns = None,
    where: Annotated[Place, Group(place)],
    settings: Settings,
) -> None:
    """A network as a file that other programs run, read back and compared: -o net.onnx, net.tflite.

    Batch-norms are folded. Every layer, its weights and mult-adds, and every byte of the file are
    compared with the closed form, the outputs with torch's. Weights are random unless --weights
    names some.

    mbcost deploy v2 -o v2.onnx

    mbcost deploy v3-small --dtype int8 --input-range 0:255 -o v3.tflite -o v3.json
    """
    from mbcost.studies.deploy import deployment
    from mbcost.studies.deploy_table import deploy_table
    from mbcost.targets.resolve import resolve_one

    storage = stored.storage()
    made = deployment(resolve_one(target, settings), storage, [str(path) for path in where.files])
    table = deploy_table(made, columns)
    where.table.show(lambda: table, beside=made.files)
    made.raise_if_far()
