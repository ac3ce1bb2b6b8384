"""What a user installs: the wheel holds the configs, and works without the source tree."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from mbcost.config.catalog import configs_dir
from tests.pages import ROOT


def test_the_wheel_holds_every_config_and_runs_alone(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    wheel = next(tmp_path.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path / "site")
    for path in configs_dir().rglob("*.yaml"):
        assert f"mbcost/configs/{path.relative_to(configs_dir()).as_posix()}" in names
    code = (
        "import mbcost.config.catalog as c, mbcost; print(c.configs_dir());"
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
