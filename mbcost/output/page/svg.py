"""A drawing of matplotlib's as a part of a page, beside others."""

from __future__ import annotations

import re
from xml.etree import ElementTree

_REFERENCE = re.compile(r"url\(#([^)]+)\)")


def inline(svg: bytes, key: str) -> str:
    """Return the drawing as an element of HTML: without comments and metadata, and of its ids only
    those that it refers to, each beginning with ``key``."""
    root = ElementTree.fromstring(svg)  # leaves out comments, which hold names of targets
    for part in root.iter():
        part.tag = part.tag.rpartition("}")[2]
        part.attrib = {name.rpartition("}")[2]: value for name, value in part.attrib.items()}
    for child in root.findall("metadata"):
        root.remove(child)
    known = {name for part in root.iter() for name in _referred(part.attrib)}
    for part in root.iter():
        own = part.attrib.pop("id", None)
        for name, value in part.attrib.items():
            part.set(name, _REFERENCE.sub(rf"url(#{key}-\1)", value))
        if "href" in part.attrib:
            part.set("href", f"#{key}-{part.attrib['href'].removeprefix('#')}")
        if own in known:
            part.set("id", f"{key}-{own}")
    root.set("aria-hidden", "true")  # what it shows is said in words beside it
    return ElementTree.tostring(root, encoding="unicode")


def _referred(attributes: dict[str, str]) -> list[str]:
    """Return the ids that an element refers to."""
    found = [name for value in attributes.values() for name in _REFERENCE.findall(value)]
    return [*found, *([attributes["href"].removeprefix("#")] if "href" in attributes else [])]
