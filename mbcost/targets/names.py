"""Names as people type them, and what they mean: ``MobileNetV2``, ``mobilenet_v3_large``.

Asked only where ``find`` knows no such name. One that can mean one built-in alone is that built-in,
however it is spelt; where several could be meant, or a library's model, they are offered. To add
what a word means: its line in ``MEANT``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from mbcost.errors import MAX_WORD, MbcostError
from mbcost.networks.yaml.catalog import builtins, configs_dir

MIN_PART = 3
"""Letters of a name that must be typed for those that hold them to be offered."""


class Meaning(NamedTuple):
    """The targets that a word may stand for, and how they differ."""

    targets: tuple[str, ...]
    differ: str = ""


_SCALED = "one network at α 1; at any other α {} scales as the paper does, {} as torchvision does"
_LARGE = ("v3-large", "v3-large-torchvision")
_SMALL = ("v3-small", "v3-small-torchvision")

MEANT: dict[str, Meaning] = {
    "mobilenet": Meaning(("v1", "v2", "v3-large", "v3-small")),
    "v3": Meaning(("v3-large", "v3-small")),
    "mobilenetv3large": Meaning(_LARGE, _SCALED.format(*_LARGE)),
    "mobilenetv3small": Meaning(_SMALL, _SCALED.format(*_SMALL)),
    "v4": Meaning(("mobilenetv4-conv-small", "mobilenetv4-conv-medium", "mobilenetv4-conv-large")),
    "conv": Meaning(("standard",)),
    "convolution": Meaning(("standard",)),
    "mbconv": Meaning(("inverted-residual",)),
    "invertedbottleneck": Meaning(("inverted-residual",)),
}
"""By the word without its case, spaces, points, hyphens and underscores."""

_LISTED = """
    alexnet convnext_base convnext_large convnext_small convnext_tiny densenet121 densenet161
    densenet169 densenet201 efficientnet_b0 efficientnet_b1 efficientnet_b2 efficientnet_b3
    efficientnet_b4 efficientnet_b5 efficientnet_b6 efficientnet_b7 efficientnet_v2_l
    efficientnet_v2_m efficientnet_v2_s googlenet inception_v3 maxvit_t mnasnet0_5 mnasnet0_75
    mnasnet1_0 mnasnet1_3 mobilenet_v2 mobilenet_v3_large mobilenet_v3_small regnet_x_16gf
    regnet_x_1_6gf regnet_x_32gf regnet_x_3_2gf regnet_x_400mf regnet_x_800mf regnet_x_8gf
    regnet_y_128gf regnet_y_16gf regnet_y_1_6gf regnet_y_32gf regnet_y_3_2gf regnet_y_400mf
    regnet_y_800mf regnet_y_8gf resnet101 resnet152 resnet18 resnet34 resnet50 resnext101_32x8d
    resnext101_64x4d resnext50_32x4d shufflenet_v2_x0_5 shufflenet_v2_x1_0 shufflenet_v2_x1_5
    shufflenet_v2_x2_0 squeezenet1_0 squeezenet1_1 swin_b swin_s swin_t swin_v2_b swin_v2_s
    swin_v2_t vgg11 vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn vit_b_16 vit_b_32 vit_h_14
    vit_l_16 vit_l_32 wide_resnet101_2 wide_resnet50_2
"""
TORCHVISION = tuple(_LISTED.split())
"""The classifiers of torchvision: to ask it would take seconds, and it may not be installed."""


def builtin_name(name: str, spaces: tuple[str, ...] = ()) -> str:
    """Return the built-in that ``name`` means, or raise with what it may mean.

    ``spaces`` are the design spaces that may be meant too, of a command that takes one.
    """
    word = squashed(name)
    known = {squashed(space): Meaning((space,)) for space in spaces} | _words()
    if spaces:  # a model from elsewhere has no rows to vary
        known = {w: of for w, of in known.items() if ":" not in of.targets[0]}
    found = known.get(word)
    one = found is not None and len(found.targets) == 1 and word not in MEANT
    if found is not None and one and found.targets[0] in (*builtins(), *spaces):
        return found.targets[0]
    what = "space, network or block" if spaces else "network or block"
    way_out = "" if spaces else _space(name)
    raise MbcostError(
        f"no {what} is called {name!r}",
        way_out=way_out or f"{_offer(word, found, known, spaces)}; `mbcost list` shows all",
    )


def squashed(name: str) -> str:
    """Return a name without what people spell in several ways: ``mobilenetv2``."""
    return re.sub(r"[-_ .]", "", name.lower())


@cache
def _words() -> dict[str, Meaning]:
    """Return every word that has a meaning; a built-in's goes before a library's."""
    own = {squashed(name): Meaning((name,)) for name in builtins()}
    longer = {f"mobilenet{word}": of for word, of in own.items() if re.match(r"v[123]", word)}
    further = {f"mobilenet{word}": MEANT[word] for word in ("v3", "v4")}
    library = {squashed(name): Meaning((f"torchvision:{name}",)) for name in TORCHVISION}
    return library | longer | own | further | MEANT


def _space(name: str) -> str:
    """Return how a design space is used, if ``name`` is one; no target is."""
    spaces = {squashed(path.stem): path.stem for path in (configs_dir() / "spaces").glob("*.yaml")}
    space = spaces.get(squashed(name))
    return f"it is a design space: mbcost sweep {space}" if space else ""


def _offer(
    word: str, found: Meaning | None, known: Mapping[str, Meaning], spaces: tuple[str, ...]
) -> str:
    """Return what may be meant: by meaning, by a part of a name, and last by spelling."""
    offered = found or _holding(word, spaces) or _beginning(word, known) or _near(word, known)
    if offered is None:
        return f"one of: {', '.join((*spaces, *builtins()))}"
    *most, last = map(repr, offered.targets)
    differ = f" {offered.differ}" if offered.differ else ""
    return f"did you mean {', '.join(most)}{' or ' if most else ''}{last}?{differ}"


def _holding(word: str, spaces: tuple[str, ...]) -> Meaning | None:
    """Return the built-ins whose names hold the word, or else the library's."""
    if len(word) < MIN_PART:
        return None
    named = {squashed(name): name for name in (*spaces, *builtins())}
    library = {squashed(name): f"torchvision:{name}" for name in TORCHVISION}
    for names in (named, {} if spaces else library):
        found = tuple(name for spelt, name in names.items() if word in spelt)
        if found:
            return Meaning(found)
    return None


def _beginning(word: str, known: Mapping[str, Meaning]) -> Meaning | None:
    """Return the meaning of the longest word that the typed one begins with."""
    found = [w for w in known if len(w) > MIN_PART and word.startswith(w)]
    return known[max(found, key=len)] if found else None


def _near(word: str, known: Mapping[str, Meaning]) -> Meaning | None:
    from difflib import get_close_matches

    near = get_close_matches(word[:MAX_WORD], known, n=1, cutoff=0.6)
    return known[near[0]] if near else None
