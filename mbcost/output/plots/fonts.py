"""Fonts for words that DejaVu Sans, which ships with matplotlib, has no glyphs for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING

from mbcost.errors import MAX_WORD, MbcostError, shown, visible
from mbcost.output.plots.sheet import FONT

if TYPE_CHECKING:
    from matplotlib.font_manager import FontEntry

_NO_FONT = "Last Resort"
"""Its glyphs are boxes that stand for missing ones."""
_ALIKE = {
    "times": ("nimbus roman", "liberation serif", "tex gyre termes", "stixgeneral"),
    "arial": ("liberation sans", "nimbus sans", "tex gyre heros", "dejavu sans"),
    "helvetica": ("nimbus sans", "liberation sans", "tex gyre heros", "dejavu sans"),
    "palatino": ("tex gyre pagella", "p052"),
    "computer modern": ("latin modern roman", "cmr10"),
}
"""Free fonts that look like what papers ask for, by a word of its name."""
_MOST_OFFERED = 5


def installed_family(name: str) -> str:
    """Return the installed family that is called so, whatever its case; or raise with names that
    are like it."""
    from matplotlib import font_manager

    names = {entry.name for entry in font_manager.fontManager.ttflist}
    known = {name.lower(): name for name in sorted(names) if _NO_FONT not in name}
    family = known.get(" ".join(name.split()).lower())
    if family is None:
        raise MbcostError(
            f"no font is called {shown(name)}", place="--font", way_out=_like(name, known)
        )
    return family


def _like(name: str, known: Mapping[str, str]) -> str:
    """Return families that look like ``name``, are spelt like it or share a word with it; or else
    the first ones."""
    from difflib import get_close_matches

    word = name[:MAX_WORD].lower()
    looks = [each for key, alike in _ALIKE.items() if key in word for each in alike]
    near = [each for each in looks if each in known]
    near += get_close_matches(word, known, n=3, cutoff=0.6)
    near += [each for each in known if word.strip() and each.startswith(word.strip())]
    parts = [part for part in word.split() if len(part) > 3]
    near += [each for each in known if any(part in each for part in parts)]
    offered = [repr(known[each]) for each in dict.fromkeys(near)][:_MOST_OFFERED]
    if offered:
        *most, last = offered
        return f"did you mean {', '.join(most)}{' or ' if most else ''}{last}?"
    first = list(known.values())[: 2 * _MOST_OFFERED]
    further = len(known) - len(first)
    return f"one of: {', '.join(first)}{f' and {further} more' if further > 0 else ''}"


def families(
    first: str, words: Iterable[str], installed: Iterable[FontEntry] | None = None
) -> list[str]:
    """Return ``first`` and as many installed families as it takes to write every word.

    Behind a font that was chosen stands the one that has all of mbcost's own signs, α and ×.

    ``installed`` are the fonts to choose from, by default all that matplotlib finds. Raises
    where none has a character: a box in its place would be a wrong figure.
    """
    from matplotlib import font_manager

    used = {char for word in words for char in visible(word) if not char.isspace()}
    found = list(dict.fromkeys((first, FONT)))
    missing = frozenset(used)
    for family in found:
        file = font_manager.findfont(family)
        missing = _lacking(file, getattr(file, "face_index", 0), missing)
    if installed is None:
        installed = font_manager.fontManager.ttflist
    entries = sorted(installed, key=lambda e: (e.style, str(e.weight), e.name, e.fname))
    normal = [
        entry
        for entry in entries
        if entry.style == "normal"
        and entry.weight in (400, "normal", "regular")
        and _NO_FONT not in entry.name
    ]
    for entry in normal if missing else []:
        left = _lacking(entry.fname, getattr(entry, "index", 0), missing)
        if left != missing:
            found.append(entry.name)
            missing = left
        if not missing:
            break
    if missing:
        raise MbcostError(
            f"no installed font has {' '.join(sorted(missing))}",
            way_out="install one that does, such as Noto Sans CJK, or rename the target",
        )
    return found


def pdf_type(family: str) -> int:
    """Return as which type a PDF holds the font: TrueType, what publishers ask for; or Type 3 where
    its outlines are PostScript's, which matplotlib would write into a TrueType font."""
    from matplotlib import font_manager

    return 3 if str(font_manager.findfont(family)).lower().endswith(".otf") else 42


def emphasis() -> str:
    """Return the weight of names: bold, unless a font had to be found that may have no bold."""
    import matplotlib

    first, *others = matplotlib.rcParams["font.family"]
    return "bold" if set(others) <= {FONT} and _has_bold(first) else "normal"


def _has_bold(family: str) -> bool:
    from matplotlib import font_manager

    return any(
        entry.name == family and entry.weight in (700, "bold")
        for entry in font_manager.fontManager.ttflist
    )


def short(text: str, most: int = 28) -> str:
    """Return ``text`` as a label: on one line, a long path with its middle left out."""
    line = visible(text)
    half = (most - 1) // 2
    return line if len(line) <= most else f"{line[:half]}…{line[-half:]}"


@cache
def _charset(path: str, index: int) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(path, face_index=index).get_charmap())
    except TypeError:  # matplotlib before 3.11 opens the first face only
        return frozenset(FT2Font(path).get_charmap())
    except (OSError, RuntimeError):  # a broken font file is no font
        return frozenset()


def _lacking(path: str, index: int, chars: Iterable[str]) -> frozenset[str]:
    return frozenset(char for char in chars if ord(char) not in _charset(path, index))
