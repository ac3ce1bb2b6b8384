"""The layers of a report as a tree, by their paths: where in a network the cost sits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol


class Layer(Protocol):
    """What is read of a layer."""

    @property
    def path(self) -> str:
        """Where it is."""
        ...

    @property
    def kind(self) -> str:
        """What it is."""
        ...

    @property
    def params(self) -> int:
        """Its trainable parameters."""
        ...

    @property
    def mult_adds(self) -> int:
        """Its multiply-adds."""
        ...


class Branch(NamedTuple):
    """A part of a network: a block and all in it, or one layer."""

    path: str
    depth: int
    params: int
    mult_adds: int
    """For the batch."""
    kind: str = ""
    """Of a layer; empty where the branch holds others, which follow it."""
    closes: int = 0
    """How many of the branches it is in end with it."""
    layers: int = 1
    """How many layers that cost something are in it."""

    @property
    def leaf(self) -> bool:
        """Return whether it is a layer."""
        return bool(self.kind)

    def within(self, parent: str) -> str:
        """Return the end of the path, behind that of the branch it is in."""
        return self.path.removeprefix(parent).removeprefix(".") or self.path


@dataclass
class _Node:
    path: str = ""
    parts: dict[str, _Node] = field(default_factory=dict)
    layers: list[Layer] = field(default_factory=list)
    params: int = 0
    mult_adds: int = 0
    inside: int = 0
    """Layers in it and in its parts."""


def tree(layers: Iterable[Layer], scale: int = 1) -> list[Branch]:
    """Return the branches of layers from the first to the last, each before those in it.

    Their mult-adds are ``scale`` times those of the layers. Layers that cost nothing are left
    out. What all layers have in common is no branch of its own.
    """
    root = _Node()
    for layer in layers:
        if layer.params or layer.mult_adds:
            _put(root, layer, scale)
    while len(root.parts) == 1 and not root.layers:
        (child,) = root.parts.values()
        if not child.parts:
            break
        root = child
    found: list[Branch] = []
    waiting = _inside(root, 0)
    while waiting:
        item, depth = waiting.pop()
        following = waiting[-1][1] if waiting else 0
        if isinstance(item, _Node):
            costs = item.params, item.mult_adds
            found.append(Branch(item.path, depth, *costs, layers=item.inside))
            waiting += _inside(item, depth + 1)
            continue
        costs = item.params, item.mult_adds * scale
        found.append(Branch(item.path, depth, *costs, item.kind, max(0, depth - following)))
    return found


def _put(root: _Node, layer: Layer, scale: int) -> None:
    """Put a layer into the tree, its cost into every branch on the way."""
    node = root
    for part in _parts(layer.path):
        path = f"{node.path}.{part}" if node.path else part
        node = node.parts.setdefault(part, _Node(path))
        node.params += layer.params
        node.mult_adds += layer.mult_adds * scale
        node.inside += 1
    node.layers.append(layer)


def _parts(path: str) -> list[str]:
    """Return ``a``, ``b``, ``:relu`` of ``a.b:relu``: a function is in the module that calls it."""
    module, colon, function = path.partition(":")
    return [*module.split("."), *([colon + function] if colon else [])]


def _inside(node: _Node, depth: int) -> list[tuple[_Node | Layer, int]]:
    """Return what is in a node, last first: its own layers stand before the parts."""
    own: list[_Node | Layer] = [*node.layers]
    for part in node.parts.values():
        own += [part] if part.parts else part.layers
    return [(item, depth) for item in reversed(own)]
