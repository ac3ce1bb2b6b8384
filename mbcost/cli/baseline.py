"""``mbcost baseline``."""

from __future__ import annotations

from typing import Annotated

import typer

from mbcost.cli.app import app
from mbcost.cli.options import AllowUncounted, Settings
from mbcost.cli.output import JsonSink


@app.command()
def baseline(
    *,
    targets: Annotated[
        list[str], typer.Argument(metavar="TARGET...", help="Names or YAML paths, as in compare.")
    ],
    allow_uncounted: AllowUncounted = False,
    where: JsonSink,
    settings: Settings,
) -> None:
    """Write what targets cost now, to compare with later: sorted, without dates or versions.

    The closed form alone; torch is imported only for models from elsewhere, which are traced:
    an operator without a formula is exit code 1, and nothing is written. `mbcost check --baseline`
    and `mbcost diff` read the JSON.

    mbcost baseline v2 v3-small@alpha=0.5 -o cost.json
    """
    from mbcost.cli.counting import refuse_uncounted, report_uncounted
    from mbcost.studies.guard.snapshots import baseline_table
    from mbcost.targets.resolve import resolve

    subjects = resolve(targets, settings)
    if not allow_uncounted:
        refuse_uncounted(subjects)
    table = baseline_table(subjects)
    where.show(lambda: table)
    report_uncounted(subjects)
