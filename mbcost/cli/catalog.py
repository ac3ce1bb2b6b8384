"""``mbcost list``, ``mbcost show``, ``mbcost schema`` and the version."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from mbcost.cli.app import app
from mbcost.cli.output import PlainSink


@app.command("list")
def list_(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[networks|blocks|spaces|devices|columns|counters]",
            help="One kind alone; columns are the keys that --columns and --sort take, with unit "
            "and meaning.",
            show_default=False,
        ),
    ] = None,
    *,
    where: PlainSink,
) -> None:
    """Everything that can be named: networks, blocks, design spaces, devices; columns;
    counters.

    mbcost list networks

    mbcost list columns -o columns.md
    """
    from mbcost.studies.listing import list_table

    table = list_table(what)
    where.show(lambda: table)


@app.command()
def show(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A network, block, design space or device.")
    ],
) -> None:
    """The YAML of a built-in, to start your own from: mbcost show v2 > mine.yaml."""
    from mbcost.networks.yaml import builtins, find_builtin
    from mbcost.studies.device.profile import find_device
    from mbcost.studies.spaces.space_file import find_space, space_files
    from mbcost.targets.names import builtin_name

    entry = find_builtin(name)
    path = entry.path if entry else find_space(name) or find_device(name)
    if path is None:
        spaces = space_files()
        meant = builtin_name(name, tuple(spaces))
        path = spaces.get(meant) or builtins()[meant].path
    sys.stdout.write(path.read_text("utf-8"))


@app.command()
def schema() -> None:
    """The JSON schema of the YAML, for editors: mbcost schema > mbcost.schema.json."""
    import json

    from mbcost.cli.entries import paper_file
    from mbcost.cli.streams import as_encoded
    from mbcost.studies.schema import json_schema

    text = json.dumps(json_schema(paper_file()), indent=2, ensure_ascii=False)
    sys.stdout.write(as_encoded(text) + "\n")
