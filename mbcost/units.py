"""The only place that formats or parses numbers.

Inside mbcost numbers are exact ints in base units. People see three digits and one SI prefix per
column; files get raw values. To add a way of showing a value, add a function here and a kind to
``output.cells.SHOW``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mbcost.errors import MbcostError, did_you_mean

if TYPE_CHECKING:
    from fractions import Fraction

MINUS = "−"
BYTES = {
    "": 1,
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
}
PREFIXES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
MAX_POWER = 18
"""Of ten, behind the e of a count."""
MAX_SIZE = 65536
MIN_WIDTH_IN = 2.5
MIN_HEIGHT_IN = 0.5
MAX_LENGTH_IN = 24.0
"""Of a figure, either way."""
PER_INCH = {"": 1.0, "in": 1.0, "cm": 2.54, "mm": 25.4, "pt": 72.27}
"""Lengths; pt as TeX has it, so that what ``\\the\\columnwidth`` prints fits."""
_DTYPES = ("float32", "float16", "bfloat16", "float64", "int64", "int32", "bool")
_BAR = " ▏▎▍▌▋▊▉█"


def prefix_for(values: Iterable[float | None]) -> str:
    """Return the SI prefix in which the largest of the values has one to three whole digits."""
    largest = max((abs(v) for v in values if v is not None), default=0)
    fitting = [prefix for prefix, factor in PREFIXES.items() if largest >= factor]
    return fitting[-1] if fitting else ""


def three_digits(value: float, significant: int = 3) -> str:
    """Return ``value`` with three significant digits and no exponent: 74.0, 9.15, 0.0642, 569."""
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    digits = max(0, significant - 1 - magnitude)
    rounded = round(value, digits)
    if abs(rounded) >= 10 ** (magnitude + 1):  # 9.999 becomes 10.0
        digits = max(0, digits - 1)
    return decimals(rounded, digits)


def in_prefix(value: float, prefix: str, significant: int = 3) -> str:
    """Return ``value`` in units of ``prefix`` with three digits; whole numbers stay whole."""
    if prefix == "" and value == int(value):
        return thousands(int(value))
    return three_digits(value / PREFIXES[prefix], significant)


def thousands(value: int) -> str:
    """Return an int with a comma every three digits: 73,984."""
    return f"{value:,}"


def decimals(value: float, digits: int) -> str:
    """Return a number with so many digits behind the point: 71.8."""
    return f"{value:,.{digits}f}"


def megabytes(size_bytes: int) -> str:
    """Return bytes as torchinfo prints them: units of 10⁶ with two decimals."""
    return decimals(size_bytes / 10**6, 2)


def milliseconds(seconds: float) -> str:
    """Return seconds in milliseconds, with three digits: 11.3."""
    return three_digits(1000 * seconds)


def bytes_in_words(size_bytes: int) -> str:
    """Return bytes with three digits and their own prefix: 256 MB, 5.38 GB."""
    prefix = prefix_for([size_bytes])
    return f"{in_prefix(size_bytes, prefix)} {prefix}B"


def percent(share: float, digits: int = 1, sign: str = "") -> str:
    """Return a share of one as a percentage; with the sign ``+`` a rise has one too."""
    return f"{share * 100:{sign}.{digits}f}%"


def number(value: float, prefix: str = "") -> str:
    """Return a round number in units of ``prefix``, with no more digits than it has: 200, 0.5."""
    return f"{value / PREFIXES[prefix]:g}"


def scientific(value: float) -> str:
    """Return a small number with two digits, in a width of its own: 6.5e-07."""
    return f"{value:.1e}"


def signed(value: int, prefix: str | None = "") -> str:
    """Return a difference with its sign, in units of ``prefix``; None for every digit."""
    size = abs(value)
    text = thousands(size) if prefix is None else in_prefix(size, prefix)
    return f"{MINUS if value < 0 else '+' if value else ''}{text}"


def signed_percent(share: float) -> str:
    """Return a share of one as a percentage with its sign and three digits: ``+0.973%``."""
    text = f"{three_digits(abs(share) * 100)}%"
    return f"{MINUS if share < 0 else '+' if share else ''}{text}"


def ratio_in_words(ratio: float) -> str:
    """Return this ÷ reference with its direction: ``8.1× fewer``, ``1.5× more``, ``1×``."""
    if ratio == 1:
        return "1×"
    if ratio == 0:
        return "none"
    factor = ratio if ratio > 1 else 1 / ratio
    digits = f"{factor:.1f}" if 1.05 <= factor < 100 else three_digits(factor)
    return f"{digits}× {'more' if ratio > 1 else 'fewer'}"


def bar(share: float, width: int = 10) -> str:
    """Return a horizontal bar of at most ``width`` characters, in eighths of a character."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    full, rest = divmod(eighths, 8)
    return "█" * full + (_BAR[rest] if rest else "")


def shape_text(shape: Sequence[Any], sign: str = "x") -> str:
    """Return a shape as it stands in CSV, ``64x112x112``, or for people, 64×112×112, with the sign
    ``×``; of several with ; between."""
    if shape and isinstance(shape[0], tuple | list):
        return ";".join(sign.join(map(str, each)) for each in shape)
    return sign.join(map(str, shape))


def size_value(height: int, width: int) -> int | str:
    """Return a size as the records carry it: 224, or ``"224x160"`` where the sides differ."""
    return height if height == width else f"{height}x{width}"


def parse_size(text: str) -> tuple[int, int]:
    """Return (height, width) of ``224`` or ``224x160``."""
    match = re.fullmatch(r"(\d{1,12})(?:[x×](\d{1,12}))?", text.strip().lower())
    if not match:
        raise MbcostError(
            f"{text!r} is not a size", way_out="like 224, or 224x160 (height × width)"
        )
    height = int(match[1])
    width = int(match[2]) if match[2] else height
    for side in (height, width):
        if not 1 <= side <= MAX_SIZE:
            raise MbcostError(f"{side} is out of range", way_out=f"1 to {MAX_SIZE} pixels")
    return height, width


def parse_length(text: str, what: str = "width", least: float = MIN_WIDTH_IN) -> float:
    """Return the inches in ``3.5``, ``3.5in``, ``89mm``, ``8.9cm`` or ``252pt`` (TeX's)."""
    match = re.fullmatch(rf"\s*(\d{{1,4}}(?:\.\d{{1,6}})?)\s*({'|'.join(PER_INCH)})\s*", text)
    if not match:
        raise MbcostError(f"{text!r} is not a {what}", way_out="like 3.5in, 89mm, 8.9cm or 252pt")
    inches = float(match[1]) / PER_INCH[match[2]]
    if not least <= inches <= MAX_LENGTH_IN:
        raise MbcostError(
            f"{text.strip()} is out of range",
            way_out=f"{number(least)} to {number(MAX_LENGTH_IN)} in",
        )
    return inches


def parse_number(text: str) -> float:
    """Return the number in ``text``; NaN and infinity are refused."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise MbcostError(
            f"{text!r} is not a number" if text.strip() else "is empty", way_out="like 12 or 0.5"
        )
    return value


def parse_span(text: str) -> tuple[float, float]:
    """Return the two ends of ``LOW:HIGH``, the lower one first."""
    try:
        low, high = map(parse_number, text.split(":"))
    except ValueError:
        raise MbcostError(f"{text!r} is not a span of values", way_out="like 0:1 or -1:1") from None
    except MbcostError as error:
        raise MbcostError(f"{text!r}: {error.problem}", way_out="like 0:1 or -1:1") from None
    if not low < high:
        raise MbcostError(f"{text!r} ends before it has begun", way_out="like 0:1 or -1:1")
    largest = max(abs(low), abs(high))
    if not 1e-9 <= largest <= 1e9 or high - low < 1e-6 * largest:  # float32 has 7 digits
        raise MbcostError(f"{text!r} is too small or too large a span", way_out="like 0:1 or -1:1")
    return low, high


def round_below(value: float) -> int:
    """Return the largest of 1, 2, 5, 10, 20, 50, … that is at most ``value`` (at least 1)."""
    power: int = 10 ** max(0, math.floor(math.log10(max(value, 1))))
    return max(step * power for step in (1, 2, 5) if step == 1 or step * power <= value)


def round_count(value: int) -> str:
    """Return a round number with its prefix and no more digits than it has: 5 M, 200 k."""
    prefix = prefix_for([value])
    return f"{number(value, prefix)} {prefix}".rstrip()


def inputs_text(inputs: Iterable[tuple[Any, ...]]) -> str:
    """Return inputs as ``parse_inputs`` reads them."""
    found = []
    for shape, dtype, *name in inputs:
        text = shape_text(shape) + (f":{dtype}" if dtype != "float32" else "")
        found.append("=".join((*filter(None, name), text)))
    return "+".join(found)


def parse_inputs(text: str) -> tuple[tuple[tuple[int, ...], str, str], ...]:
    """Return (shape, type, name) of each input in ``1x3x512x512``, ``1x77:int64+1x77:bool`` or
    ``x=1x3x224x224,mask=1x10:bool``; the name is empty where none is given."""
    found = []
    for item in re.split("[+,]", text):
        name, equals, of = item.strip().rpartition("=")
        sides, _, dtype = of.strip().partition(":")
        dtype = dtype or "float32"
        like = re.fullmatch(r"\d{1,9}(?:[x×]\d{1,9})*", sides) and dtype in _DTYPES
        if not like or (equals and not name.strip().isidentifier()):
            raise MbcostError(
                f"{item.strip()!r} is not an input",
                way_out="its shape with the batch, like 1x3x224x224, a type if it is not float32, "
                f"like 1x77:int64 (of {', '.join(_DTYPES)}), and a name, like mask=1x10:bool",
            )
        shape = tuple(int(side) for side in re.split("[x×]", sides))
        if not all(1 <= side <= 2**24 for side in shape):
            raise MbcostError(f"{sides} is out of range", way_out="sides from 1 to 16,777,216")
        found.append((shape, dtype, name.strip()))
    names = [name for _, _, name in found]
    for i, name in enumerate(names):
        if name in names[:i] and name:
            raise MbcostError(f"the input {name!r} is given twice", way_out="keep one")
        if not name and any(names[:i]):
            raise MbcostError(
                "an input without a name stands after one with a name",
                way_out="first those by position, then those by name",
            )
    return tuple(found)


def parse_int(text: str, low: int, high: int) -> int:
    """Return the whole number in ``text``, within [low, high]."""
    try:
        value = int(text)
    except ValueError:
        raise MbcostError(f"{text!r} is not a whole number", way_out=f"{low} to {high}") from None
    if not low <= value <= high:
        raise MbcostError(f"{value} is out of range", way_out=f"{low} to {high}")
    return value


def parse_multiplier(text: str, high: float) -> float:
    """Return the multiplier in ``text``, within (0, high]."""
    try:
        value = float(text)
    except ValueError:
        raise MbcostError(
            f"{text!r} is not a number", way_out=f"above 0, at most {number(high)}"
        ) from None
    if not 0 < value <= high:  # false for NaN too
        raise MbcostError(f"{text} is out of range", way_out=f"above 0, at most {number(high)}")
    return value


def parse_bool(text: str) -> bool:
    """Return the truth value in ``text``."""
    known = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if text.lower() not in known:
        raise MbcostError(f"{text!r} is neither true nor false", way_out="true or false")
    return known[text.lower()]


def parse_word(text: str, words: Sequence[str]) -> str:
    """Return ``text`` if it is one of ``words``."""
    if text not in words:
        raise MbcostError(f"unknown value {text!r}", way_out=did_you_mean(text, words))
    return text


def parse_words(text: str, words: Sequence[str]) -> tuple[str, ...]:
    """Return the words in ``text``, commas between, each once and in the order of ``words``."""
    found = {parse_word(word.strip(), words) for word in text.split(",")}
    return tuple(word for word in words if word in found)


_DIGITS = r"\s*(\d{1,18}(?:[_,]\d{3}){0,5}(?:\.\d{1,15})?)\s*"


def _scaled(digits: str, factor: int) -> int:
    """Return ``digits`` (``3_500``, ``3.5``) times ``factor``, rounded down, without a float."""
    whole, _, fraction = digits.replace(",", "").replace("_", "").partition(".")
    return int(whole + fraction) * factor // int(10 ** len(fraction))


def parse_count(text: str, *, powers: bool = True) -> int:
    """Return the integer in ``300M``, ``3.5 M``, ``219k``, 1234 or, with ``powers``, ``301e6``."""
    match = re.fullmatch(_DIGITS + r"(?:([kKMGBT]?)|[eE]\+?(\d{1,2}))\s*", text)
    power = int(match[3] or 0) if match else 0
    if not match or power > MAX_POWER or (match[3] and not powers):
        raise MbcostError(f"{text!r} is not a count", way_out="like 3500000, 3.5M, 35e5 or 0.6G")
    prefix = match[2] or ""
    return _scaled(match[1], PREFIXES[{"K": "k", "B": "G"}.get(prefix, prefix)] * 10**power)


def parse_bytes(text: str) -> int:
    """Return the bytes in ``4MB``, ``512 KiB`` or ``65536``; MB is 10⁶, MiB is 2²⁰."""
    match = re.fullmatch(_DIGITS + f"({'|'.join(BYTES)})" + r"\s*", text)
    if not match:
        raise MbcostError(f"{text!r} is not a size in bytes", way_out="like 4MB, 512KiB or 65536")
    return _scaled(match[1], BYTES[match[2]])


def parse_percent(text: str) -> Fraction:
    """Return the share of one in ``1%`` or ``0.5 %``, exactly."""
    from fractions import Fraction

    match = re.fullmatch(_DIGITS + "%" + r"\s*", text)
    if not match:
        raise MbcostError(f"{text!r} is not a percentage", way_out="like 1% or 0.5%")
    return Fraction(match[1].replace(",", "").replace("_", "")) / 100


def expand_range(text: str, most: int) -> list[str]:
    """Return the numbers of ``low:high:step`` as texts, both ends included, exactly stepped.

    Text without a colon is itself; a step left out is 1. ``most`` bounds how many there may be.
    """
    if ":" not in text:
        return [text]
    from decimal import Decimal, InvalidOperation

    like = "like 0.35:1.4:0.05, both ends included"
    try:
        low, high, step = map(Decimal, f"{text}:1".split(":")[:3] if text.count(":") < 3 else [])
        finite = low.is_finite() and high.is_finite() and step.is_finite()
    except (InvalidOperation, ValueError):
        finite = False
    if not finite:
        raise MbcostError(f"{text!r} is not a range", way_out=like)
    if any(number and not -12 <= number.adjusted() <= 12 for number in (low, high, step)):
        raise MbcostError(f"{text!r} holds a number far out of range", way_out=like)
    if step <= 0:
        raise MbcostError(f"{text!r} has a step that is not above 0", way_out=like)
    if high < low:
        raise MbcostError(f"{text!r} ends before it starts", way_out=like)
    count = int((high - low) / step) + 1
    if count > most:
        raise MbcostError(
            f"{text!r} holds {thousands(count)} values", way_out=f"at most {thousands(most)}"
        )
    return [format(low + i * step, "f") for i in range(count)]


def in_words(settings: Mapping[str, Any]) -> str:
    """Return settings as plain data for people: ``alpha 0.5, reduced tail``."""
    parts = []
    for name, value in settings.items():
        word = name.replace("_", " ")
        shown = str(value).lower() if isinstance(value, bool) else value
        parts.append(word if value is True else f"{word} {shown}")
    return ", ".join(parts)
