"""A short run of bench/expressions_fuzz.py: random templates break no promise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).parents[3] / "bench" / "expressions_fuzz.py"


@pytest.mark.parametrize(("language", "count"), [("kestra", 1000), ("jinja2", 500)])
def test_random_templates_end_as_a_value_or_an_expression_error(language: str, count: int) -> None:
    command = [sys.executable, str(FUZZ), "--language", language, "--count", str(count), "--jobs", "1", "--seed", "7"]
    command += ["--seconds", "4"]  # others may be using the machine
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "0 promises broken" in ended.stdout
    assert f"{count} templates" in ended.stdout
