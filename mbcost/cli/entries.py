"""The YAML of a paper's tables and figures: each entry a command with its targets and options.

An entry is read by the options that its command has, so that every option is a key at once, and is
run as if it had been typed. To let a further command be an entry: its name in ``TABLES``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import typer

from mbcost.cli.app import app
from mbcost.errors import MbcostError, did_you_mean
from mbcost.networks.rules import Field, Keys, ListOf, Rule, Tagged, Truth, Typed
from mbcost.networks.yaml.check import check
from mbcost.networks.yaml.document import Document, read_document
from mbcost.networks.yaml.events import Key
from mbcost.studies.meanings import MEANINGS

TABLES = ("compare", "model", "memory", "explain", "reconcile", "roof", "sweep", "diff", "paper")
"""Commands that write tables."""
_ELSEWHERE = ("format", "show_data", "quiet")
"""Options of what is printed, where an entry writes files."""
BY_COLUMN = ("headings", "prefix")
"""Options that name columns; as a default they are of the tables that have such a column."""
_LIKE = "tables: [{command: compare, targets: [v1, v2], output: cost.tex}]"


@cache
def _group() -> Any:
    return typer.main.get_command(app)


def command_of(tag: str, word: str) -> Any:
    """Return the command of an entry: ``command: compare``, or ``plot: share``."""
    found = _group().get_command(None, "plot" if tag == "plot" else word)
    return found.commands[word] if tag == "plot" else found


def _key(parameter: Any) -> str:
    """Return the key of an option or argument: the option as it is typed, with _ for -."""
    if parameter.param_type_name == "argument":
        return str(parameter.name)
    long = next(option for option in parameter.opts if option.startswith("--"))
    return str(long.lstrip("-").replace("-", "_"))


def _keys(command: Any) -> dict[str, Field[Rule]]:
    found: dict[str, Field[Rule]] = {}
    for parameter in command.params:
        key = _key(parameter)
        if key not in _ELSEWHERE:
            doc = parameter.help or ""
            rule = Truth(doc) if getattr(parameter, "is_flag", False) else Typed(doc)
            found[key] = Field(key, rule, required=parameter.required or key == "output")
    return found


def _tagged(tag: str, words: tuple[str, ...], doc: str) -> ListOf:
    def keys_of(word: str) -> Keys:
        fields = _keys(command_of(tag, word))
        return Keys({tag: Field(tag, Typed("")), **fields}, f"what `mbcost {word}` takes")

    return ListOf(Tagged(tag, words, keys_of), doc)


@cache
def _defaults() -> Keys:
    """Return the options of all commands: what holds for every entry that has such an option."""
    commands = [command_of("command", word) for word in TABLES]
    commands += _group().get_command(None, "plot").commands.values()
    fields: dict[str, Field[Rule]] = {}
    for command in commands:
        arguments = {_key(p) for p in command.params if p.param_type_name == "argument"}
        for key, field in _keys(command).items():
            if key not in arguments and key != "output":
                fields.setdefault(key, field._replace(required=False))
    return Keys(fields, "options of every entry whose command has them")


@cache
def paper_file() -> Keys:
    """Return the rule of a whole file."""
    plots = tuple(_group().get_command(None, "plot").commands)
    return Keys(
        {
            "defaults": Field("defaults", _defaults()),
            "tables": Field("tables", _tagged("command", TABLES, "tables, each by a command")),
            "figures": Field("figures", _tagged("plot", plots, "figures, each by its name")),
        },
        "the tables and figures of a paper",
        like=_LIKE,
    )


class Entry(NamedTuple):
    """A table or figure: its command, what it is given, and where in the file that stands."""

    document: Document
    keys: tuple[Key, ...]
    command: Any
    given: Mapping[str, Any]
    at: Mapping[str, tuple[Key, ...]]
    """Where each of ``given`` stands: in the entry, or among the defaults."""

    @property
    def outputs(self) -> Iterator[tuple[str, str]]:
        """Each file that is to be written, with the key that names it."""
        for key in ("output", "plot"):
            for name in self.given.get(key, ()):
                yield key, name

    @property
    def shared(self) -> frozenset[str]:
        """The options of columns that are those of all tables."""
        return frozenset(k for k in BY_COLUMN if self.at.get(k, ("",))[0] == "defaults")

    def run(self) -> None:
        """Run the command as if the entry had been typed; a mistake names its line."""
        try:
            context = self.command.make_context(f"mbcost {self.command.name}", self.typed())
            with context:
                self.command.invoke(context)
        except typer.TyperException as error:
            option = re.search(r"--[\w-]+", str(error.format_message()))
            place = option[0] if option else ""
            help_ = f"mbcost {self.command.name} --help"
            said = MbcostError(error.format_message(), place=place, way_out=help_)
            raise self.placed(said) from None
        except MbcostError as error:
            raise self.placed(error) from None

    def typed(self) -> list[str]:
        """Return the words that would be typed after the command's name."""
        options: list[str] = []
        arguments: list[str] = []
        for parameter in self.command.params:
            key = _key(parameter)
            given = self.given.get(key)
            if given is None:
                continue
            if parameter.param_type_name == "argument":
                arguments += self._one(key) if parameter.nargs == 1 else given
            elif isinstance(given, bool):
                flag = (parameter.opts if given else parameter.secondary_opts)[:1]
                options += flag
            else:
                words = given if parameter.multiple else (",".join(given),)
                options += [f"{parameter.opts[-1]}={word}" for word in words]
        return [*options, "--", *arguments]

    def _one(self, key: str) -> tuple[str, ...]:
        words: tuple[str, ...] = self.given[key]
        if len(words) != 1:
            raise MbcostError(
                f"{len(words)} where one is meant", place=f"--{key}", way_out="an entry for each"
            )
        return words

    def placed(self, error: MbcostError) -> MbcostError:
        """Return the error with its line: that of the option or target, or else of the entry."""
        option = re.match(r"--?([\w-]+)\s*", error.place)
        key = option[1].replace("-", "_").replace("resolution", "rho") if option else ""
        key = "output" if key == "o" else key
        if option and key in self.at:
            rest = error.place[option.end() :].lstrip(": ")
            bare = type(error)(error.problem, place=rest, way_out=error.way_out)
            return bare.at(self.document.place(*self.at[key]))
        return error.at(self.document.place(*(self._target(error) or self.keys)))

    def _target(self, error: MbcostError) -> tuple[Key, ...] | None:
        """Return where the target stands that an error is of: by its place, or as it is quoted."""
        for key in ("targets", "target", "source", "name", "before", "after"):
            for i, word in enumerate(self.given.get(key, ())):
                own = (*self.at[key], i)
                name = re.split(r"[@\s]", word)[0]
                if error.place in (word, name) or (not error.place and repr(name) in error.problem):
                    return own if own in self.document.lines else self.at[key]
        return None


def read_entries(path: Path, *, allow_code: bool = False) -> list[Entry]:
    """Return the entries of a file, each checked as far as it is without being run."""
    document = read_document(path)
    found = check(paper_file(), document.data, document)
    defaults = found.get("defaults", {})
    _check_columns(defaults, document)
    entries = [
        _entry(document, part, tag, i, each, defaults)
        for part, tag in (("tables", "command"), ("figures", "plot"))
        for i, each in enumerate(found.get(part, ()))
    ]
    if not entries:
        raise MbcostError("holds no table and no figure", place=document.path, way_out=_LIKE)
    for entry in entries:
        _check_entry(entry, allow_code=allow_code)
    return entries


def _entry(
    document: Document,
    part: str,
    tag: str,
    i: int,
    own: dict[str, Any],
    defaults: Mapping[str, Any],
) -> Entry:
    command = command_of(tag, own.pop(tag))
    known = _keys(command)
    common = {key: value for key, value in defaults.items() if key in known}
    at: dict[str, tuple[Key, ...]] = {key: ("defaults", key) for key in common}
    at |= {key: (part, i, key) for key in own}
    return Entry(document, (part, i), command, {**common, **own}, at)


def _check_columns(defaults: Mapping[str, Any], document: Document) -> None:
    """Raise for a default of a column that no table has."""
    for option in BY_COLUMN:
        for word in defaults.get(option, ()):
            for pair in word.split(",") if option == "prefix" else (word,):
                key, equals, _ = pair.partition("=")
                name = key.strip().replace("-", "_")
                if equals and name not in MEANINGS:
                    raise document.error(
                        f"no table has a column {name!r}",
                        *("defaults", option, key),
                        way_out=did_you_mean(name, MEANINGS),
                    )


def _check_entry(entry: Entry, *, allow_code: bool) -> None:
    """Raise for an output that is no file, and for code that would be run unasked."""
    for key, name in entry.outputs:
        if name == "-":
            raise entry.document.error(
                "names no file", *entry.at[key], way_out="a name like cost.tex"
            )
    if allow_code:
        return
    for key, value in entry.given.items():
        for word in value if isinstance(value, tuple) else ():
            if ".py:" in word:
                raise entry.document.error(
                    f"{word!r} runs the code of that file",
                    *entry.at[key],
                    way_out="--allow-code if you trust it",
                )
