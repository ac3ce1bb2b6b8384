"""``mbcost sweep --train``: its options, and what the command does with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mbcost.cli.groups import Group
from mbcost.cli.recipe import Asked, Source
from mbcost.errors import CheckFailedError, MbcostError
from mbcost.units import decimals, thousands

if TYPE_CHECKING:
    from mbcost.cli.budgets import Budgets
    from mbcost.cli.options import Rows, SpaceOf
    from mbcost.cli.output import Outputs
    from mbcost.modules.training.recipe import Recipe
    from mbcost.output.look import Look
    from mbcost.studies.training.sweep import State
    from mbcost.studies.training.sweep_table import Showing

Train = Annotated[
    bool,
    typer.Option(
        "--train",
        help="Train the configs that the limits leave, the cheapest first, on Dask. --batch, "
        "--optimizer and --seed are the training's too.",
    ),
]
Folder = Annotated[
    str | None,
    typer.Option(
        "--run",
        metavar="DIR",
        help="Folder of the trainings, a folder for each; --resume goes on with it.",
        show_default=False,
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        "--dask",
        metavar="tcp://HOST:PORT",
        help="Train on the workers of this scheduler instead of --workers here.",
        show_default=False,
    ),
]
_OWN = ("optimizer", "seed")
"""Options of a recipe that a sweep has anyway."""


@dataclass(frozen=True)
class Trainings:
    """What was typed of a sweep of trainings."""

    train: bool
    data: str | None
    run: str | None
    dask: str | None
    recipe: Mapping[str, Any]
    """Of ``Asked``, but for what a sweep has anyway."""

    def check(self) -> bool:
        """Return whether to train; raise for options that are idle, or that are missing."""
        given = {"--data": self.data, "--run": self.run, "--dask": self.dask}
        defaults = vars(Asked())
        given |= {f"--{k}": v for k, v in self.recipe.items() if v != defaults[k]}
        if not self.train:
            for option, value in given.items():
                if value is not None:
                    raise MbcostError(
                        "changes nothing without --train", place=option, way_out="add --train"
                    )
            return False
        for option, way_out in (("--data", "like --data digits"), ("--run", "--run DIR")):
            if given[option] is None:
                raise MbcostError("a sweep of trainings needs it", place=option, way_out=way_out)
        return True


def _trainings(
    *, train: bool, data: str | None, run: str | None, dask: str | None, **recipe: Any
) -> Trainings:
    return Trainings(train, data, run, dask, recipe)


_SOURCE: Any = Source
_OPTIONS: dict[str, tuple[Any, Any]] = {
    "train": (Train, False),
    "data": (Annotated[str | None, *_SOURCE.__metadata__], None),
    "run": (Folder, None),
    "dask": (Scheduler, None),
    **{
        name: (option.annotation, option.default)
        for name, option in Group(Asked).parameters().items()
        if name not in _OWN
    },
}
TrainingsGiven = Annotated[Trainings, Group(_trainings, _OPTIONS)]


@dataclass(frozen=True)
class Sweep:
    """All that was typed of a sweep, as it concerns trainings."""

    of: SpaceOf
    budgets: Budgets
    given: Trainings
    settings: Mapping[str, str]
    rows: Rows
    outputs: Outputs
    look: Look
    workers: int
    resume: bool

    def run(self, pivot: str | None) -> None:
        """Train what the limits leave, and show the table as it fills in; ``pivot`` is refused."""
        self._refuse_others(pivot)
        from mbcost.cli.output import parted, write_files
        from mbcost.output.files import check_writable
        from mbcost.studies.training.store import opened_store
        from mbcost.studies.training.sweep import kept, require, trainings
        from mbcost.studies.training.sweep_table import as_parquet

        assert self.given.run is not None
        folder = Path(self.given.run)
        require(folder)
        if self.workers > 1 and self.given.dask:
            raise MbcostError(
                "the scheduler has workers of its own", place="--workers", way_out="leave it out"
            )
        files, rest = parted(self.outputs.output, (".parquet",))
        check_writable(*files)
        where = self.outputs.sink(rest)._replace(look=self.look) if rest or not files else None
        showing = self._showing()
        jobs = [survivor.job for survivor in showing.survivors]
        with opened_store(folder) as store, kept(store, jobs):
            store.belongs(showing.asked.common(jobs), self.resume)
            with closing(trainings(jobs, store, self.workers, self.given.dask)) as steps:
                states = _watched(steps, showing, where is not None and where.live)
                if where is None:
                    *_, last = states
                else:
                    last = where.fill_in(states, showing.table)
            if files:
                content = as_parquet(showing.table(last))
                write_files(dict.fromkeys(files, content))
        if last.failed:
            n = len(last.failed)
            raise CheckFailedError(
                f"{thousands(n)} of {thousands(showing.n)} trainings failed: "
                + next(iter(last.failed.values())),
                place=f"--run {folder}",
                way_out="the same command with --resume tries them again",
            )

    def _showing(self) -> Showing:
        """Return what is trained, and how it is shown; nothing is trained yet."""
        import time

        from mbcost.studies.spaces.columns import Layout
        from mbcost.studies.spaces.plan import UNIT, UNIT_OF_WHOLE, Plan
        from mbcost.studies.spaces.verify import Verifier
        from mbcost.studies.training.sweep import Asked as Sought
        from mbcost.studies.training.sweep import survivors
        from mbcost.studies.training.sweep_table import Showing

        settings = dict(self.settings)
        recipe = self._recipe(settings.pop("batch", None))
        assert self.given.data is not None
        assert self.given.run is not None
        target, of = self.of.target, self.of
        asked = Sought(target, settings, self.given.data, recipe, Path(self.given.run))
        own = {key: value for key, value in self.budgets.given.items() if key != "optimizer"}
        budgets = replace(self.budgets, given=own)
        whole = budgets.whole(self.rows.columns, self.rows.sort)
        unit = UNIT_OF_WHOLE if whole else UNIT
        limits = budgets.by_column()
        plan = Plan(asked.space, of.samples, of.seed, limits, unit, budgets.stated, whole)
        layout = Layout(plan)
        verifier = Verifier(layout, of.verify)
        found = survivors(asked, layout)
        verifier.rows([each.row for each in found])
        notes = [verifier.line()]
        if limits:
            within = f"{thousands(len(found))} of {thousands(plan.total)} configs"
            notes.insert(0, f"{within} are within the budget")
        return Showing(
            asked, layout, found, notes, self.rows.columns, self.rows.sort, time.monotonic()
        )

    def _recipe(self, batch: str | None) -> Recipe:
        """Return how each is trained."""
        typed = Asked(**self.given.recipe, seed=self.of.seed)
        optimizer = self.budgets.given.get("optimizer")
        return replace(typed, optimizer=optimizer).settled(batch, "cpu")

    def _refuse_others(self, pivot: str | None) -> None:
        """Raise for options that a sweep of trainings has no use for."""
        for option, given, way_out in (
            ("--pivot", pivot, "leave it out; trainings are rows"),
            ("--set", self.of.set_, "a YAML with these rows: mbcost search … -o net.yaml"),
            (
                "--max-train-peak-bytes",
                "train_peak_bytes" in self.budgets.by_column(),
                "mbcost check TARGET --batch N --max-train-peak-bytes …",
            ),
            ("--accuracy", self.of.predicted, "leave it out: it is measured"),
        ):
            if given:
                raise MbcostError("does not go with --train", place=option, way_out=way_out)


def _watched(states: Iterator[State], showing: Showing, live: bool) -> Iterator[State]:
    """Yield the states, drawing how far they are where a person watches and no table is live."""
    from mbcost.output.progress import drawn

    state = next(states)
    yield state
    if live:
        yield from states
        return
    with drawn(showing.total(state)) as draw:
        for state in states:
            words = f"{thousands(len(state.records))} of {thousands(showing.n)} trained"
            share = showing.share(state)
            draw(share, words, lambda speed: f"{decimals(60 * speed, 1)} epochs/min")
            yield state
