"""Groups of options: a command takes one object where Typer knows single options.

Typer reads the signature of the function that it runs, an option per parameter, and calls it with
what was typed by the names of the parameters. A command here has fewer: a parameter whose
annotation is a dataclass of options, or ``Annotated[Sink, Group(sink)]``, stands for all the
options of that group. ``expanded`` makes what Typer gets: a function that has the group's options
where the command has the group, and hands the command the object that they make. ``App.command``
calls it; a command knows nothing of it.

To add a group: a frozen dataclass whose fields are annotated as options, or a ``Group`` of the
function that makes the object, whose parameters are.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, is_dataclass
from typing import Any

Options = Mapping[str, tuple[Any, Any]]
"""By name of the parameter, what it is annotated with and its default."""


@dataclass(frozen=True)
class Group:
    """Options that ``make`` one object: its own parameters, or ``options`` where it takes any."""

    make: Callable[..., Any]
    options: Options | None = None

    def parameters(self) -> dict[str, inspect.Parameter]:
        """Return a parameter per option."""
        if self.options is None:
            return dict(inspect.signature(self.make, eval_str=True).parameters)
        return {
            name: inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
            )
            for name, (annotation, default) in self.options.items()
        }


def expanded(command: Callable[..., None], common: Options) -> Callable[..., None]:
    """Return the command as Typer gets it: with options where it has groups of them.

    The ``common`` ones stand last; what they do is their callbacks' business, not the command's.
    """
    signature = inspect.signature(command, eval_str=True)
    parameters: dict[str, inspect.Parameter] = {}
    groups: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {}
    for name, parameter in signature.parameters.items():
        own = {name: parameter}
        group = _group(parameter.annotation)
        if group is not None:
            own = group.parameters()
            groups[name] = group.make, tuple(own)
        assert not parameters.keys() & own.keys(), "an option of that name stands twice"
        parameters |= own
    parameters |= Group(command, common).parameters()

    @functools.wraps(command)
    def run(**given: Any) -> None:
        for option in common:
            given.pop(option)
        made = {
            name: make(**{option: given.pop(option) for option in options})
            for name, (make, options) in groups.items()
        }
        command(**given, **made)

    keyword_only = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters.values()]
    run.__signature__ = signature.replace(parameters=keyword_only)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in keyword_only}
    return run


def _group(annotation: Any) -> Group | None:
    """Return the group that a parameter's annotation stands for; None for a single option."""
    if is_dataclass(annotation):
        return Group(annotation)  # type: ignore[arg-type]
    marks = getattr(annotation, "__metadata__", ())
    return next((mark for mark in marks if isinstance(mark, Group)), None)
