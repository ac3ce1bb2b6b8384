"""``mbcost reconcile``."""

from __future__ import annotations

from mbcost.cli.app import app
from mbcost.cli.options import CounterNames, FormatName, Output, Strict, Target, with_settings
from mbcost.cli.output import sink


@app.command()
@with_settings
def reconcile(
    *,
    target: Target,
    counter: CounterNames = None,
    strict: Strict = False,
    format: FormatName = "table",
    output: Output = None,
    settings: dict[str, str],
) -> None:
    """Every counter's total taken apart, down to a residue of 0, and why they differ.

    All counters that are installed run: torch, torchinfo, fvcore and, with the extra counters,
    ptflops (both backends), thop and torchprofile.

    mbcost reconcile v2

    mbcost reconcile torchvision:resnet18 --counter thop --format markdown
    """
    from mbcost.cli.run import check, report_skipped
    from mbcost.modules.counters import COUNTERS
    from mbcost.studies.compare.comparison import counters_named
    from mbcost.studies.reconcile import Reconciliation
    from mbcost.targets.resolve import resolve_one

    where = sink(format, output)
    chosen = counters_named(counter, COUNTERS)
    reconciliation = Reconciliation(resolve_one(target, settings), chosen)
    where.show(reconciliation.table, reconciliation.steps())
    report_skipped(reconciliation.comparison, counter)
    check(reconciliation.comparison, strict)
