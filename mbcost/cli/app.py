"""The Typer app, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from mbcost.cli import streams
from mbcost.cli.groups import expanded
from mbcost.cli.messages import Quiet, say
from mbcost.errors import MbcostError, MbcostWarning, from_system
from mbcost.output.notes import a_run, quiet

Function = TypeVar("Function", bound=Callable[..., Any])

COMMANDS = {
    "compare": "compare",
    "model": "model",
    "memory": "memory",
    "roof": "roof",
    "explain": "explain",
    "reconcile": "reconcile",
    "sweep": "sweep",
    "search": "search",
    "check": "check",
    "baseline": "baseline",
    "diff": "diff",
    "paper": "paper",
    "plot": "plot",
    "report": "report",
    "table": "table",
    "deploy": "deploy",
    "latency": "latency",
    "train": "train",
    "predict": "train",
    "list": "catalog",
    "show": "catalog",
    "schema": "catalog",
    "completion": "completion",
}
"""Commands in the order of the help, each with the module that defines it."""

PAGES = {
    "compare": "compare.md",
    "model": "compare.md",
    "memory": "memory.md",
    "roof": "devices.md",
    "explain": "explain.md",
    "reconcile": "any-model.md",
    "sweep": "sweep-and-search.md",
    "search": "sweep-and-search.md",
    "check": "guard-in-ci.md",
    "baseline": "guard-in-ci.md",
    "diff": "guard-in-ci.md",
    "paper": "papers.md",
    "plot": "figures.md",
    "report": "report.md",
    "table": "tables-for-a-paper.md",
    "deploy": "deploy.md",
    "latency": "latency.md",
    "train": "training.md",
    "predict": "training.md",
    "list": "networks.md",
    "show": "write-your-own.md",
    "schema": "write-your-own.md",
    "completion": "shell.md",
}
"""The page of ``docs/`` that the help of a command names."""


MAY_BE_EMPTY = ("words",)
"""Arguments of which nothing is something: a word that is only being begun."""


class Commands(TyperGroup):
    """Imports a command's module when it is called; prints an ``MbcostError`` on stderr as one
    message and exits with its code."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands."""
        self.define(COMMANDS.values())
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command, its module imported."""
        if cmd_name in COMMANDS and cmd_name not in self.commands:
            self.define([COMMANDS[cmd_name]])
        command = super().get_command(ctx, cmd_name)
        if command is not None and cmd_name in PAGES:
            _name_page(command, PAGES[cmd_name])
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that ``args`` name; a misspelt one is compared with all."""
        if args[0] not in COMMANDS:
            self.define(COMMANDS.values())
        return super().resolve_command(ctx, args)

    def define(self, modules: Iterable[str]) -> None:
        """Import modules of this package, which define their commands on ``app``."""
        for module in modules:
            import_module(f"mbcost.cli.{module}")
        defined = typer.main.get_command(app)
        assert isinstance(defined, TyperGroup)
        self.commands.update(defined.commands)

    def main(self, *args: Any, **how: Any) -> Any:
        """Run a command line: it begins with notes."""
        with a_run():
            return super().main(*args, **how)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a user's mistake never shows a traceback."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("always", MbcostWarning)
                warnings.showwarning = _with_ours(warnings.showwarning)
                return super().invoke(ctx)
        except MbcostError as error:
            raise _told(error) from None
        except OSError as error:  # of no one file: too few descriptors, a directory that is gone
            raise _told(from_system(error)) from None
        except KeyboardInterrupt:
            raise typer.Exit(130) from None


def _with_ours(otherwise: Any) -> Any:
    """Return what shows a warning: one of ours is a line on stderr."""

    def show(message: Any, category: Any, *rest: Any, **named: Any) -> None:
        if issubclass(category, MbcostWarning):
            say(f"mbcost: {message}")
        elif not quiet():
            otherwise(message, category, *rest, **named)

    return show


class Command(TyperCommand):
    """Refuses an option or argument given as nothing, as an unset shell variable is."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command unless a value is empty: it would be taken for one left out."""
        for parameter in self.params:
            if parameter.name in MAY_BE_EMPTY:
                continue
            given = ctx.params.get(parameter.name)
            for value in given if isinstance(given, list | tuple) else (given,):
                if isinstance(value, str) and not value.strip():
                    is_option = parameter.param_type_name == "option"
                    word = parameter.opts[0] if is_option else parameter.make_metavar(ctx)
                    raise MbcostError(
                        "is empty",
                        place=word.strip("[]{}."),
                        way_out="leave it out, or give it a value; is a shell variable unset?",
                    )
        return super().invoke(ctx)


class App(typer.Typer):
    """A Typer app whose commands are of the class above, and may have groups of options."""

    def command(self, name: str | None = None, **how: Any) -> Callable[[Function], Function]:
        """Define a command."""
        define = super().command(name, cls=Command, **how)

        def decorated(command: Function) -> Function:
            define(expanded(command, {"quiet": (Quiet, False)}))
            return command

        return decorated


def _name_page(command: Any, page: str) -> None:
    """End the help of a command, and of each command in it, with its page of the documentation."""
    command.epilog = f"Docs: docs/{page}"
    for inner in getattr(command, "commands", {}).values():
        _name_page(inner, page)


app = App(
    name="mbcost",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    # plain help: rich markup costs 130 ms at every start
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from mbcost.studies.compare.versions import version_text

        typer.echo(version_text())
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Versions of mbcost and of the counters, then exit.",
        ),
    ] = False,
    quiet: Quiet = False,
) -> None:
    """What a convolution block or a mobile network costs: parameters, mult-adds and memory.

    A TARGET is the name of a block or network (`mbcost list`; MobileNetV2 is v2) or the path of a
    YAML file, with settings inline where several differ: v2@alpha=0.5,size=160.

    Exit codes: 0 fine; 1 a check failed; 2 bad usage, config or target; 130 interrupted.

    Docs: README.md and docs/; the help of each command names its page.
    """


def _told(error: MbcostError) -> typer.Exit:
    """Print an error as one message; return the exit that goes with it."""
    sys.stdout.flush()
    typer.echo(f"mbcost: {error}", err=True)
    return typer.Exit(error.exit_code)


def main() -> NoReturn:
    """Run the command line as a process, whatever its stdout and stderr are connected to."""
    streams.connect()
    code = 0
    try:
        app()
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else 0
    sys.exit(streams.verdict(code))
