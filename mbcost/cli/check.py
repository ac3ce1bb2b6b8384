"""``mbcost check``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from mbcost.cli.app import app
from mbcost.cli.budgets import BudgetsGiven
from mbcost.cli.options import AllowUncounted, Rows, Settings, Targets
from mbcost.cli.output import CheckSink
from mbcost.errors import MbcostError


@dataclass(frozen=True)
class Files:
    """What targets are checked against that stands in files, and how far it is trusted."""

    budget: Annotated[
        str | None,
        typer.Option(
            "--budget",
            metavar="FILE",
            help="A YAML file with the budgets of several targets. One that runs code "
            "(file.py:factory) is refused without --allow-code.",
            show_default=False,
        ),
    ] = None
    allow_code: Annotated[
        bool,
        typer.Option(
            "--allow-code", help="Run the code of targets in the budget file: you trust that file."
        ),
    ] = False
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            metavar="FILE",
            help="JSON of `mbcost baseline` that the target is compared with.",
            show_default=False,
        ),
    ] = None
    max_growth: Annotated[
        str | None,
        typer.Option(
            "--max-growth",
            metavar="PERCENT",
            help="How much they may grow over the baseline; 0% if unset.",
            show_default=False,
        ),
    ] = None


@app.command()
def check(
    *,
    targets: Targets = None,
    budgets: BudgetsGiven,
    files: Files,
    allow_uncounted: AllowUncounted = False,
    rows: Rows,
    where: CheckSink,
    settings: Settings,
) -> None:
    """Targets against a budget or a baseline; exit code 1 when one is over.

    The closed form alone; torch is imported only for models from elsewhere, which are traced.
    An operator without a formula is exit code 1 too. Without a TARGET all those of the budget file;
    options win over the file, and both over a device.

    mbcost check v2 --max-params 3.5M --max-mult-adds 300M

    mbcost check v3-small --fold-bn --max-weight-bytes 2MB --dtype int8

    mbcost check v2@alpha=0.35 --fold-bn --device nucleo-f446re --dtype int8

    mbcost check --budget budgets.yaml --baseline cost.json --max-growth 1% --format markdown

    mbcost check --budget budgets.yaml --format github -o - -o report.xml   (in CI)
    """
    from mbcost.cli.counting import report_uncounted
    from mbcost.networks.rules import fields_of, parse
    from mbcost.studies.guard.budget import Budget
    from mbcost.studies.guard.budget_file import load_budgets
    from mbcost.studies.guard.check import checks_of, chosen_budgets, raise_if_over
    from mbcost.studies.guard.check_table import check_table
    from mbcost.studies.guard.snapshots import read_snapshots

    growth = None
    if files.max_growth is not None:
        growth = parse(fields_of(Budget)["max_growth"].rule, files.max_growth, "--max-growth")
    given = Budget(budgets.limits, **budgets.given, max_growth=growth)
    file = load_budgets(Path(files.budget)) if files.budget is not None else None
    if file is None and not targets:
        raise MbcostError(
            "no target", way_out="mbcost check v2 --max-params 3.5M, or --budget FILE"
        )
    chosen = chosen_budgets(
        targets or [],
        given,
        file,
        budgets.given,
        allow_code=files.allow_code,
        filled=budgets.filled,
    )
    baseline = files.baseline
    if baseline is None and file is not None:
        baseline = file.baseline
    known = read_snapshots(Path(baseline)) if baseline is not None else None
    checks = checks_of(chosen, settings, known, allow_uncounted=allow_uncounted)
    elsewhere = {key for budget in file.budgets.values() for key in budget.limits} if file else ()
    table = check_table(checks, rows.columns, rows.sort, budgets.notes(elsewhere))
    where.show(lambda: table)
    if allow_uncounted:
        report_uncounted([check.subject for check in checks])
    raise_if_over(checks)
