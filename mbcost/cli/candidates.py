"""What a word of a command line can go on with: ``candidates``, which shells ask for.

A value is looked up by its option, else by its metavar: ``a|b`` are words to choose from, ``FILE``
is a file. To complete another one: its line in ``VALUES``. Nothing here builds or counts anything.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mbcost.errors import MbcostError
from mbcost.units import size_value

OPEN = ("=", ":", "/", "@")
"""A candidate that ends so goes on: no space follows it."""
_PLACEHOLDERS = re.compile(r"[A-Z]|[A-Z]+(\.\w+)?|[a-z]+://\S+")
"""Parts of a metavar that stand for a value: N, NAME, FILE.yaml, tcp://HOST:PORT."""
_LITERAL = ("k|M|G",)
_FILES = ("FILE", "RUN", "DIR", "IMAGE")


class Candidate(NamedTuple):
    """A whole word, and what it is."""

    text: str
    help: str = ""


class Asked(NamedTuple):
    """The word that is being typed, and where it stands."""

    word: str
    command: str
    """The command of the line, without the group it is in: ``accuracy`` of ``plot accuracy``."""


Source = Callable[[Asked], Iterable[Candidate]]


def candidates(root: Any, words: Sequence[str]) -> list[Candidate]:
    """Return what the last of ``words`` can be, in order; ``words`` begin behind ``mbcost``.

    Nothing for what no one can guess, and for what is wrong already.
    """
    *before, word = words or [""]
    command, rest = root, list(before)
    while hasattr(command, "list_commands"):
        if not rest:
            return _fitting(word, [*_commands(command), *_options(command, word)])
        if rest[0].startswith("-"):
            rest.pop(0)
            continue
        command = command.get_command(None, rest.pop(0))
        if command is None:
            return []
    return _fitting(*_within(command, rest, word))


def _within(command: Any, before: Sequence[str], word: str) -> tuple[str, Iterable[Candidate]]:
    """Return the word, and what stands to choose behind the arguments of a command."""
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    taken, waiting, only_values = 0, None, False
    for given in before:
        if waiting is not None:
            waiting = None
        elif given == "--":
            only_values = True
        elif given.startswith("-") and not only_values:
            waiting = _valued(command, given)
        else:
            taken += 1
    asked = Asked(word, command.name)
    if waiting is not None:
        return word, _values(waiting, asked)
    if word.startswith("-") and not only_values:
        flag, equals, value = word.partition("=")
        option = _valued(command, flag) if equals else None
        if option is None:
            return word, _options(command, word)
        found = _values(option, asked._replace(word=value))
        return word, (Candidate(f"{flag}={each.text}", each.help) for each in found)
    if not arguments:
        return word, ()
    at = arguments[min(taken, len(arguments) - 1)]
    if taken >= len(arguments) and at.nargs != -1:
        return word, ()
    return word, _values(at, asked)


def _fitting(word: str, found: Iterable[Candidate]) -> list[Candidate]:
    """Return the candidates that the word begins."""
    return list(dict.fromkeys(each for each in found if each.text.startswith(word)))


def _commands(group: Any) -> Iterator[Candidate]:
    for name in group.list_commands(None):
        yield Candidate(name, group.get_command(None, name).get_short_help_str(60))


def _options(command: Any, word: str) -> Iterator[Candidate]:
    """Yield the options of a command, once one has been begun."""
    if not word.startswith("-"):
        return
    for parameter in command.params:
        if parameter.param_type_name == "option" and not parameter.hidden:
            first = (parameter.help or "").partition(". ")[0].partition(";")[0].rstrip(".")
            for name in (*parameter.opts, *parameter.secondary_opts):
                if name.startswith("--") or word == "-":
                    yield Candidate(name, first)
    yield Candidate("--help", "Show this message and exit")


def _valued(command: Any, flag: str) -> Any:
    """Return the option of that name if it takes a value."""
    for parameter in command.params:
        if flag in parameter.opts and not parameter.is_flag:
            return parameter
    return None


def _values(parameter: Any, asked: Asked) -> Iterable[Candidate]:
    """Return what a value of an option or an argument can be."""
    option = parameter.opts[0] if parameter.param_type_name == "option" else ""
    metavar = (parameter.metavar or parameter.name or "").replace("...", "").strip("[],")
    for name in (option, f"{asked.command} {metavar}", metavar):
        if name in VALUES:
            return VALUES[name](asked)
    parts = metavar.split("|")
    if metavar in _LITERAL:
        return map(Candidate, parts)
    words = [Candidate(part) for part in parts if part and not _PLACEHOLDERS.fullmatch(part)]
    if any(part.partition(".")[0] in _FILES for part in parts):
        return [*words, *files(asked.word)]
    return words if len(parts) > 1 else ()


def listed(source: Source) -> Source:
    """Return a source of which several values stand in a list with commas."""

    def complete(asked: Asked) -> Iterator[Candidate]:
        before, comma, last = asked.word.rpartition(",")
        for each in source(asked._replace(word=last)):
            if each.text not in before.split(","):
                yield Candidate(before + comma + each.text, each.help)

    return complete


def files(word: str, suffixes: tuple[str, ...] = ()) -> Iterator[Candidate]:
    """Yield folders and files that a word begins; of some suffixes alone, if any are named."""
    folder = word.rpartition("/")[0] + "/" if "/" in word else ""
    try:
        entries = sorted(os.scandir(os.path.expanduser(folder) or "."), key=lambda e: e.name)
    except OSError:
        return
    hidden = word.removeprefix(folder).startswith(".")
    for entry in entries:
        if entry.name.startswith(".") and not hidden:
            continue
        if entry.is_dir():
            yield Candidate(f"{folder}{entry.name}/")
        elif not suffixes or Path(entry.name).suffix in suffixes:
            yield Candidate(folder + entry.name)


def targets(asked: Asked) -> Iterator[Candidate]:
    """Yield networks, blocks and files; behind an ``@`` the settings that a target takes."""
    from mbcost.networks.yaml import builtins
    from mbcost.targets.names import TORCHVISION

    name, at, settings = asked.word.partition("@")
    if at:
        yield from (Candidate(f"{name}@{each.text}", each.help) for each in _inline(name, settings))
        return
    if asked.command in ("sweep", "search"):
        yield from _spaces(asked)
    for entry in builtins().values():
        yield Candidate(entry.name, entry.kind)
    if asked.word.startswith("torchvision:"):
        yield from (Candidate(f"torchvision:{each}") for each in TORCHVISION)
    else:
        yield Candidate("torchvision:", "a model of torchvision")
    yield Candidate("timm:", "a model of timm")
    yield from files(asked.word, (".yaml", ".yml", ".py"))


def _inline(target: str, word: str) -> Iterator[Candidate]:
    """Yield settings behind ``target@``, and values of the last one."""
    before, comma, last = word.rpartition(",")
    key, equals, _ = last.partition("=")
    given = {each.partition("=")[0] for each in before.split(",")}
    for text, doc in _settings_of(target).items():
        if not equals and text not in given:
            yield Candidate(f"{before}{comma}{text}=", doc)
    if equals:
        for each in _setting_values(target, key):
            yield Candidate(f"{before}{comma}{key}={each}")


def _spec_of(target: str) -> Any:
    """Return the built-in of that name; None where it is none."""
    from mbcost.networks.yaml import builtin, find_builtin
    from mbcost.targets.names import builtin_name

    try:
        name = target if find_builtin(target) else builtin_name(target, ())
        return builtin(name)
    except MbcostError:
        return None


def _settings_of(target: str) -> dict[str, str]:
    from mbcost.networks.settings import SETTINGS

    spec = _spec_of(target)
    rules = SETTINGS if spec is None else spec.accepts
    return {key: rule.doc for key, rule in rules.items()}


def _setting_values(target: str, key: str) -> Iterator[str]:
    """Yield the values of a setting: of a few words all, of α and the size what is published."""
    from mbcost.networks.rules import OneOf, Truth
    from mbcost.networks.settings import SETTINGS, as_text

    spec = _spec_of(target)
    rule = SETTINGS.get(key) if spec is None else spec.accepts.get(key)
    if isinstance(rule, OneOf):
        yield from rule.words
    elif isinstance(rule, Truth):
        yield from ("true", "false")
    published = getattr(spec, "published", ())
    if key == "alpha":
        yield from map(as_text, sorted({row.alpha for row in published}))
    elif key == "size":
        yield from (str(size_value(*sides)) for sides in sorted({row.sides for row in published}))


def _setting(key: str) -> Source:
    """Return a source of the values of one setting's option."""
    return lambda asked: map(Candidate, _setting_values("", key))


def _spaces(asked: Asked) -> Iterator[Candidate]:
    from mbcost.studies.spaces.space_file import space_files

    yield from (Candidate(name, "design space") for name in space_files())


def _devices(asked: Asked) -> Iterator[Candidate]:
    from mbcost.studies.device.profile import device_files

    yield from (Candidate(name, "device") for name in device_files())
    yield from files(asked.word, (".yaml", ".yml"))


def _shown(asked: Asked) -> Iterator[Candidate]:
    from mbcost.networks.yaml import builtins

    yield from (Candidate(entry.name, entry.kind) for entry in builtins().values())
    yield from _spaces(asked)
    yield from (each for each in _devices(asked._replace(word="")) if each.help)


def _papers(asked: Asked) -> Iterator[Candidate]:
    from mbcost.studies.papers.document import papers_dir

    yield from (Candidate(path.stem) for path in sorted(papers_dir().glob("*.yaml")))


def _formats(asked: Asked) -> Iterator[Candidate]:
    from mbcost.output.formats import CI, FORMATS, GITHUB

    more = {"check": CI, "diff": GITHUB}.get(asked.command, {})
    yield from map(Candidate, (*FORMATS, *more))


def _columns(asked: Asked) -> Iterator[Candidate]:
    """Yield the keys of a command's tables."""
    from mbcost.studies.keys import groups

    for group in groups().values():
        if asked.command in {command.partition(" ")[0] for command in group.commands}:
            for key, _, meaning in group.lines():
                yield Candidate(key, meaning)


def _sorted_by(asked: Asked) -> Iterator[Candidate]:
    sign = "-" if asked.word.startswith("-") else ""
    yield from (Candidate(sign + each.text, each.help) for each in _columns(asked))


def _counters(asked: Asked) -> Iterator[Candidate]:
    from mbcost.modules.counters import COUNTERS

    yield from map(Candidate, COUNTERS)


def _conventions(asked: Asked) -> Iterator[Candidate]:
    from mbcost.cost import CONVENTIONS

    yield from (Candidate(name, each.counts) for name, each in CONVENTIONS.items())


def _runtimes(asked: Asked) -> Iterator[Candidate]:
    from mbcost.modules.latency import RUNTIMES

    yield from map(Candidate, RUNTIMES)


def _runtime_dtypes(asked: Asked) -> Iterator[Candidate]:
    from mbcost.modules.latency import RUNTIMES

    yield from (Candidate(dtype) for each in RUNTIMES.values() for dtype in each.dtypes)


def _data(asked: Asked) -> Iterator[Candidate]:
    from mbcost.modules.data import KINDS

    for kind in KINDS.values():
        name, colon, _ = kind.typed.partition(":")
        if colon and asked.word.startswith(f"{name}:"):
            for each in files(asked.word.removeprefix(f"{name}:")):
                yield Candidate(f"{name}:{each.text}")
        elif not name.startswith("FILE"):
            yield Candidate(name + colon, kind.what)
    yield from files(asked.word, (".npz",))


VALUES: dict[str, Source] = {
    "TARGET": targets,
    "FILE.csv|TARGET": targets,
    "before": targets,
    "after": targets,
    "show NAME": _shown,
    "PAPER": _papers,
    "--format": _formats,
    "--columns": listed(_columns),
    "--sort": _sorted_by,
    "NAME|FILE.yaml": _devices,
    "--counter": _counters,
    "--convention": _conventions,
    "--runtime": listed(_runtimes),
    "latency NAME": listed(_runtime_dtypes),
    "--accuracy": lambda asked: [Candidate("predicted")] if asked.command != "accuracy" else [],
    "--data": _data,
    "--act": _setting("act"),
}
"""By option, by command and metavar, by metavar."""
