"""A project in a temporary folder, and the command line run in it: in this process, or as a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.cli.root import answer
from tests.unit.cli.typed import FAILING, HELLO, WAITING, Answer, Penstock


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of the test, with three flows in it."""
    for name in list(os.environ):
        if name.startswith("PENSTOCK_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    for name, text in {"hello": HELLO, "failing": FAILING, "waiting": WAITING}.items():
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def penstock(project: Path, capsys: pytest.CaptureFixture[str]) -> Penstock:
    """Type a command; the answer has its exit code and what it wrote."""

    def typed(*arguments: str) -> Answer:
        capsys.readouterr()
        code = answer(list(arguments))
        written = capsys.readouterr()
        return Answer(code, written.out, written.err)

    return typed


@pytest.fixture
def start(project: Path) -> Callable[..., subprocess.Popen[bytes]]:
    """Start a command as a process; it is for the test to end it."""

    def started(*arguments: str | bytes, environ: Mapping[str, str] | None = None, **options: Any) -> Any:
        command = [sys.executable, "-c", "from engine.cli import main; main()", *arguments]
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        return subprocess.Popen(command, env={**os.environ, **(environ or {})}, **options)

    return started
