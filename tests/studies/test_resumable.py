"""Sweeps that are stopped: by Ctrl-C, by a kill, by another sweep, by a disk that errs."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mbcost.errors import MbcostError
from mbcost.output.files import write_whole
from mbcost.studies.spaces.chunks import Chunks
from mbcost.studies.spaces.columns import Layout
from mbcost.studies.spaces.plan import Plan
from mbcost.studies.spaces.space_file import load_space
from mbcost.studies.spaces.sweep.resumable import to_chunks, whole
from tests.conftest import Cli
from tests.proofs.sweeps import (
    LONG,
    MBCOST,
    OFA,
    check_case,
    ended,
    parts_of,
    proc,
    running,
    wait_for,
    workers,
)


def to_file(
    path: Path, layout: Layout, workers: int = 1, *, resume: bool = False
) -> Generator[tuple[int, int]]:
    """Write a sweep to ``path``; yields as ``to_chunks`` does."""
    chunks = Chunks(path, layout)
    with chunks.locked():
        with closing(to_chunks(chunks, workers, resume=resume)) as steps:
            yield from steps
        write_whole(path, whole(chunks))
        chunks.remove()


@pytest.mark.parametrize("kill", [signal.SIGTERM, signal.SIGKILL], ids=["term", "kill"])
def test_workers_end_with_the_process_that_started_them(tmp_path: Path, kill: int) -> None:
    with running(tmp_path, *LONG, "--workers", "2") as process:
        wait_for(lambda: parts_of(tmp_path), process)
        found = workers(process.pid)
        assert len(found) == 2
        process.send_signal(kill)
        process.wait()
        wait_for(lambda: all(map(ended, found)))
        left = parts_of(tmp_path)
    result = subprocess.run(
        [*MBCOST, *LONG], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 2  # and no lock of the dead stands in the way
    assert "an interrupted sweep left its parts here" in result.stderr
    assert left == parts_of(tmp_path)


def test_ctrl_c_keeps_every_finished_chunk_and_names_resume(tmp_path: Path) -> None:
    args = (*OFA, "260000", "-o", "x.csv", "--workers", "2")
    with running(tmp_path, *args) as process:
        wait_for(lambda: parts_of(tmp_path), process)
        os.killpg(process.pid, signal.SIGINT)
        out, message = process.communicate(timeout=60)
    kept = parts_of(tmp_path)
    assert (process.returncode, out) == (130, "")
    assert message == (
        f"mbcost: x.csv: interrupted: {len(kept)} of 4 chunks are finished "
        "(the same command with --resume goes on)\n"
    )
    assert 0 < len(kept) < 4
    space = load_space("ofa-mobilenetv3")
    steps = to_file(tmp_path / "x.csv", Layout(Plan(space, 260_000)), resume=True)
    assert next(steps) == (65536 * len(kept), 65536 * len(kept))  # not one of them is counted anew
    steps.close()


EARLY: dict[str, Callable[[int], object]] = {
    "a worker is there": workers,
    "two workers are there": lambda pid: len(workers(pid)) == 2,
    "a worker has numpy": lambda pid: any(b"numpy" in proc(w, "maps") for w in workers(pid)),
}


@pytest.mark.parametrize("moment", EARLY)
def test_ctrl_c_prints_no_traceback_however_early(tmp_path: Path, moment: str) -> None:
    with running(tmp_path, *LONG, "--workers", "2") as process:
        wait_for(lambda: EARLY[moment](process.pid), process)
        os.killpg(process.pid, signal.SIGINT)
        out, message = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert message.startswith("mbcost: x.csv: interrupted")
    assert message.count("\n") == 1
    assert parts_of(tmp_path) or not list(tmp_path.iterdir())


def test_ctrl_c_without_workers_says_the_same(tmp_path: Path) -> None:
    with running(tmp_path, *LONG) as process:
        wait_for(lambda: parts_of(tmp_path), process)
        process.send_signal(signal.SIGINT)
        _, message = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"interrupted: {len(parts_of(tmp_path))} of 763 chunks are finished" in message
    assert "--resume" in message
    assert message.count("\n") == 1


def test_a_second_sweep_beside_a_running_one_is_told_so(tmp_path: Path, cli: Cli) -> None:
    with running(tmp_path, *LONG) as process:
        wait_for(lambda: parts_of(tmp_path), process)
        for more in ([], ["--resume"]):
            result = cli(*OFA, "50000000", "-o", str(tmp_path / "x.csv"), *more)
            assert (result.exit_code, result.stdout) == (2, "")
            assert f"another sweep (process {process.pid}) is writing it" in result.stderr
            assert "Traceback" not in result.stderr
        assert process.poll() is None


def test_a_killed_worker_is_a_message_and_what_was_finished_stays(tmp_path: Path) -> None:
    args = (*OFA, "300000", "-o", "x.csv", "--workers", "2")
    with running(tmp_path, *args) as process:
        wait_for(lambda: parts_of(tmp_path), process)
        for child in workers(process.pid):
            os.kill(child, signal.SIGKILL)
        out, message = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert "a worker process died" in message
    assert "Traceback" not in message
    steps = to_file(tmp_path / "x.csv", Layout(Plan(load_space("ofa-mobilenetv3"), 300_000)))
    with pytest.raises(MbcostError, match="--resume goes on"):
        next(steps)
    assert 0 < len(parts_of(tmp_path)) < 5


def test_sweeps_that_are_stopped_again_and_again_lose_nothing(tmp_path: Path) -> None:
    """A sample of ``python -m tests.proofs.sweeps``."""
    assert check_case(0, 25, tmp_path, most=2)["ctrl-c"] > 0


def small(path: Path, *, resume: bool = False) -> Iterator[tuple[int, int]]:
    """Sweep three chunks of ten configs to ``path``."""
    plan = Plan(load_space("ofa-mobilenetv3"), 30, unit=10)
    return to_file(path, Layout(plan), resume=resume)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("byte", [0, 100, -1])
def test_a_byte_that_flips_never_reaches_the_result(tmp_path: Path, suffix: str, byte: int) -> None:
    right, path = tmp_path / f"right{suffix}", tmp_path / f"x{suffix}"
    for _ in small(right):
        pass
    steps = small(path)
    while next(steps)[0] < 30:  # every chunk is finished, and none joined yet
        pass
    part = sorted((tmp_path / f"x{suffix}.parts").glob("0*"))[1]
    content = bytearray(part.read_bytes())
    content[byte] ^= 1
    part.write_bytes(content)
    with pytest.raises(MbcostError, match="its bytes are not those that were written"):
        next(steps)
    assert not path.exists()
    assert next(small(path, resume=True)) == (20, 20)
    for _ in small(path, resume=True):
        pass
    assert path.read_bytes() == right.read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


def test_a_directory_that_no_sweep_made_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "x.csv.parts" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    for resume in (False, True):
        with pytest.raises(MbcostError):
            list(small(tmp_path / "x.csv", resume=resume))
    assert mine.read_text() == "mine"
    mine.rename(tmp_path / "elsewhere")
    steps = small(tmp_path / "x.csv")
    next(steps)
    (tmp_path / "elsewhere").rename(mine)
    list(steps)
    assert (tmp_path / "x.csv").exists()
    assert [path.name for path in mine.parent.iterdir()] == ["mine.txt"]


def test_a_sweep_that_fails_at_once_leaves_nothing(tmp_path: Path, cli: Cli) -> None:
    path = str(tmp_path / "x.csv")
    sizes = ("--size", "2,8", "--kernel", "5", "--padding", "0", "--verify", "0")
    result = cli("sweep", "standard", *sizes, "-o", path)
    assert result.exit_code == 2
    assert "a kernel of 5 is larger" in result.stderr
    assert not list(tmp_path.iterdir())
