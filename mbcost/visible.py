"""Text from elsewhere, on one line and with nothing in it that a terminal obeys.

A name may come from a YAML key, a file name or a module: it can hold escape sequences, carriage
returns or marks that turn the direction of writing. Every format but JSON, which escapes what it
must by itself, shows such text through ``visible``.
"""

from __future__ import annotations


def visible(text: str) -> str:
    r"""Return ``text`` with white space as spaces and what cannot be printed as ``\x1b``."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _shown(char) for char in text)


def _shown(char: str) -> str:
    if char.isspace():
        return " "
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
