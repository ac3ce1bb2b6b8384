"""Sweeps that are stopped and gone on with: their bytes are those of one that nobody stopped.

python -m tests.proofs.sweeps --sample 40 --seed 0 --seconds 1200

A case draws a space, how many configs of it, the kind of file and how many workers, and stops the
sweep again and again: by SIGINT to its process group, as Ctrl-C does, by SIGTERM or SIGKILL to the
process, or by SIGKILL to a worker, at once or after it has finished more chunks. Each time it goes
on with ``--resume``. What is left at the end is the file alone, byte by byte as without a stop.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

MBCOST = (sys.executable, "-m", "mbcost")
OFA = ("sweep", "ofa-mobilenetv3", "--verify", "0", "--samples")
LONG = (*OFA, "50000000", "-o", "x.csv")
"""Takes minutes: whatever ends within seconds was ended."""

Process = subprocess.Popen[str]


@contextmanager
def running(cwd: Path, *args: str) -> Iterator[Process]:
    """Start mbcost in a process group of its own, as a terminal does; what is left is killed."""
    process = subprocess.Popen(
        [*MBCOST, *args],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # a suite that runs in the background ignores it, and children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for(what: Callable[[], object], process: Process | None = None) -> None:
    """Return as soon as ``what`` is true; fail where it is not within a minute."""
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end, "not within a minute"
        if process is not None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.01)
            assert process.poll() is None, process.stderr and process.stderr.read()


def workers(pid: int) -> list[int]:
    """Return the processes that count for ``pid``: its children that run our code."""
    found: list[int] = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):  # each thread has its own
        with suppress(FileNotFoundError, ProcessLookupError):
            found += map(int, file.read_text().split())
    return [child for child in found if b"spawn_main" in proc(child, "cmdline")]


def proc(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def ended(pid: int) -> bool:
    """Return whether a process has ended; one that nobody has waited for has too."""
    state = proc(pid, "stat").rpartition(b")")[2].split()
    return not state or state[0] == b"Z"


def all_ended(pids: Sequence[int]) -> bool:
    return all(map(ended, pids))


def parts_of(cwd: Path, name: str = "x.csv") -> list[str]:
    """Return the chunks of a sweep to ``name`` that are finished."""
    folder = cwd / f"{name}.parts"
    return sorted(path.name for path in folder.glob(f"0*{Path(name).suffix}"))


GRID = ("--alpha", "0.35:1.4:0.0002", "--size", "96:224:1")
SPACES = (OFA, ("sweep", "v2", *GRID, "--verify", "0", "--samples"))
STOPS = ("ctrl-c", "term", "kill", "kill a worker")
MOST_STOPS = 4


def stop(process: Process, how: str) -> list[int]:
    """Stop a sweep; return the workers that it had."""
    found = workers(process.pid)
    if how == "ctrl-c":
        os.killpg(process.pid, signal.SIGINT)
    elif how == "kill a worker" and found:
        with suppress(ProcessLookupError):
            os.kill(found[0], signal.SIGKILL)
    else:
        process.send_signal(signal.SIGTERM if how == "term" else signal.SIGKILL)
    return found


def check_case(seed: int, case: int, folder: Path, most: int = MOST_STOPS) -> Counter[str]:
    """Stop and resume a sweep of its own; return how often it was stopped in which way."""
    draw = random.Random(f"{seed}/{case}")
    suffix, count = draw.choice((".csv", ".parquet")), draw.randint(66_000, 250_000)
    command = (*draw.choice(SPACES), str(count), "--seed", str(draw.randrange(9)))
    subprocess.run(
        [*MBCOST, *command, "-o", f"whole{suffix}"], cwd=folder, check=True, capture_output=True
    )
    name = f"x{suffix}"
    stopped: Counter[str] = Counter()
    while True:
        further = ["--workers", str(draw.choice((1, 2))), "-o", name]
        if (folder / f"{name}.parts").exists():
            further.append("--resume")
        with running(folder, *command, *further) as process:
            more = draw.randint(0, 1) + len(parts_of(folder, name))
            how, had = draw.choice(STOPS), list[int]()
            if stopped.total() < most:
                while process.poll() is None and len(parts_of(folder, name)) < more:
                    time.sleep(0.002)
                if process.poll() is None:
                    had = stop(process, how)
            _, message = process.communicate(timeout=300)
            wait_for(partial(all_ended, had))
        assert "Traceback" not in message, message
        if process.returncode == 0:
            break
        stopped[how] += 1
        assert not (folder / name).exists(), "a sweep that was stopped has a file"
    assert (folder / name).read_bytes() == (folder / f"whole{suffix}").read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == sorted((name, f"whole{suffix}"))
    return stopped


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sample", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=1200)
    given = parser.parse_args()
    end = time.monotonic() + given.seconds
    stopped: Counter[str] = Counter()
    done = failures = 0
    for case in range(given.first, given.first + given.sample):
        if time.monotonic() > end:
            break
        done += 1
        try:
            with tempfile.TemporaryDirectory() as folder:
                stopped += check_case(given.seed, case, Path(folder))
        except Exception as error:
            failures += 1
            again = f"--seed {given.seed} --first {case} --sample 1"
            print(f"{again}: {type(error).__name__}: {error}", flush=True)
    ways = ", ".join(f"{count} by {how}" for how, count in sorted(stopped.items()))
    print(
        f"seed {given.seed}: {done} sweeps, stopped {stopped.total()} times ({ways}), "
        f"{failures} failed"
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
