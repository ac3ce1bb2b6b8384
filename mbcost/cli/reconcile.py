"""``mbcost reconcile``."""

from __future__ import annotations

from mbcost.cli.app import app
from mbcost.cli.options import CounterNames, Settings, Strict, Target
from mbcost.cli.output import PlainSink


@app.command()
def reconcile(
    *,
    target: Target,
    counter: CounterNames = None,
    strict: Strict = False,
    where: PlainSink,
    settings: Settings,
) -> None:
    """Every counter's total taken apart, down to a residue of 0, and why they differ.

    All counters that are installed run: torch, torchinfo, fvcore and, with the extra counters,
    ptflops (both backends), thop and torchprofile.

    mbcost reconcile v2

    mbcost reconcile torchvision:resnet18 --counter thop --format markdown
    """
    from mbcost.cli.counting import conclude
    from mbcost.modules.counters import COUNTERS
    from mbcost.studies.compare.comparison import counters_named
    from mbcost.studies.reconcile import Reconciliation, reconciliation
    from mbcost.targets.resolve import resolve_one

    chosen = counters_named(counter, COUNTERS)
    found = reconciliation(resolve_one(target, settings), chosen)
    verified = where.fill_in(found.verify(), Reconciliation.table)
    conclude(verified.comparison, counter, strict)
