"""``mbcost reconcile``."""

from __future__ import annotations

from mbcost.cli.app import app
from mbcost.cli.options import Apart, CounterNames, Settings, Strict, Target
from mbcost.cli.output import PlainSink


@app.command()
def reconcile(
    *,
    target: Target,
    counter: CounterNames = None,
    convention: Apart = None,
    strict: Strict = False,
    where: PlainSink,
    settings: Settings,
) -> None:
    """Every counter's total taken apart, down to a residue of 0, and why they differ.

    All counters that are installed run: torch, torchinfo, fvcore and, with the extra counters,
    ptflops (both backends), thop and torchprofile.

    mbcost reconcile v2

    mbcost reconcile torchvision:resnet18 --counter thop --format markdown

    mbcost reconcile raspp-v2 --size 1025x2049 --convention tensorflow-profile
    """
    from mbcost.cli.counting import conclude
    from mbcost.modules.counters import COUNTERS
    from mbcost.studies.compare.comparison import counters_named
    from mbcost.studies.reconcile import Reconciliation, reconciliation
    from mbcost.targets.resolve import resolve_one
    from mbcost.targets.restatement import restatement

    apart = restatement(convention, None).convention
    own = [apart.name] if apart.name in COUNTERS else []
    names = counter if counter or convention is None else own
    chosen = [] if names == [] else counters_named(names, COUNTERS)
    found = reconciliation(resolve_one(target, settings), chosen, apart)
    verified = where.fill_in(found.verify(), Reconciliation.table)
    conclude(verified.comparison, counter, strict)
