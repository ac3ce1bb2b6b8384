"""What a sweep of trainings has come to, in SQLite: ``DIR/sweep.sqlite``. The client alone writes.

results    a training's record, by its key; there as soon as it is finished, and only once
attempts   each time that a worker began with one: when, which, when it ended, and how
sweep      what all trainings in the folder have in common
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mbcost.errors import MbcostError
from mbcost.output.table import Record
from mbcost.studies.training.identity import differing
from mbcost.studies.training.job import Outcome

FILE = "sweep.sqlite"
_TABLES = """
create table if not exists sweep (identity text not null);
create table if not exists results (key text primary key, record text not null);
create table if not exists attempts (
    key text not null, started real not null, worker text, ended real, how text,
    primary key (key, started)
);
"""


class Store:
    """The open file of a sweep. While it is open, no other process gets to it."""

    def __init__(self, connection: sqlite3.Connection, place: str) -> None:
        self.connection = connection
        self.place = place

    def belongs(self, identity: Record, resume: bool) -> None:
        """Say what the trainings have in common, or raise: the folder holds others, or is not to
        be gone on with."""
        rows = self.connection.execute("select identity from sweep").fetchall()
        if not rows:
            self._write("insert into sweep values (?)", json.dumps(identity))
            return
        if not resume:
            raise MbcostError(
                "holds a sweep",
                place=self.place,
                way_out="--resume goes on with it; or another folder",
            )
        known = dict.fromkeys(identity) | json.loads(rows[0][0])
        other = differing(known, identity)
        if other:
            raise MbcostError(
                f"holds a sweep of other trainings: {other}",
                place=self.place,
                way_out="the same data and recipe, or another folder",
            )
        self._write("update attempts set how = 'cut off' where how is null")

    def results(self) -> dict[str, Record]:
        """Return the records of what is finished, by key."""
        rows = self.connection.execute("select key, record from results")
        return {key: json.loads(record) for key, record in rows}

    def begun(self, key: str, started: float, worker: str) -> None:
        """Note that a worker has begun; whatever ran before for this key was cut off."""
        with self.connection:
            self.connection.execute(
                "update attempts set how = 'cut off' where key = ? and how is null", (key,)
            )
            self.connection.execute(
                "insert or ignore into attempts (key, started, worker) values (?, ?, ?)",
                (key, started, worker),
            )

    def finished(self, outcome: Outcome) -> None:
        """Keep what came of a job."""
        with self.connection:
            self.connection.execute(
                "insert into results values (?, ?)", (outcome.key, json.dumps(outcome.record))
            )
            self.connection.execute(
                "insert into attempts (key, started, ended, how) values (?, ?, ?, ?) "
                "on conflict do update set ended = excluded.ended, how = excluded.how",
                (outcome.key, outcome.started, outcome.ended, outcome.how),
            )

    def ended(self, how: str, key: str | None = None) -> None:
        """Note that what runs, of this key or of all, came to an end without a result."""
        self._write(
            "update attempts set ended = ?, how = ? where how is null and key = coalesce(?, key)",
            *(time.time(), how, key),
        )

    def _write(self, statement: str, *values: object) -> None:
        with self.connection:
            self.connection.execute(statement, values)


@contextmanager
def opened_store(folder: Path) -> Iterator[Store]:
    """Open the file of the sweep in a folder, made where it is not there."""
    place = f"--run {folder}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(folder / FILE, timeout=0)
    except (OSError, sqlite3.Error, ValueError) as error:
        raise MbcostError(
            f"cannot be written: {getattr(error, 'strerror', None) or error}",
            place=place,
            way_out="check the path, its permissions and the free space",
        ) from None
    try:
        connection.execute("pragma locking_mode = exclusive")
        connection.execute("begin exclusive")  # and held until it is closed
        connection.executescript(_TABLES)
        yield Store(connection, place)
    except sqlite3.OperationalError as error:
        locked = error.sqlite_errorcode == sqlite3.SQLITE_BUSY
        raise MbcostError(
            "another sweep is writing it" if locked else f"cannot be written: {error}",
            place=place,
            way_out="wait for it, or name another folder"
            if locked
            else "check its permissions and the free space; then --resume goes on",
        ) from None
    except sqlite3.DatabaseError as error:
        raise MbcostError(
            f"is no file of a sweep: {error}",
            place=str(folder / FILE),
            way_out="another folder",
        ) from None
    finally:
        connection.close()


def common_identity(identity: Record, *, one_data: bool) -> Record:
    """Return what is the same of all trainings of a sweep; without ``one_data`` each sees images
    resized for it, which are other data."""
    recipe: Mapping[str, object] = identity["recipe"]
    found = {
        "data": identity["data"],
        "recipe": {key: value for key, value in recipe.items() if key != "size"},
        "versions": identity["versions"],
    }
    return {**found, "data_sha256": identity["data_sha256"]} if one_data else found
