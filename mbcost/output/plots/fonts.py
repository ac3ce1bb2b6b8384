"""Fonts for words that DejaVu Sans, which ships with matplotlib, has no glyphs for."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from mbcost.errors import MbcostError, visible

if TYPE_CHECKING:
    from matplotlib.font_manager import FontEntry


def families(
    first: str, words: Iterable[str], installed: Iterable[FontEntry] | None = None
) -> list[str]:
    """Return ``first`` and as many installed families as it takes to write every word.

    ``installed`` are the fonts to choose from, by default all that matplotlib finds. Raises
    where none has a character: a box in its place would be a wrong figure.
    """
    from matplotlib import font_manager

    used = {char for word in words for char in visible(word) if not char.isspace()}
    missing = _lacking(font_manager.findfont(first), 0, used)
    found = [first]
    if installed is None:
        installed = font_manager.fontManager.ttflist
    entries = sorted(installed, key=lambda e: (e.style, str(e.weight), e.name, e.fname))
    normal = [
        entry
        for entry in entries
        if entry.style == "normal"
        and entry.weight in (400, "normal", "regular")
        and "Last Resort" not in entry.name  # its glyphs are boxes that stand for missing ones
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


def emphasis() -> str:
    """Return the weight of names: bold, unless a font had to be found that may have no bold."""
    import matplotlib

    return "bold" if len(matplotlib.rcParams["font.family"]) == 1 else "normal"


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
