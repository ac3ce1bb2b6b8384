"""Random spaces: the arrays against the scalar closed form against torch, to the unit.

python -m tests.proofs.arrays --sample 2000 --seed 0 --seconds 1200

A case is a random network of any blocks (or a built-in one, or a block) with random axes: settings,
fields of rows, choices per layer, a reduced tail, output strides, folding. Its configs are counted
whole, in chunks and under budgets, bytes in a random type, eager or deployed with any fusion; where
a config cannot be built, both sides must refuse it. Case ``i`` of a seed is always the same:
``--first i --sample 1`` repeats it.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mbcost.cost import DTYPES
from mbcost.errors import MbcostError
from mbcost.graph.kernels import FUSIONS, Fusion
from mbcost.networks.blocks import BLOCKS, block_fields
from mbcost.networks.network import Network
from mbcost.networks.rows import SCALES, Row
from mbcost.networks.single_block import SingleBlock
from mbcost.networks.yaml import builtins
from mbcost.studies.memory.stated import Stated
from mbcost.studies.spaces.chunks import Chunks, locked
from mbcost.studies.spaces.columns import Layout
from mbcost.studies.spaces.parts import Figures, scalar_figures
from mbcost.studies.spaces.plan import Plan
from mbcost.studies.spaces.reader import Reader
from mbcost.studies.spaces.selection import with_fields
from mbcost.studies.spaces.space import Space
from mbcost.studies.spaces.space_file import load_space, space_files
from mbcost.studies.spaces.sweep.resumable import to_chunks, whole
from tests import strategies

CONFIGS = 48
"""Configs of a case at most."""

OF_ROWS: dict[str, tuple[Any, ...]] = {"n": (1, 2, 3, 4), "scale": SCALES}


def drawn_row(draw: random.Random, block: str) -> Row:
    """Return a row of that block, unwired."""
    fields = strategies.fields(draw, block)
    tail = None
    if draw.random() < 0.3:  # as V3's: the widths halved
        halved = [name for name in fields if name in ("c", "exp") and draw.random() < 0.8]
        tail = {name: max(1, fields[name] // 2) for name in halved}
    elif draw.random() < 0.3:
        other = strategies.fields(draw, block)
        names = draw.sample(sorted(other), min(len(other), draw.randint(1, 2)))
        tail = {name: other[name] for name in names}
    scale = draw.choice(("full", "full", *SCALES))
    return Row(block, fields, draw.choice((1, 1, 1, 2, 3)), scale, tail)


def drawn_network(draw: random.Random) -> Network:
    """Return a network of two to six rows and a head; now and then its rows branch."""
    usual = ("inverted_residual", "inverted_residual", "conv", "depthwise_separable")
    rows = [drawn_row(draw, "conv")]
    for _ in range(draw.randint(1, 5)):
        rows.append(
            drawn_row(draw, draw.choice(usual if draw.random() < 0.75 else strategies.MIDDLE))
        )
    if draw.random() < 0.25:
        rows = _branched(draw, rows)
    if draw.random() < 0.6:
        rows += [Row("global_pool", {}), Row("linear", {"c": draw.choice(("classes", 10))})]
    return Network(
        "drawn",
        (draw.choice((1, 3, 8)), draw.randint(17, 48), draw.randint(17, 48)),
        tuple(rows),
        classes=12,
        width=draw.choice(("divisible", "divisible", "truncate", "none")),
        divisor=draw.choice((1, 2, 4, 8)),
        expansion=draw.choice(("ratio", "ratio", "absolute")),
        output_stride=draw.choice((4, 8)) if draw.random() < 0.15 else None,
    )


def _branched(draw: random.Random, rows: list[Row]) -> list[Row]:
    """Return the rows with two of them joined again, or with one that is put out early."""
    at = draw.randrange(len(rows))
    if draw.random() < 0.4:
        return [r._replace(output=True) if i == at else r for i, r in enumerate(rows)]
    if at == len(rows) - 1:
        return rows
    rows[at] = rows[at]._replace(name="first")
    rows[-1] = rows[-1]._replace(name="last")
    join = Row("upsample", {}, name="up", inputs=("last", "first"))
    return [*rows, join, Row("concat", {}, inputs=("up", "first"))]


SETTINGS: dict[str, tuple[str, ...]] = {
    "alpha": ("0.4,0.8", "0.5,1", "0.35:1.4:0.35", "0.5,0.52,1,1.04", "0.75", "1,1.3,2"),
    "size": ("32", "24,33", "17x40,32", "40,48"),
    "rho": ("0.5,1", "1.25"),
    "in": ("1,3", "4"),
    "batch": ("1,5", "3"),
    "classes": ("7,10", "100"),
    "reduced_tail": ("false,true", "true"),
    "round_nearest": ("1,8", "4", "2,3"),
    "output_stride": ("4,8", "4", "1,2,4,8"),
    "fold_bn": ("false,true", "true"),
}


def drawn_space(draw: random.Random) -> Space:
    """Return a space that mostly can be built."""
    kind = draw.random()
    if kind < 0.12:
        block = draw.choice(list(BLOCKS))
        x = (draw.choice((8, 16)), 15, 18)
        spec: Any = SingleBlock("drawn", block, strategies.fields(draw, block), x, 16)
        space = Space("drawn", spec)
    elif kind < 0.27:
        names = [n for n, e in builtins().items() if e.kind == "network"]
        space = load_space(draw.choice([*names, *space_files()]))
    else:
        space = Space("drawn", drawn_network(draw))
    given = {}
    for name, texts in SETTINGS.items():
        likely = 0.8 if name in ("alpha", "reduced_tail") else 0.4
        if name in space.spec.accepts and draw.random() < likely:
            given[name] = draw.choice(texts)
    if "alpha" in given and draw.random() < 0.4:
        given["alpha"] = ",".join(f"{draw.uniform(0.3, 2):.4f}" for _ in range(draw.randint(1, 4)))
    if "size" in given:
        given.pop("rho", None)
    if kind >= 0.12 and kind < 0.27:
        given.pop("in", None)
        if "size" in given or "rho" in given:
            given["size"] = draw.choice(("64,97x129", "128"))
            given.pop("rho", None)
    space = space.narrowed(given)
    for text in _choices(draw, space):
        try:
            space = with_fields(space, [text])
        except MbcostError:
            continue  # no such field here
    return space


def _choices(draw: random.Random, space: Space) -> list[str]:
    """Return texts for ``--set``: fields of rows, of single layers, of every row."""
    if not isinstance(space.spec, Network):
        return []
    found = []
    for _ in range(draw.randint(0, 4)):
        i = draw.randrange(len(space.spec.rows))
        row = space.spec.rows[i]
        name = draw.choice(("c", "k", "s", "t", "exp", "se", "n", "n", "scale", *row.fields))
        known = block_fields(BLOCKS[row.block]) if row.block in BLOCKS else {}
        values = (
            strategies.values(known[name])
            if name in known
            else OF_ROWS.get(name, strategies.WIDTHS)
        )
        few = draw.sample(list(dict.fromkeys(values)), min(len(set(values)), draw.randint(1, 3)))
        text = ",".join(str(v).lower() if isinstance(v, bool) else str(v) for v in few)
        whole, layer = f"rows.{i}", f"rows.{i}.{draw.randrange(3)}"
        path = draw.choice((whole, whole, layer, "*", row.block))
        found.append(f"{path}.{name}={text}")
    return found


def drawn_stated(draw: random.Random) -> Stated:
    """Return what bytes are stated in: eager or deployed in any way, in any type."""
    fuse: tuple[Fusion | None, ...] = (None, *FUSIONS)
    return Stated(draw.choice(tuple(DTYPES)), draw.choice(fuse))


def scalar(space: Space, choice: Sequence[int], stated: Stated) -> Figures | None:
    """Return what a config costs by the scalar closed form; None where arrays must refuse it: it
    cannot be built or deployed, or a figure takes more than 64 bits."""
    try:
        spec, settings = space.at(choice)
        figures = scalar_figures(spec, settings, stated)[0]
    except MbcostError:
        return None
    return figures if max(figures) < 2**63 - 1 else None


def columns(figures: dict[str, Any]) -> list[Figures]:
    """Return the figures of each config."""
    each = [figures[name].tolist() for name in Figures._fields]
    return [Figures(*row) for row in zip(*each, strict=True)]


def check_case(seed: int, case: int) -> str:
    """Raise ``AssertionError`` where a figure differs; else say in a word what was proved."""
    draw = random.Random(f"{seed}/{case}")
    space = drawn_space(draw)
    stated = drawn_stated(random.Random(f"{seed}/{case}/stated"))
    samples = None if space.size <= CONFIGS else CONFIGS
    plan = Plan(space, samples, seed=case)
    choices = plan.choices(0)
    expected = [scalar(space, choice, stated) for choice in choices.T.tolist()]
    fits = np.array([figures is not None for figures in expected], bool)
    if not fits.all():
        try:
            Reader(space, stated=stated).count(choices)
        except MbcostError:
            pass
        else:
            raise AssertionError("the arrays count what cannot be built")
    if not fits.any():
        return "refused"
    choices = choices[:, fits]
    wanted = [figures for figures in expected if figures is not None]
    found = columns(Reader(space, stated=stated).count(choices).figures)
    _same(space, choices, wanted, found, f"whole, {stated}")
    _chunked(draw, space, choices, wanted, stated)
    _budgeted(draw, space, choices, wanted, stated)
    if isinstance(space.spec, Network) and space.target != "drawn":
        return "built-in"  # which other tests hold against torch
    at = draw.randrange(len(wanted))
    _torch(space, choices[:, at].tolist(), wanted[at], stated)
    return "network" if isinstance(space.spec, Network) else "block"


def _same(
    space: Space, choices: Any, wanted: Sequence[Figures], found: Sequence[Figures], how: str
) -> None:
    assert len(wanted) == len(found), f"{how}: {len(found)} configs of {len(wanted)}"
    for i, (one, other) in enumerate(zip(wanted, found, strict=True)):
        assert one == other, (
            f"{how}: {space.describe(choices[:, i].tolist())}: closed form {one}, arrays {other}"
        )


def _chunked(
    draw: random.Random, space: Space, choices: Any, wanted: Sequence[Figures], stated: Stated
) -> None:
    """One reader that learns from chunk to chunk, in another order."""
    order = list(range(choices.shape[1]))
    draw.shuffle(order)
    reader = Reader(space, stated=stated)
    while order:
        chunk, order = order[: (n := draw.randint(1, 9))], order[n:]
        some = choices[:, chunk]
        found = columns(reader.count(some).figures)
        _same(space, some, [wanted[i] for i in chunk], found, "chunked")


def _budgeted(
    draw: random.Random, space: Space, choices: Any, wanted: Sequence[Figures], stated: Stated
) -> None:
    names = draw.sample(Figures._fields, draw.randint(1, 3))
    limits = {name: getattr(draw.choice(wanted), name) for name in names}
    batches = [space.at(choice)[1].get("batch", 1) for choice in choices.T.tolist()]
    assert min(batches) >= 1
    kept = [
        i
        for i, figures in enumerate(wanted)
        if all(getattr(figures, name) <= limit for name, limit in limits.items())
    ]
    counted = Reader(space, stated=stated).count(choices, limits)
    assert counted.kept.tolist() == kept, f"budget {limits}"
    _same(space, choices[:, kept], [wanted[i] for i in kept], columns(counted.figures), "budget")


def _torch(space: Space, choice: Sequence[int], wanted: Figures, stated: Stated) -> None:
    """The config as a module on the meta device, counted by torch; its parameters added up."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from mbcost.modules import build

    spec, settings = space.at(choice)
    graph = spec.graph(settings)
    module = build(graph, "meta").eval()
    batch = settings.get("batch", 1)
    with torch.no_grad(), FlopCounterMode(display=False) as mode:
        module(torch.zeros(batch, *graph.x, device="meta"))
    said = space.describe(choice)
    assert mode.get_total_flops() == 2 * wanted.mult_adds, f"{said}: torch {mode.get_total_flops()}"
    params = sum(p.numel() for p in module.parameters())
    assert params == wanted.params, f"{said}: torch {params} params, the arrays {wanted.params}"
    if stated.dtype == "fp32":
        stored = sum(p.numel() * p.element_size() for p in module.parameters())
        assert stored == wanted.weight_bytes


def check_workers(seed: int, folder: Path) -> None:
    """Write a random space by one process and by two, in small units: the same bytes."""
    draw = random.Random(f"{seed}/workers")
    space = drawn_space(draw)
    while space.size < 40 or scalar_all(space) is None:
        space = drawn_space(draw)
    plan = Plan(space, None if space.size <= 4000 else 4000, unit=97)
    written = []
    for workers in (1, 2):
        chunks = Chunks(folder / f"{workers}.csv", Layout(plan))
        with locked([chunks]):
            for _ in to_chunks(chunks, workers):
                pass
            written.append(whole(chunks).read_bytes())
            chunks.remove()
    assert written[0] == written[1], "two processes write other bytes than one"


def scalar_all(space: Space) -> list[Figures] | None:
    """Return every config's figures where all can be built and are few."""
    if not 0 < space.size <= 4000:
        return None
    found = [scalar(space, space.choice(i), Stated()) for i in range(space.size)]
    return None if None in found else [figures for figures in found if figures is not None]


def run(cases: int, seed: int, seconds: float, first: int = 0) -> tuple[int, Counter[str], int]:
    """Return (cases done, what they were, failures); prints each failure and how to repeat it."""
    done: Counter[str] = Counter()
    failures = 0
    end = time.monotonic() + seconds
    for case in range(first, first + cases):
        if time.monotonic() > end:
            break
        try:
            done[check_case(seed, case)] += 1
        except Exception as error:
            failures += 1
            print(f"--seed {seed} --first {case} --sample 1: {type(error).__name__}: {error}")
    return sum(done.values()) + failures, done, failures


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sample", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=1200)
    args = parser.parse_args()
    cases, done, failures = run(args.sample, args.seed, args.seconds, args.first)
    with tempfile.TemporaryDirectory() as folder:
        check_workers(args.seed, Path(folder))
    kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(done.items()))
    print(f"seed {args.seed}: {cases} cases, {failures} failed ({kinds}); 1 and 2 workers agree")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
