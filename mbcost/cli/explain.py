"""``mbcost explain``."""

from __future__ import annotations

from mbcost.cli.app import app
from mbcost.cli.options import Settings, Target
from mbcost.cli.output import PlainSink


@app.command()
def explain(
    target: Target,
    where: PlainSink,
    settings: Settings,
) -> None:
    """The formula of every layer with the numbers filled in, and what a block saves.

    For a depthwise-separable block the saving predicted by 1/N + 1/k² stands beside the counted
    one. On maps smaller than a kernel it says which share of the weights ever meets the map.

    mbcost explain depthwise-separable --in 3 --out 256 --size 12 --kernel 5 --stride 1

    mbcost explain v3-small --size 32
    """
    from mbcost.cli.counting import report_uncounted
    from mbcost.studies.explain import explain_table
    from mbcost.targets.resolve import resolve_one

    subject = resolve_one(target, settings)
    table = explain_table(subject)
    where.show(lambda: table)
    report_uncounted([subject])
