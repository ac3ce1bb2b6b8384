"""``mbcost compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mbcost.cli.app import app
from mbcost.cli.counting import Counting, conclude
from mbcost.cli.easel import FigureBeside
from mbcost.cli.options import Rows, Settings, Targets
from mbcost.cli.output import ExactSink

if TYPE_CHECKING:
    from mbcost.output.files import Content


@app.command()
def compare(
    *,
    targets: Targets = None,
    counting: Counting,
    reference: Annotated[
        str | None,
        typer.Option(
            "--reference",
            metavar="NAME",
            help="Target that ratios compare with; default the first.",
        ),
    ] = None,
    runs: Annotated[
        str | None,
        typer.Option(
            "--runs",
            metavar="DIR",
            help="Folder of trainings: the top-1 measured in each beside what it costs; without a "
            "TARGET every one.",
            show_default=False,
        ),
    ] = None,
    rows: Rows,
    where: ExactSink,
    beside: FigureBeside,
    settings: Settings,
) -> None:
    """Blocks or networks side by side; without a TARGET the three blocks.

    The closed form answers at once, then torchinfo and fvcore really run and must count, each as
    its convention predicts, the same to the unit. Blocks default to 64 -> 128 channels at
    224 x 224, kernel 3, stride 2, expansion 2.

    mbcost compare --in 64 --out 128 --size 224

    mbcost compare v1 v2@alpha=0.5 v3-small -o table.tex

    mbcost compare v2 --fold-bn   (the trained network and, below it, the deployed one)
    """
    from mbcost.studies.compare.comparison import DEFAULT_BLOCKS

    fold_bn = bool(settings.pop("fold_bn", ""))
    named = targets or (DEFAULT_BLOCKS if runs is None else ())
    comparison = counting.comparison(named, settings, reference, fold_bn, runs)

    def drawn() -> dict[Path, Content]:
        if beside is None:
            return {}
        from mbcost.studies import figures

        return beside.drawn(figures.bars(comparison))

    verified = where.fill_in(
        comparison.verify(), lambda found: found.table(rows.columns, rows.sort), drawn
    )
    conclude(verified, counting.counter, counting.strict)
