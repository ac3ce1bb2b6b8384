"""``mbcost explain``."""

from __future__ import annotations

from mbcost.cli.app import app
from mbcost.cli.options import FormatName, Output, Target, with_settings
from mbcost.cli.output import sink


@app.command()
@with_settings
def explain(
    *,
    target: Target,
    format: FormatName = "table",
    output: Output = None,
    settings: dict[str, str],
) -> None:
    """The formula of every layer with the numbers filled in, and what a block saves.

    For a depthwise-separable block the saving predicted by 1/N + 1/k² stands beside the counted
    one.

    mbcost explain depthwise-separable --in 3 --out 256 --size 12 --kernel 5 --stride 1
    """
    from mbcost.cli.run import report_uncounted
    from mbcost.studies.explain import explain_table
    from mbcost.targets.resolve import resolve_one

    where = sink(format, output)
    subject = resolve_one(target, settings)
    table = explain_table(subject)
    where.show(lambda: table)
    report_uncounted([subject])
