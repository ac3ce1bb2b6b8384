"""The closed form over arrays of configs: another reader of the same lowering.

A row of a network costs what its block costs at its input, and those are few: so each row keeps a
table of the combinations met so far, filled by the scalar lowering, and a million configs are a
million look-ups per row. What a row hands on is the map and the unscaled width, nothing else.
Networks whose rows branch are counted whole, once per combination.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mbcost.blocks import BLOCKS, MERGES, Block
from mbcost.blocks.fields import width_fields
from mbcost.cost import DTYPES, WITH_PARAMS, Terms, cost_of, terms, weight_bytes
from mbcost.cost.activations import largest_activation, peak_activation
from mbcost.errors import LayerError, MbcostError
from mbcost.fold import fold_batch_norms
from mbcost.layers import Graph, Shape
from mbcost.lowering import Feed, Lowering, lowered, overridden
from mbcost.network import Network, Row, SingleBlock, Spec
from mbcost.space import Slot, Space, with_slots
from mbcost.units import shape_text

Ints = NDArray[np.int64]
Choices = NDArray[np.int32]
"""(axes, configs): an index into each axis's values, a config per column."""

LIMIT = 2**63 - 1


class Figures(NamedTuple):
    """What a block or network costs: sums first, then maxima; mult-adds and maps of one image.

    ``*_bytes`` are the weights as stored, one for each of ``DTYPES``.
    """

    params: int = 0
    params_weights: int = 0
    params_all: int = 0
    mult_adds: int = 0
    fp32_bytes: int = 0
    fp16_bytes: int = 0
    int8_bytes: int = 0
    largest_activation: int = 0
    peak_activation: int = 0

    def plus(self, other: Figures, times: int = 1) -> Figures:
        """Return the figures of this and then ``times`` the other."""
        n = len(SUMS)
        sums = [a + times * b for a, b in zip(self[:n], other[:n], strict=True)]
        return Figures(*sums, *map(max, self[n:], other[n:]))


MAXIMA = ("largest_activation", "peak_activation")
SUMS = Figures._fields[: -len(MAXIMA)]


_NEEDED = Terms._fields.index("mult_adds") + 1
"""Parameters and mult-adds: the terms before those that tell counters apart."""


@lru_cache(maxsize=2**16)
def block_figures(
    block: Block, x: Shape, maxima: bool = True, fold: bool = False
) -> tuple[Figures, Shape]:
    """Return what a block costs on a map of shape ``x``, and the shape it puts out.

    Without ``maxima`` those are left at 0: they take longer than the sums. ``fold`` folds the
    batch-norms, each of which has its convolution in the same block.
    """
    nodes, y = lowered(block, x)
    if fold:
        nodes = fold_batch_norms(Graph(x, nodes)).nodes
    found = [terms(n.layer, n.x, n.y)[:_NEEDED] for n in nodes if isinstance(n.layer, WITH_PARAMS)]
    total = Terms(*map(sum, zip(*found, strict=True)))
    bytes_as = {f"{name}_bytes": weight_bytes(total, dtype) for name, dtype in DTYPES.items()}
    figures = Figures(
        total.params,
        total.weights,
        total.params + total.norm_buffers,
        total.mult_adds,
        **bytes_as,
    )
    if maxima:
        figures = figures._replace(
            largest_activation=largest_activation(x, nodes),
            peak_activation=peak_activation(x, nodes),
        )
    return figures, y


def scalar_figures(spec: Spec, settings: Mapping[str, Any]) -> tuple[Figures, Shape]:
    """Return what a spec costs by the scalar closed form, and the shape it puts out."""
    graph = spec.graph(settings)
    report = cost_of(graph, spec.name, settings.get("batch", 1))
    figures = Figures(
        report.params,
        report.params_weights,
        report.params_all,
        report.mult_adds,
        **{f"{name}_bytes": report.weight_bytes(name) for name in DTYPES},
        largest_activation=largest_activation(graph.x, graph.nodes),
        peak_activation=peak_activation(graph.x, graph.nodes, graph.outputs),
    )
    return figures, graph.y


class State(NamedTuple):
    """What one part hands to the next: the map, and its width before scaling.

    Of a ``Feed`` the stride and the rate are missing: a block depends on them only where an output
    stride is kept, and such a network is counted whole.
    """

    x: Shape
    nominal: float | None


class _Part:
    """A row, or one repeat of it, or a whole block: its choices, and what they cost."""

    axes: tuple[int, ...] = ()
    """The axes of its own fields; settings come apart from these."""

    maxima = True
    """Whether largest maps are wanted, too."""

    def signature(self, settings: tuple[Any, ...]) -> Hashable:
        """Return what these settings come to here: equal ones cost the same everywhere."""
        return settings

    def cost(
        self, state: State, settings: tuple[Any, ...], values: tuple[Any, ...]
    ) -> tuple[Figures, State]:
        """Return what it costs under settings and a value per axis, and what it hands on."""
        raise NotImplementedError


class _RowPart(_Part):
    """A row of a network; with ``repeat``, that one of its layers."""

    def __init__(self, space: Space, network: Network, row: int, repeat: int | None) -> None:
        self.space = space
        self.row = network.rows[row]
        self.network = network
        self.repeat = repeat
        self.slots: dict[int, list[Slot]] = {}
        for i, axis in enumerate(space.axes):
            mine = [s for s in axis.slots if s.row == row and s.repeat in (None, repeat)]
            if mine:
                self.slots[i] = mine
        self.axes = tuple(self.slots)
        self.scalings: dict[tuple[Any, ...], Lowering] = {}
        self.folds: dict[tuple[Any, ...], bool] = {}
        self.layers: dict[Hashable, tuple[Figures, State]] = {}
        self.chosen: dict[tuple[Any, ...], tuple[Row, dict[str, Any], int, int]] = {}
        self.alike: dict[Hashable, int] = {}
        """Choices that set the same but for the repeats have the same number."""

    def signature(self, settings: tuple[Any, ...]) -> Hashable:
        """Return the built widths under every choice of this row's widths, and the divisor."""
        scaling = self._scaling(settings)
        scaled = ("c", "exp", "scale", *width_fields(BLOCKS[self.row.block]))
        widths = [
            self.space.axes[i].values
            if any(slot.field in scaled for slot in slots)
            else self.space.axes[i].values[:1]
            for i, slots in self.slots.items()
        ]
        built = []
        for values in product(*widths):
            row, fields, _ = self._chosen(values)
            try:
                tailed = scaling.tailed(self.row, fields)
                built.append(scaling.block(row, tailed, 0, Feed(-1, (1, 1, 1), 1))[0])
            except LayerError:
                return settings
        return (self.folds[settings], scaling.divisor, *built)

    def cost(
        self, state: State, settings: tuple[Any, ...], values: tuple[Any, ...]
    ) -> tuple[Figures, State]:
        """Return the sums over the repeats; equal repeats are counted once and multiplied."""
        if values not in self.chosen:
            row, fields, n = self._chosen(values)
            fields_key = (row.scale, *fields.items())
            same = self.alike.setdefault(fields_key, len(self.alike))
            self.chosen[values] = (row, fields, n, same)
        row, fields, n, same = self.chosen[values]
        repeat, end = (0, n) if self.repeat is None else (self.repeat, min(n, self.repeat + 1))
        total: Figures | None = None
        while repeat < end:
            key = (settings, same, repeat > 0, state)
            if key not in self.layers:
                self.layers[key] = self._layer(state, settings, row, fields, repeat)
            figures, after = self.layers[key]
            times = end - repeat if repeat and after == state else 1
            total = figures if total is None else total.plus(figures, times)
            state = after
            repeat += times
        return total or Figures(), state

    def _layer(
        self,
        state: State,
        settings: tuple[Any, ...],
        row: Row,
        fields: dict[str, Any],
        repeat: int,
    ) -> tuple[Figures, State]:
        """Return what one repeat costs, and what it hands on."""
        scaling = self._scaling(settings)
        chosen = scaling.tailed(self.row, fields)
        block, feed = scaling.block(row, chosen, repeat, Feed(-1, state.x, state.nominal))
        figures, y = block_figures(block, state.x, self.maxima, self.folds[settings])
        return figures, State(y, feed.nominal)

    def _chosen(self, values: tuple[Any, ...]) -> tuple[Row, dict[str, Any], int]:
        """Return the row as scaling reads it, its fields and its repeats under these values."""
        own: dict[str, Any] = {}
        layer: dict[str, Any] = {}
        for value, slots in zip(values, self.slots.values(), strict=True):
            for slot in slots:
                (own if slot.repeat is None else layer)[slot.field] = value
        n, scale = own.pop("n", self.row.n), own.pop("scale", self.row.scale)
        fields = overridden(self.row.block, self.row.fields, own)
        row = self.row if scale == self.row.scale else self.row._replace(scale=scale)
        return row, overridden(self.row.block, fields, layer), n

    def _scaling(self, settings: tuple[Any, ...]) -> Lowering:
        if settings not in self.scalings:
            chosen = _settings(self.space, settings)
            self.scalings[settings] = Lowering(self.network, chosen)
            self.folds[settings] = bool(chosen.get("fold_bn", self.network.fold_bn))
        return self.scalings[settings]


class _GraphPart(_Part):
    """A whole network, counted once per combination: its rows branch or keep an output stride."""

    def __init__(self, space: Space, network: Network) -> None:
        self.space = space
        self.network = network
        self.axes = tuple(i for i, axis in enumerate(space.axes) if axis.slots)

    def cost(
        self, state: State, settings: tuple[Any, ...], values: tuple[Any, ...]
    ) -> tuple[Figures, State]:
        """Return the scalar closed form's figures."""
        chosen = {
            slot: value
            for i, value in zip(self.axes, values, strict=True)
            for slot in self.space.axes[i].slots
        }
        c, h, w = state.x
        given = {**_settings(self.space, settings), "in": c, "size": (h, w)}
        figures, y = scalar_figures(with_slots(self.network, chosen), given)
        return figures, State(y, None)


def _is_chain(network: Network) -> bool:
    """Return whether every row reads the one before alone, whatever stands before that."""
    return network.output_stride is None and not any(
        row.block in MERGES or row.inputs or row.taps or row.output for row in network.rows
    )


class _BlockPart(_Part):
    """A single block: every setting but its input's is a choice."""

    def __init__(self, space: Space, block: SingleBlock) -> None:
        self.space = space
        self.block = block

    def cost(
        self, state: State, settings: tuple[Any, ...], values: tuple[Any, ...]
    ) -> tuple[Figures, State]:
        chosen = _settings(self.space, settings)
        fold = bool(chosen.get("fold_bn", self.block.fold_bn))
        cost, x = block_figures(self.block.built(chosen), state.x, self.maxima, fold)
        return cost, State(x, state.nominal)


INPUT_SETTINGS = ("in", "size", "rho")


def _setting_axes(space: Space) -> tuple[int, ...]:
    """Return the axes that every part depends on: settings, but for the input and the batch."""
    outside = (*INPUT_SETTINGS, "batch")
    return tuple(i for i, a in enumerate(space.axes) if not a.slots and a.key not in outside)


def _settings(space: Space, chosen: tuple[Any, ...]) -> dict[str, Any]:
    """Return the settings, but for the input's and the batch, with the chosen ones."""
    fixed = {k: v for k, v in space.settings.items() if k not in (*INPUT_SETTINGS, "batch")}
    keys = [space.axes[i].key for i in _setting_axes(space)]
    return fixed | dict(zip(keys, chosen, strict=True))


def _parts(space: Space) -> list[_Part]:
    if isinstance(space.spec, SingleBlock):
        return [_BlockPart(space, space.spec)]
    if not isinstance(space.spec, Network):
        raise MbcostError(
            "is no network or block of mbcost",
            place=space.target,
            way_out="sweep one from `mbcost list`, or a YAML file",
        )
    if not _is_chain(space.spec):
        return [_GraphPart(space, space.spec)]
    by_layer: dict[int, int] = {}
    for axis in space.axes:
        for slot in axis.slots:
            if slot.repeat is not None:
                by_layer[slot.row] = space.spec.rows[slot.row].n
    for axis in space.axes:
        for slot in axis.slots:
            if slot.field == "n" and slot.row in by_layer:
                by_layer[slot.row] = max(axis.values)
    parts: list[_Part] = []
    for i in range(len(space.spec.rows)):
        repeats = range(by_layer[i]) if i in by_layer else (None,)
        parts += [_RowPart(space, space.spec, i, repeat) for repeat in repeats]
    return parts


MAX_SETTINGS = 10**6
MAX_CHOICES = 10**9
"""Within these, a combination's number fits 64 bits with room for every class and state."""

DENSE = 2**20
"""Combinations of a part up to which a plain array finds a combination's place in the table."""


class _Table:
    """A part's costs by combination of state, settings and choices, learnt as they are met."""

    def __init__(self, part: _Part, space: Space, wanted: Sequence[str]) -> None:
        self.part = part
        part.maxima = any(name in MAXIMA for name in wanted)
        self.space = space
        self.wanted = wanted
        self.setting_axes = _setting_axes(space)
        self.sizes = [len(space.axes[i].values) for i in part.axes]
        self.local = prod(self.sizes)
        self.states_in: dict[State, int] = {}
        self.states_out: dict[State, int] = {}
        self.classes: dict[Hashable, int] = {}
        self.first_settings: list[tuple[Any, ...]] = []
        """By class, the first settings met in it: as good as any other."""
        settings = prod(len(space.axes[i].values) for i in self.setting_axes)
        if settings > MAX_SETTINGS or self.local > MAX_CHOICES:
            raise MbcostError(
                f"{settings:,} combinations of settings, {self.local:,} of one row's fields",
                place=space.target,
                way_out=f"at most {MAX_SETTINGS:,} and {MAX_CHOICES:,}: fewer values",
            )
        self.class_of = np.full(settings, -1, np.int64)
        self.next = np.zeros(0, np.int64)
        self.figures = {name: np.zeros(0, np.int64) for name in wanted}
        self.largest = dict.fromkeys(wanted, 0)
        self.place = np.zeros(0, np.int32)  # dense: code → entry, -1 where not yet known
        self.codes = np.zeros(0, np.int64)  # sparse: sorted codes …
        self.entries = np.zeros(0, np.int64)  # … and their entries

    def entries_of(self, states: Ints, settings: Ints, choices: Choices) -> Ints:
        """Return each config's place in ``next`` and ``figures``."""
        code = self._classes_of(settings)
        if len(self.states_in) > 1:
            code = code * len(self.states_in) + states
        for axis, size in zip(self.part.axes, self.sizes, strict=True):
            code = code * size + choices[axis]
        found = self._find(code)
        if found.size and found.min() < 0:
            self._learn(np.unique(code[found < 0]))
            found = self._find(code)
        return found

    def _classes_of(self, settings: Ints) -> Ints:
        if len(self.class_of) == 1 and self.class_of[0] == 0:
            return np.zeros(len(settings), np.int64)
        found: Ints = np.take(self.class_of, settings)
        if not found.size or found.min() >= 0:
            return found
        for number in np.unique(settings[found < 0]).tolist():
            values = _unravel(number, [self.space.axes[i].values for i in self.setting_axes])
            signature = self.part.signature(values)
            if signature not in self.classes:
                self.classes[signature] = len(self.classes)
                self.first_settings.append(values)
            self.class_of[number] = self.classes[signature]
        return np.take(self.class_of, settings)

    def fix_states(self) -> None:
        """Forget codes made with fewer states than there are now; their costs stay known."""
        states = len(self.states_in)
        if states == self.states_coded or not len(self.codes):
            self.states_coded = states
            return
        rest, local = np.divmod(self.codes, self.local)
        classes, state = np.divmod(rest, max(1, self.states_coded))
        self.codes = (classes * states + state) * self.local + local
        self.states_coded = states
        self.place = np.zeros(0, np.int32)

    states_coded = 0

    @property
    def _codes_possible(self) -> int:
        return len(self.classes) * max(1, len(self.states_in)) * self.local

    def _find(self, code: Ints) -> Ints:
        if self._codes_possible <= DENSE:
            if len(self.place) < self._codes_possible:
                self.place = np.full(self._codes_possible, -1, np.int32)
                self.place[self.codes] = self.entries
            return np.take(self.place, code)
        if not len(self.codes):
            return np.full(len(code), -1)
        at = np.minimum(np.searchsorted(self.codes, code), len(self.codes) - 1)
        return np.where(self.codes[at] == code, self.entries[at], -1)

    def _learn(self, codes: Ints) -> None:
        states = list(self.states_in)
        axes = [self.space.axes[i].values for i in self.part.axes]
        chosen: dict[int, tuple[Any, ...]] = {}
        rows: list[Figures] = []
        following = []
        for code in codes.tolist():
            rest, local = divmod(code, self.local)
            number, state = divmod(rest, max(1, len(states)))
            if local not in chosen:
                chosen[local] = _unravel(local, axes)
            values = chosen[local]
            cost, after = self._cost(states[state], self.first_settings[number], values)
            rows.append(cost)
            following.append(self.states_out.setdefault(after, len(self.states_out)))
        first = len(self.next)
        for name in self.wanted:
            new = [getattr(row, name) for row in rows]
            self.largest[name] = max(self.largest[name], *new)
            if self.largest[name] > LIMIT:
                raise too_large(self.space, name)
            self.figures[name] = np.append(self.figures[name], np.array(new, np.int64))
        self.next = np.append(self.next, np.array(following, np.int64))
        entries = np.arange(first, first + len(codes))
        if self._codes_possible <= DENSE:
            self.place[codes] = entries
        merged = np.append(self.codes, codes)
        order = np.argsort(merged, kind="stable")
        self.codes = merged[order]
        self.entries = np.append(self.entries, entries)[order]

    def _cost(
        self, state: State, settings: tuple[Any, ...], values: tuple[Any, ...]
    ) -> tuple[Figures, State]:
        try:
            return self.part.cost(state, settings, values)
        except LayerError as error:
            names = [self.space.axes[i].key for i in (*self.setting_axes, *self.part.axes)]
            chosen = zip(names, (*settings, *values), strict=True)
            words = " ".join([f"{k}={v}" for k, v in chosen] + [f"input={shape_text(state.x)}"])
            raise error.at(f"{self.space.target}: {words}") from None


def _unravel(number: int, values: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Return the combination with this number; the last one varies fastest."""
    found = []
    for each in reversed(values):
        number, position = divmod(number, len(each))
        found.append(each[position])
    return tuple(reversed(found))


def too_large(space: Space, figure: str) -> MbcostError:
    """Return the error for a cost that arrays of 64-bit integers cannot hold."""
    return MbcostError(
        f"{figure} passes 2⁶³",
        place=space.target,
        way_out="a smaller size or batch, or mbcost model",
    )


@dataclass
class Counted:
    """Costs of the configs that were kept: which ones (columns of the choices), and figures."""

    kept: Ints
    figures: dict[str, Ints]


class Reader:
    """Counts arrays of configs of a space; what it learns stays for the next array."""

    def __init__(self, space: Space, figures: Sequence[str] = Figures._fields) -> None:
        self.space = space
        self.wanted = [name for name in Figures._fields if name in figures]
        self.tables = [_Table(part, space, self.wanted) for part in _parts(space)]
        for before, after in zip(self.tables, self.tables[1:], strict=False):
            after.states_in = before.states_out
        keys = [axis.key for axis in space.axes]
        self.input_axes = [i for i, key in enumerate(keys) if key in INPUT_SETTINGS]
        self.setting_axes = _setting_axes(space)
        self.inputs = self._inputs()
        self.batch_axis = keys.index("batch") if "batch" in keys else None
        batches = [space.settings.get("batch", 1)]
        if self.batch_axis is not None:
            batches = list(space.axes[self.batch_axis].values)
        self.batches = np.array(batches, np.int64)

    def _inputs(self) -> Ints:
        """Return the state of each combination of input settings, numbered in the first table."""
        axes = [self.space.axes[i] for i in self.input_axes]
        states = self.tables[0].states_in
        numbers = []
        for index in range(prod(len(axis.values) for axis in axes)):
            settings = {k: v for k, v in self.space.settings.items() if k in INPUT_SETTINGS}
            chosen = _unravel(index, [axis.values for axis in axes])
            settings |= zip([axis.key for axis in axes], chosen, strict=True)
            state = State(input_shape(self.space, settings), self.space.spec.x[0])
            numbers.append(states.setdefault(state, len(states)))
        return np.array(numbers, np.int64)

    def count(self, choices: Choices, at_most: Mapping[str, int] | None = None) -> Counted:
        """Return the costs of the configs in ``choices``, without those above ``at_most``.

        A config is dropped at the first row at which a figure passes its limit.
        """
        at_most = {k: v for k, v in (at_most or {}).items() if k in self.wanted}
        n = choices.shape[1]
        kept = np.arange(n)
        state = np.zeros(n, np.int64)
        for i in self.input_axes:
            state = state * len(self.space.axes[i].values) + choices[i]
        state = self.inputs[state]
        settings = np.zeros(n, np.int64)
        for i in self.setting_axes:
            settings = settings * len(self.space.axes[i].values) + choices[i]
        batch = self.batches[0 if self.batch_axis is None else choices[self.batch_axis]]
        totals = {name: np.zeros(n, np.int64) for name in self.wanted}
        limits: dict[str, Any] = {
            k: v // batch if k == "mult_adds" else v for k, v in at_most.items()
        }
        for table in self.tables:
            table.fix_states()
            entries = table.entries_of(state, settings, choices)
            for name, total in totals.items():
                cost = np.take(table.figures[name], entries)
                if name in SUMS:
                    total += cost
                else:
                    np.maximum(total, cost, out=total)
            state = np.take(table.next, entries)
            if limits:
                fits = _fits(totals, limits)
                if not fits.all():
                    kept, state, choices = kept[fits], state[fits], choices[:, fits]
                    settings = settings[fits]
                    totals = {name: total[fits] for name, total in totals.items()}
                    limits = {
                        k: v[fits] if isinstance(v, np.ndarray) and v.ndim else v
                        for k, v in limits.items()
                    }
        self._check_range()
        if "mult_adds" in totals:
            batch = self.batches[0 if self.batch_axis is None else choices[self.batch_axis]]
            totals["mult_adds"] = totals["mult_adds"] * batch
        return Counted(kept, totals)

    def _check_range(self) -> None:
        """Raise where the sum of what each row costs at most passes 64 bits."""
        for name in self.wanted:
            if name in SUMS:
                most = sum(table.largest[name] for table in self.tables)
                if name == "mult_adds":
                    most *= int(self.batches.max())
                if most > LIMIT:
                    raise too_large(self.space, name)


def _fits(totals: Mapping[str, Ints], limits: Mapping[str, Any]) -> NDArray[np.bool_]:
    fits = np.ones(len(next(iter(totals.values()))), bool)
    for name, limit in limits.items():
        fits &= totals[name] <= limit
    return fits


def input_shape(space: Space, settings: Mapping[str, Any]) -> Shape:
    """Return C×H×W of the input under these settings."""
    if isinstance(space.spec, Network):
        return space.spec.input_shape(settings)
    assert isinstance(space.spec, SingleBlock)
    c, h, w = space.spec.x
    return (settings.get("in", c), *settings.get("size", (h, w)))
