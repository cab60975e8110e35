"""A command starts as fast as what it imports: what the most frequent ones must do without."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli.typed import HELLO

TELL = """\
import sys
from engine.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert not end.code, end.code
print("LOADED", *sys.modules)
"""


def loaded_by(folder: Path, *arguments: str) -> set[str]:
    """The modules and packages that a command has loaded when it ends."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
    command = [sys.executable, "-c", TELL, *arguments]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("LOADED")[2].split())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "hello.yaml").write_text(HELLO, encoding="utf-8")
    return tmp_path


def test_a_run_whose_expressions_are_simple(project: Path) -> None:
    loaded_by(project, "run", "hello.yaml")  # makes the database
    needless = {"jinja2", "networkx", "alembic", "rich", "jq", "openai", "engine.expressions.library", "engine.check"}
    needless |= {"engine.model.conditions", "engine.core.conditions"}
    assert not needless & loaded_by(project, "run", "hello.yaml")


def test_a_look_at_the_history(project: Path) -> None:
    loaded_by(project, "run", "hello.yaml")
    needless = {"jinja2", "networkx", "rich", "yaml", "engine.dialect", "engine.core", "engine.runtime", "engine.app"}
    assert not needless & loaded_by(project, "executions", "list")
