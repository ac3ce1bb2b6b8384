"""What tests share: the command line as a function, golden files, every config by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from mbcost.cli import app

Cli = Callable[..., Result]
Golden = Callable[[str, str], None]
Validate = Callable[[object], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden files")


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run ``mbcost`` in this process; ``Result`` has exit_code, stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "140")

    def run(*args: str) -> Result:
        return CliRunner().invoke(app, list(args))

    return run


@pytest.fixture
def cli_json(cli: Cli) -> Callable[..., Any]:
    """Run ``mbcost … --format json``, expect exit 0 and return the parsed document."""

    def run(*args: str) -> Any:
        result = cli(*args, "--format", "json")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    return run


@pytest.fixture(scope="session")
def validate() -> Validate:
    """Check what a YAML file holds with the JSON schema, or raise ``ValidationError``."""
    from jsonschema import Draft202012Validator

    from mbcost.studies.schema import json_schema

    found: Validate = Draft202012Validator(json_schema()).validate
    return found


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compare text with ``tests/golden/NAME``, or rewrite it under ``--update-golden``."""

    def check(name: str, text: str) -> None:
        path = Path(__file__).parent / "golden" / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
        assert text == path.read_text("utf-8"), f"differs from {path}; --update-golden rewrites it"

    return check
