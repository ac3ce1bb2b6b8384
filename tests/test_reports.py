"""reports/ holds what the commands beside its files really print."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib import __version__ as matplotlib_version

from tests import ROOT
from tests.conftest import Cli
from tests.output.test_formats import unversioned
from tests.pages import generated
from tests.paper_ways import WAYS_MARK, ways_table
from tests.proofs.__main__ import proofs
from tests.regenerate import report_commands


def outputs(args: list[str]) -> list[str]:
    return [args[i + 1] for i, word in enumerate(args) if word in ("-o", "--plot")]


def drawn_by_another_matplotlib(figure: Path) -> bool:
    return figure.suffix == ".svg" and f"Matplotlib v{matplotlib_version}," not in figure.read_text(
        "utf-8"
    )


@pytest.mark.parametrize("args", report_commands(), ids=lambda args: " ".join(args)[:60])
def test_reports_are_what_their_command_writes(
    cli: Cli, args: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in outputs(args):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    if "reports/training" in args:
        (tmp_path / "reports" / "training").symlink_to(ROOT / "reports" / "training")
    monkeypatch.chdir(tmp_path)
    result = cli(*args)
    assert result.exit_code == 0, result.stderr
    assert outputs(args)
    for name in outputs(args):
        fresh, kept = tmp_path / name, ROOT / name
        if drawn_by_another_matplotlib(kept):
            continue  # its values are compared in any case: the CSV beside it
        assert unversioned(fresh.read_text("utf-8")) == unversioned(kept.read_text("utf-8")), name


def test_every_report_has_its_command() -> None:
    written = {name for args in report_commands() for name in outputs(args)}
    written |= {"reports/README.md", "reports/papers/README.md", "reports/prediction.md"}
    kept = {str(p.relative_to(ROOT)) for p in (ROOT / "reports").rglob("*") if p.is_file()}
    kept = {name for name in kept if not name.startswith("reports/training/")}
    written |= {f"reports/proofs/{name}.txt" for name in proofs()} & kept
    assert kept == written


def test_what_the_papers_count_is_what_their_verdicts_say() -> None:
    kept = generated(ROOT / "reports" / "papers" / "README.md", WAYS_MARK)
    assert kept == ways_table(), "make reports writes it"
    assert kept.count("\n| V") > 15


def test_every_figure_has_its_values_beside_it() -> None:
    figures = sorted((ROOT / "reports" / "figures").glob("*.svg"))
    assert figures
    for figure in figures:
        assert figure.with_suffix(".csv").read_text("utf-8").count("\n") > 3
