"""What is written: whole or not at all, several files all or none, links, pipes and modes kept."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mbcost.errors import MbcostError
from mbcost.output.files import Staged, write_all, write_whole
from tests.conftest import Cli

Command = Callable[[Path, str], list[str]]

FAST = ["compare", "v2", "--fast"]
WRITERS: dict[str, list[str]] = {
    "compare.csv": FAST,
    "model.md": ["model", "v2", "--fast"],
    "baseline.json": ["baseline", "v2"],
    "check.tex": ["check", "v2", "--max-params", "9M"],
    "share.svg": ["plot", "share", "v2"],
    "values.csv": ["plot", "share", "v2"],
    "best.yaml": ["search", "v2", "--max-params", "2M", "--verify", "0"],
    "sweep.csv": ["sweep", "v2", "--alpha", "0.5,1", "--verify", "0"],
    "sweep.parquet": ["sweep", "v2", "--alpha", "0.5,1", "--verify", "0"],
    "sweep.md": ["sweep", "v2", "--alpha", "0.5,1", "--verify", "0"],
}
"""Commands by the name of the file that they write: every door through which a file gets out."""

SEVERAL: dict[str, tuple[list[str], list[str]]] = {
    "tables": (FAST, ["a.csv", "b.md", "c.json"]),
    "figures": (["plot", "share", "v2"], ["a.svg", "b.csv", "c.png"]),
    "search": (WRITERS["best.yaml"], ["a.yaml", "b.csv", "c.yml"]),
    "sweeps": (WRITERS["sweep.csv"], ["a.csv", "b.parquet", "c.md"]),
}


def listing(directory: Path) -> dict[str, bytes]:
    """Return what a directory holds, whatever its files are called."""
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


def outputs(*paths: Path) -> list[str]:
    return [word for path in paths for word in ("-o", str(path))]


@pytest.mark.parametrize("name", WRITERS)
def test_a_link_is_followed_and_a_mode_kept(cli: Cli, tmp_path: Path, name: str) -> None:
    there = tmp_path / "there"
    there.mkdir()
    real = there / f"real{Path(name).suffix}"
    real.write_text("old")
    real.chmod(0o640)
    link = tmp_path / name
    link.symlink_to(real)
    result = cli(*WRITERS[name], *outputs(link))
    assert result.exit_code == 0, result.stderr
    assert link.is_symlink()
    assert real.read_bytes() != b"old"
    assert real.stat().st_mode & 0o7777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "there"])
    assert [path.name for path in there.iterdir()] == [real.name]
    assert f"wrote {link}" in result.stderr


@pytest.mark.parametrize("name", WRITERS)
def test_a_link_to_nothing_yet_makes_the_file_it_names(cli: Cli, tmp_path: Path, name: str) -> None:
    link = tmp_path / name
    real = tmp_path / f"real{Path(name).suffix}"
    link.symlink_to(real.name)
    assert cli(*WRITERS[name], *outputs(link)).exit_code == 0
    assert link.is_symlink()
    assert real.stat().st_size > 0


@pytest.mark.parametrize("name", WRITERS)
def test_a_pipe_gets_what_a_file_would(cli: Cli, tmp_path: Path, name: str) -> None:
    file, pipe = tmp_path / name, tmp_path / f"pipe{Path(name).suffix}"
    assert cli(*WRITERS[name], *outputs(file)).exit_code == 0
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    result = cli(*WRITERS[name], *outputs(pipe))
    reader.join(60)
    assert result.exit_code == 0, result.stderr
    assert got == [file.read_bytes()]
    assert pipe.is_fifo()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, pipe.name])


@pytest.mark.parametrize("name", WRITERS)
def test_a_read_only_file_is_refused_and_stays(cli: Cli, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("old")
    path.chmod(0o444)
    for given in (path, tmp_path / f"link{path.suffix}"):
        if given != path:
            given.symlink_to(path)
        result = cli(*WRITERS[name], *outputs(given))
        assert result.exit_code == 2
        assert f"{given}: is read-only (chmod u+w {path}" in result.stderr
        assert result.stdout == ""
    assert listing(tmp_path)[name] == b"old"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("problem", ["directory", "nowhere", "loop", "long", "nul"])
def test_a_place_that_takes_no_file_is_refused_before_any_work(
    cli: Cli, tmp_path: Path, name: str, problem: str
) -> None:
    path = tmp_path / name
    if problem == "directory":
        path.mkdir()
    elif problem == "nowhere":
        path = tmp_path / "no" / "such" / name
    elif problem == "loop":
        path.symlink_to(path)
    elif problem == "long":
        path = tmp_path / (300 * "x" + path.suffix)
    else:
        path = tmp_path / f"nul\0{path.suffix}"
    before = sorted(tmp_path.iterdir())
    result = cli(*WRITERS[name], *outputs(path))
    assert result.exit_code == 2, result.stdout
    assert result.stderr.startswith("mbcost: ")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("kind", SEVERAL)
@pytest.mark.parametrize("broken", [0, 1, 2])
def test_several_files_are_all_written_or_none(
    cli: Cli, tmp_path: Path, kind: str, broken: int
) -> None:
    args, names = SEVERAL[kind]
    paths = [tmp_path / name for name in names]
    for path in paths[:2]:
        path.write_text("old")
    # a device that is always full passes every check that can be made before the work
    paths[broken].unlink(missing_ok=True)
    paths[broken].symlink_to("/dev/full")
    before = {path.name: os.readlink(path) if path.is_symlink() else path.read_bytes()
              for path in tmp_path.iterdir()}  # fmt: skip
    result = cli(*args, *outputs(*paths))
    assert result.exit_code == 2, result.stderr
    assert f"{paths[broken]}: cannot be written: No space left on device" in result.stderr
    assert "wrote" not in result.stderr
    after = {path.name: os.readlink(path) if path.is_symlink() else path.read_bytes()
             for path in tmp_path.iterdir() if not path.name.endswith(".parts")}  # fmt: skip
    assert after == before
    paths[broken].unlink()
    again = cli(*args, *outputs(*paths), *(["--resume"] if kind == "sweeps" else []))
    assert again.exit_code == 0, again.stderr
    assert set(listing(tmp_path)) == set(names)
    assert b"old" not in listing(tmp_path).values()
    assert all(f"wrote {path}" in again.stderr for path in paths)


def test_a_table_and_its_plot_are_both_written_or_none(cli: Cli, tmp_path: Path) -> None:
    table, figure = tmp_path / "t.csv", tmp_path / "f.svg"
    for broken, other in ((table, figure), (figure, table)):
        broken.symlink_to("/dev/full")
        result = cli(*FAST, "-o", str(table), "--plot", str(figure))
        assert result.exit_code == 2
        assert not other.exists()
        broken.unlink()
    result = cli(*FAST, "-o", str(table), "--plot", str(figure))
    assert result.exit_code == 0, result.stderr
    assert set(listing(tmp_path)) == {"t.csv", "f.svg"}


def test_a_file_that_cannot_be_replaced_brings_the_others_back(tmp_path: Path) -> None:
    first, new, last = (tmp_path / name for name in ("first.csv", "new.csv", "last.csv"))
    first.write_text("old")
    first.chmod(0o604)
    with Staged({first: "1", new: "2", last: "3"}) as staged:
        last.mkdir()  # between the check and the move
        (last / "full").touch()
        with pytest.raises(MbcostError, match=r"last\.csv: cannot be written"):
            staged.put()
    assert first.read_text() == "old"
    assert first.stat().st_mode & 0o7777 == 0o604
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.csv", "last.csv"]


def test_one_file_under_two_names_is_refused(cli: Cli, tmp_path: Path) -> None:
    path, link = tmp_path / "a.csv", tmp_path / "b.md"
    link.symlink_to(path)
    result = cli(*FAST, *outputs(path, link))
    assert result.exit_code == 2
    assert f"{link}: is the same file as {path} (name each file once)" in result.stderr
    assert not path.exists()


def test_nothing_is_printed_where_a_file_fails_and_files_stand_where_stdout_does(
    cli: Cli, tmp_path: Path
) -> None:
    full, file = tmp_path / "full.csv", tmp_path / "a.csv"
    full.symlink_to("/dev/full")
    for args in (FAST, WRITERS["sweep.csv"]):
        result = cli(*args, "-o", str(full), "-o", "-", "--format", "csv")
        assert (result.exit_code, result.stdout) == (2, "")
        command = [sys.executable, "-m", "mbcost", *args, "-o", "a.csv", "-o", "-"]
        read, closed = os.pipe()
        os.close(read)  # a reader that has seen enough is no failure
        with open("/dev/full", "wb") as device:
            for out, code in ((device.fileno(), 2), (closed, 0)):
                done = subprocess.run(
                    [*command, "--format", "csv"],
                    cwd=tmp_path,
                    stdout=out,
                    stderr=subprocess.PIPE,
                    check=False,
                )
                assert done.returncode == code, done.stderr
                assert file.stat().st_size > 0
                file.unlink()
        os.close(closed)


def test_a_name_of_255_bytes_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 125 + "a.csv")
    write_whole(path, "x")
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_an_owner_is_kept_and_a_new_file_obeys_the_umask(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("x")
    if os.geteuid() == 0:
        os.chown(old, 12345, 54321)
    owner = (old.stat().st_uid, old.stat().st_gid)
    mask = os.umask(0o027)
    try:
        write_all({old: "y", new: b"z"})
    finally:
        os.umask(mask)
    assert (old.stat().st_uid, old.stat().st_gid) == owner
    assert new.stat().st_mode & 0o777 == 0o640
    assert (old.read_text(), new.read_text()) == ("y", "z")
