"""``mbcost compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mbcost.cli.app import app
from mbcost.cli.options import (
    Columns,
    ConventionName,
    CounterNames,
    Exact,
    Fast,
    FormatName,
    Output,
    Sort,
    Strict,
    Targets,
    Unit,
    with_settings,
)
from mbcost.cli.output import sink
from mbcost.cli.plot import Width, figure_only
from mbcost.cli.run import check, report_skipped, run_comparison

if TYPE_CHECKING:
    from mbcost.output.files import Content


@app.command()
@with_settings
def compare(
    *,
    targets: Targets = None,
    counter: CounterNames = None,
    fast: Fast = False,
    reference: Annotated[
        str | None,
        typer.Option(
            "--reference",
            metavar="NAME",
            help="Target that ratios compare with; default the first.",
        ),
    ] = None,
    strict: Strict = False,
    convention: ConventionName = None,
    unit: Unit = None,
    sort: Sort = None,
    columns: Columns = None,
    exact: Exact = False,
    plot: Annotated[
        list[str] | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Draw params and mult-adds as bars too: .png .svg .pdf. Repeatable.",
            show_default=False,
        ),
    ] = None,
    width: Width = "3.5in",
    format: FormatName = "table",
    output: Output = None,
    settings: dict[str, str],
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
    from mbcost.targets.restatement import restatement

    where = sink(format, output, exact)
    drawing = figure_only(plot, width) if plot else None
    fold_bn = bool(settings.pop("fold_bn", ""))
    restated = restatement(convention, unit)
    comparison = run_comparison(
        targets or DEFAULT_BLOCKS, settings, counter, fast, reference, fold_bn, restated
    )

    def drawn() -> dict[Path, Content]:
        if drawing is None:
            return {}
        from mbcost.studies import figures

        return drawing.drawn(figures.bars(comparison))

    where.show(lambda: comparison.table(columns, sort), comparison.verify(), drawn)
    report_skipped(comparison, counter)
    check(comparison, strict)
