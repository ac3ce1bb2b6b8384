"""What a user installs: wheel and source release hold what they need, and a release can be made."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

import mbcost
from mbcost.networks.yaml.catalog import configs_dir
from tests import ROOT
from tests.pages import text_of

VERSION = mbcost.__version__


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source release."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-t", "wheel"]
    subprocess.run([*build, "-d", str(folder)], cwd=ROOT, check=True, capture_output=True)
    return folder


def test_the_wheel_holds_every_config_and_runs_alone(built: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path / "site")
    assert {"mbcost/py.typed", f"mbcost-{VERSION}.dist-info/licenses/LICENSE"} <= names
    parts = [path for path in (ROOT / "mbcost").rglob("*.*") if "__pycache__" not in path.parts]
    assert {path.relative_to(ROOT).as_posix() for path in parts} <= names
    for path in configs_dir().rglob("*.yaml"):
        assert f"mbcost/configs/{path.relative_to(configs_dir()).as_posix()}" in names
    code = (
        "import mbcost.networks.yaml.catalog as c, mbcost; print(c.configs_dir());"
        "print(mbcost.count('v2').params)"
    )
    run = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=True,
    )
    folder, params = run.stdout.split()
    assert Path(folder) == tmp_path / "site" / "mbcost" / "configs"
    assert params == "3504872"


def test_the_source_release_holds_docs_licence_and_changelog(built: Path) -> None:
    with tarfile.open(built / f"mbcost-{VERSION}.tar.gz") as archive:
        names = {name.removeprefix(f"mbcost-{VERSION}/") for name in archive.getnames()}
    assert {"LICENSE", "CHANGELOG.md", "README.md", "Makefile", "mbcost/py.typed"} <= names
    for folder in ("docs", "configs", "reports", "tests"):
        files = (path for path in (ROOT / folder).rglob("*.*") if path.is_file())
        kept = {path.relative_to(ROOT).as_posix() for path in files}
        assert {name for name in kept - names if "__pycache__" not in name} == set()


def test_the_version_is_that_of_wheel_and_changelog(built: Path) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", VERSION), "no commit in it"
    assert [path.name for path in built.glob("*.whl")] == [f"mbcost-{VERSION}-py3-none-any.whl"]
    assert f"\n## {VERSION}\n" in text_of(ROOT / "CHANGELOG.md")


def make(*words: str) -> list[str]:
    """Return the commands that make would run."""
    shown = subprocess.check_output(["make", "-n", "--always-make", *words], cwd=ROOT, text=True)
    return shown.splitlines()


def test_the_workflow_makes_the_release_that_make_makes() -> None:
    workflow = yaml.safe_load(text_of(ROOT / "docs" / "workflows" / "release.yml"))
    runs = [step["run"] for step in workflow["jobs"]["release"]["steps"] if "run" in step]
    assert runs[0] == 'make release TAG="$GITHUB_REF_NAME"'
    commands = make("release", f"TAG=v{VERSION}")
    places = [
        next(i for i, command in enumerate(commands) if word in command)
        for word in (
            "-m build",
            "twine check --strict dist/*",
            "--no-deps dist/*.whl",
            "mbcost check",
        )
    ]
    assert places == sorted(places)
    assert "dist/*" in runs[1]


def test_what_is_installed_without_dependencies_is_what_pyproject_says() -> None:
    project = tomllib.loads(text_of(ROOT / "pyproject.toml"))["project"]
    bounds = {re.split("[<>=]", line)[0]: line for line in project["dependencies"]}
    page = text_of(ROOT / "docs" / "guard-in-ci.md")
    lines = [line for line in (*page.splitlines(), *make("release")) if "pyyaml" in line]
    assert len(lines) == 2
    for line in lines:
        assert re.findall(r"typer[^\s'\"]*", line) == [bounds["typer"]]
        assert {"rich", "pyyaml", "numpy"} <= bounds.keys() & set(line.split())
