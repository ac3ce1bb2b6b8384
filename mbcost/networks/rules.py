"""What a value may be. A rule has three readers: ``parse`` here for the text of a command line,
``yaml.check`` for a value of a file, ``yaml.schema`` for editors.

A class says the keys of its YAML where it declares its fields: ``Annotated[type, rule]`` is a key,
with what it means. To add a rule: a class here and its name in ``Scalar`` or ``Rule``; mypy then
names the readers that have no case for it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import cache
from typing import (
    Annotated,
    Any,
    Generic,
    NamedTuple,
    TypeVar,
    assert_never,
    get_args,
    get_origin,
    get_type_hints,
)

from mbcost import units
from mbcost.errors import MbcostError

MAX_CHANNELS = 2**20
MAX_KERNEL = 65536
MAX_MULTIPLIER = 10.0


class Whole(NamedTuple):
    """A whole number in [low, high]."""

    low: int
    high: int
    doc: str


class Width(Whole):
    """A number of channels inside a block; in a network it scales with α as ``c``
    does. Such a field has no default."""

    __slots__ = ()


class Number(NamedTuple):
    """A number in (0, high]; with ``low``, in [low, high]."""

    high: float
    doc: str
    low: float | None = None


class OneOf(NamedTuple):
    """One of a few words."""

    words: tuple[str, ...]
    doc: str


class Truth(NamedTuple):
    """True or false."""

    doc: str


class Sides(NamedTuple):
    """A size: one number for a square, or height × width."""

    doc: str


class Inputs(NamedTuple):
    """The shapes of a model's inputs, each with its batch dimension: 1x3x512x512, 1x77:int64."""

    doc: str


class Text(NamedTuple):
    """Any text."""

    doc: str


class Name(NamedTuple):
    """A text that is not blank."""

    doc: str


class PrintedCount(NamedTuple):
    """A count as it is printed, ``569M``: it stays the text that it is."""

    doc: str


class Count(NamedTuple):
    """A count: ``3.5M``, or 3500000."""

    doc: str


class Bytes(NamedTuple):
    """A number of bytes: ``4MB``, ``512KiB``, or 65536."""

    doc: str


class Percent(NamedTuple):
    """A share of one: ``1%``."""

    doc: str


class Chw(NamedTuple):
    """The shape of an image: C, H, W."""

    doc: str


class Anything(NamedTuple):
    """Whatever stands there: its reader checks it."""

    doc: str = ""


class Names(NamedTuple):
    """Names of rows, so many of them; how many is checked where the rows are wired."""

    least: int
    most: int
    doc: str


class OrWord(NamedTuple):
    """A word, or what another rule says."""

    word: str
    of: Rule

    @property
    def doc(self) -> str:
        """What the other rule means."""
        return self.of.doc


class OrList(NamedTuple):
    """A value, or a list of the values that it may have."""

    of: Rule

    @property
    def doc(self) -> str:
        """What each value means."""
        return self.of.doc


class Values(NamedTuple):
    """A value, a range ``0.5:1:0.25`` or a list of those: the text that would be typed for it."""

    doc: str = ""


class Typed(NamedTuple):
    """What would be typed for an option: a value, several as a list, or KEY=VALUE as a mapping."""

    doc: str = ""


class ListOf(NamedTuple):
    """A list with at least one item."""

    of: Rule
    doc: str = ""
    most: int | None = None
    hint: str = ""
    """What else to do where there are too many."""


class MappingOf(NamedTuple):
    """A mapping with keys of the user's own."""

    of: Rule
    doc: str = ""
    empty: str = ""
    """What is wrong where it has no key; without it it may have none."""
    like: str = ""
    names: bool = False
    """Whether a key must not be blank."""


class Keys(NamedTuple):
    """A mapping with these keys alone."""

    fields: Mapping[str, Field[Rule]]
    doc: str = ""
    like: str = ""
    """What to write where a key is missing; without it, what the key means."""


class Record(NamedTuple):
    """The keys that a class declares: one of its instances."""

    of: type
    doc: str = ""
    like: str = ""
    short: str = ""
    """The key that a text alone stands for."""


class Tagged(NamedTuple):
    """A mapping in which one key, a word, says which others there are; - is _ in that word."""

    tag: str
    words: tuple[str, ...]
    keys_of: Callable[[str], Keys]
    doc: str = ""


BlockRule = Whole | Number | OneOf | Truth
"""What a field of a block obeys."""
SettingRule = BlockRule | Sides | Inputs
Scalar = SettingRule | Text | Name | PrintedCount | Count | Bytes | Percent
"""What can be typed on the command line."""
Rule = (
    Scalar
    | Chw
    | Anything
    | Names
    | OrWord
    | OrList
    | Values
    | Typed
    | ListOf
    | MappingOf
    | Keys
    | Record
    | Tagged
)

_Kind = TypeVar("_Kind", bound=Rule, covariant=True)


class Field(NamedTuple, Generic[_Kind]):
    """A key: the attribute that holds its value, its rule, and what it is where it is left out."""

    name: str
    rule: _Kind
    required: bool = False
    nullable: bool = False
    """Whether an empty value is the same as none."""
    default: object = None


class As(NamedTuple):
    """How a field stands in a file: ``Annotated[type, rule, As("input")]``."""

    key: str = ""
    nullable: bool = False


@cache
def fields_of(declared: type) -> dict[str, Field[Any]]:
    """Return the keys that a class declares, in its order: its fields ``Annotated[type, rule]``."""
    defaults = getattr(declared, "_field_defaults", {})
    if dataclasses.is_dataclass(declared):
        defaults = {
            field.name: field.default if field.default_factory is dataclasses.MISSING else None
            for field in dataclasses.fields(declared)
        }
    found = {}
    for name, hint in get_type_hints(declared, include_extras=True).items():
        if get_origin(hint) is Annotated:
            _, rule, *further = get_args(hint)
            written = further[0] if further else As()
            default = defaults.get(name, dataclasses.MISSING)
            required = default is dataclasses.MISSING
            found[written.key or name] = Field(
                name, rule, required, written.nullable, None if required else default
            )
    return found


def parse(rule: Scalar, text: str, place: str = "") -> Any:
    """Return the value in ``text`` if it obeys ``rule``, or raise with ``place``."""
    try:
        return _parsed(rule, text)
    except MbcostError as error:
        raise error.at(place) from None


def _parsed(rule: Scalar, text: str) -> Any:
    match rule:
        case Whole(low, high):
            return units.parse_int(text, low, high)
        case Number(high, low=low):
            if low == 0 and text.strip() in ("0", "0.0", "false"):
                return 0.0
            return units.parse_multiplier(text, high)
        case OneOf(words):
            return units.parse_word(text, words)
        case Truth():
            return units.parse_bool(text)
        case Sides():
            return units.parse_size(text)
        case Inputs():
            return units.parse_inputs(text)
        case Text() | Name():
            return text
        case PrintedCount():
            return units.parse_count(text, powers=False)  # its digits say how exact it is
        case Count():
            return units.parse_count(text)
        case Bytes():
            return units.parse_bytes(text)
        case Percent():
            return units.parse_percent(text)
        case _:
            assert_never(rule)
