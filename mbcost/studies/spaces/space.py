"""Design spaces: a network or block, and the axes along which it varies.

An ``Axis`` is a setting (α, size, classes, …) or a field of rows with several values; a config is
one index per axis. ``Space.at`` turns a config into a spec and settings as everything else reads
them. A layer's own choice (``rows.2.1.k``) means nothing where its row has fewer repeats: such a
config is the same network as the one with that axis at its first value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import Any

from mbcost.errors import MbcostError
from mbcost.networks.network import Network
from mbcost.networks.rows import Row, edited, layer_of, wired
from mbcost.networks.settings import SETTINGS, parse_values
from mbcost.networks.spec import Spec

MAX_AXES = 1000
FIRST = ("alpha", "rho", "size", "classes")
"""The settings that come first as axes, outermost to innermost."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A field of a row; of one of its repeats alone, or of all of them."""

    row: int
    repeat: int | None
    field: str


@dataclass(frozen=True, slots=True)
class Axis:
    """What varies: its column's key, its values, the slots they go to; without slots a setting."""

    key: str
    values: tuple[Any, ...]
    slots: tuple[Slot, ...] = ()


@dataclass(frozen=True)
class Space:
    """A spec, the settings that are fixed, and the axes; the last axis varies fastest."""

    target: str
    spec: Spec
    settings: Mapping[str, Any] = field(default_factory=dict)
    axes: tuple[Axis, ...] = ()

    @cached_property
    def size(self) -> int:
        """How many configs there are."""
        return prod(len(axis.values) for axis in self.axes)

    def choice(self, index: int) -> tuple[int, ...]:
        """Return the config with this index in the enumeration."""
        found = []
        for axis in reversed(self.axes):
            index, position = divmod(index, len(axis.values))
            found.append(position)
        return tuple(reversed(found))

    def at(self, choice: Sequence[int]) -> tuple[Spec, dict[str, Any]]:
        """Return the spec and the settings of a config."""
        settings = dict(self.settings)
        chosen: dict[Slot, Any] = {}
        for axis, position in zip(self.axes, choice, strict=True):
            if axis.slots:
                chosen.update((slot, axis.values[position]) for slot in axis.slots)
            else:
                settings[axis.key] = axis.values[position]
        if not chosen:
            return self.spec, settings
        assert isinstance(self.spec, Network)  # only rows have slots
        return with_slots(self.spec, chosen), settings

    @cached_property
    def depth_axis(self) -> dict[int, int]:
        """The axis of a row's repeats, where they vary."""
        return {
            slot.row: i
            for i, axis in enumerate(self.axes)
            for slot in axis.slots
            if slot.field == "n"
        }

    def conditions(self, i: int) -> list[tuple[int | None, int, int]]:
        """Return where axis ``i`` means something: (axis of n or None, fixed n, repeat) per slot.

        It does where any row has more repeats than ``repeat``; an axis without conditions always.
        """
        slots = self.axes[i].slots
        if not slots or any(slot.repeat is None for slot in slots):
            return []
        assert isinstance(self.spec, Network)
        return [
            (self.depth_axis.get(slot.row), self.spec.rows[slot.row].n, slot.repeat)
            for slot in slots
            if slot.repeat is not None
        ]

    def means(self, i: int, choice: Sequence[int]) -> bool:
        """Return whether axis ``i`` changes anything in this config."""
        conditions = self.conditions(i)
        return not conditions or any(
            repeat < (n if axis is None else self.axes[axis].values[choice[axis]])
            for axis, n, repeat in conditions
        )

    def values(self, choice: Sequence[int]) -> dict[str, Any]:
        """Return a config's values by key, None where an axis means nothing."""
        return {
            axis.key: axis.values[position] if self.means(i, choice) else None
            for i, (axis, position) in enumerate(zip(self.axes, choice, strict=True))
        }

    def describe(self, choice: Sequence[int]) -> str:
        """Return a config in words for messages: ``alpha=0.5 size=224x224 rows.3.t=6``."""
        values = {**self.settings, **self.values(choice)}
        texts = {k: "x".join(map(str, v)) if isinstance(v, tuple) else v for k, v in values.items()}
        return " ".join(f"{key}={text}" for key, text in texts.items() if text is not None)

    def narrowed(self, given: Mapping[str, str]) -> Space:
        """Return the space with settings as typed: one value fixes, several make an axis."""
        settings = dict(self.settings)
        axes = {axis.key: axis for axis in self.axes if not axis.slots}
        for name, text in given.items():
            option = f"--{name.replace('_', '-')}"
            if name not in self.spec.accepts:
                takes = ", ".join(self.spec.accepts)
                raise MbcostError(
                    f"does not fit {self.target}", place=option, way_out=f"it takes: {takes}"
                )
            values = parse_values(self.spec.accepts[name], str(text), option)
            other = {"rho": "size", "size": "rho"}.get(name)
            if other in given:
                raise MbcostError(
                    "rho and size both set the input size", place=option, way_out="give one"
                )
            for key in (name, other):
                settings.pop(key or "", None)
                axes.pop(key or "", None)
            if len(values) == 1:
                settings[name] = values[0]
            else:
                axes[name] = Axis(name, values)
        order = [*FIRST, *(key for key in SETTINGS if key not in FIRST)]
        order += [key for key in axes if key not in SETTINGS]
        ordered = sorted(axes.values(), key=lambda axis: order.index(axis.key))
        rows = tuple(axis for axis in self.axes if axis.slots)
        return replace(self, settings=settings, axes=(*ordered, *rows))

    def with_axis(self, axis: Axis) -> Space:
        """Return the space with this axis over rows; it takes its slots away from older axes."""
        kept = []
        for old in self.axes:
            slots = tuple(slot for slot in old.slots if not _covered(slot, axis.slots))
            if slots or not old.slots:
                kept.append(replace(old, slots=slots))
        axes = (*kept, axis)
        first = [min((slot.row for slot in a.slots), default=-1) for a in axes]
        order = sorted(range(len(axes)), key=lambda i: first[i])  # stable: settings stay first
        return replace(self, axes=tuple(axes[i] for i in order))


def _covered(slot: Slot, by: Sequence[Slot]) -> bool:
    """Return whether one of the new slots sets all that this one does."""
    return any(
        (new.row, new.field) == (slot.row, slot.field) and new.repeat in (None, slot.repeat)
        for new in by
    )


def with_slots(network: Network, chosen: Mapping[Slot, Any]) -> Network:
    """Return the network with these fields set; a row whose layers differ becomes several rows."""
    rows: list[Row] = []
    for i, row in enumerate(network.rows):
        own = {slot.field: v for slot, v in chosen.items() if (slot.row, slot.repeat) == (i, None)}
        layers: dict[int, dict[str, Any]] = {}
        for slot, value in chosen.items():
            if slot.row == i and slot.repeat is not None:
                layers.setdefault(slot.repeat, {})[slot.field] = value
        whole = edited(row, own)
        if layers:
            each = [layer_of(whole, repeat, layers.get(repeat, {})) for repeat in range(whole.n)]
            rows += wired(each, whole)
        else:
            rows.append(whole)
    return replace(network, rows=tuple(rows))
