"""jq: paths are ours and must agree with the library; programs run in a process that can be lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jq
import pytest

from engine.expressions import ExpressionError, evaluate, render
from engine.expressions.library import jq_worker
from engine.expressions.library.jq import is_path

DATA: dict[str, Any] = {"a": [{"b": 1}, {"b": None}], "c d": {"e": "x"}, "n": None, "k": {"x": 1, "y": 2}}


@pytest.mark.parametrize(
    "program",
    [".", ".a", ".a[0].b", ".a[-1]", ".a[].b", ".a[9]", ".n.x", ".n[0]", '."c d".e', '.["c d"].e', ".k[]", ".a | .",
     ".a[0]?", ".missing", ".a[0].b?", ".k.x.y?", ".k[0]?", " .a [0] .b ", ".[\"a\"][0]", '.["c d"][]'],
)  # fmt: skip
def test_a_path_agrees_with_the_library(program: str) -> None:
    assert evaluate("{{ data | jq(p) }}", {"data": DATA, "p": program}) == jq.compile(program).input_value(DATA).all()


@pytest.mark.parametrize("program", [".a.b", ".k[0]", ".a[].b.c.d[]", ".n[]"])
def test_a_path_fails_where_the_library_does(program: str) -> None:
    assert is_path(program)
    with pytest.raises(ExpressionError):
        evaluate("{{ data | jq(p) }}", {"data": DATA, "p": program})
    with pytest.raises(ValueError, match="annot"):
        jq.compile(program).input_value(DATA).all()


@pytest.mark.parametrize("program", ["map(.b)", ".a | length", ".a[0:1]", "..", ".a,.k", '."\\u0041"', "", "a", ".a["])
def test_more_than_a_path(program: str) -> None:
    assert not is_path(program)


def test_programs() -> None:
    context = {"data": DATA, "text": '[1, 2, {"a": null}]'}
    assert render("{{ data.a | jq('map(.b)') }}", context) == "[[1,null]]"
    assert render("{{ text | jq('.[2] | keys') }} {{ text | jq('.[]') }}", context) == '[["a"]] [1,2,{}]'
    assert render("{{ data | jq('empty') }}", context) == "[]"


def test_a_program_sees_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "seen")
    assert render("{{ 1 | jq('env, $ENV') }}", {}) == "[{},{}]"


@pytest.mark.parametrize("program", [".[", "error", ".a | foo", "input"])
def test_a_program_that_fails(program: str) -> None:
    with pytest.raises(ExpressionError, match="The jq program") as caught:
        evaluate("{{ data | jq(p) }}", {"data": DATA, "p": program})
    assert "\n" not in caught.value.message
    assert caught.value.code == "jq"


def test_a_program_that_never_ends_is_stopped_and_the_next_one_runs() -> None:
    with pytest.raises(ExpressionError) as caught:
        render("{{ 1 | jq('[range(1e12)]') }}", {})
    assert caught.value.code == "expression-limit"
    assert render("{{ 1 | jq('. + 1') }}", {}) == "[2]"


def test_text_must_be_json() -> None:
    with pytest.raises(ExpressionError, match="not JSON"):
        render("{{ 'x' | jq('.a') }}", {})


COUNTING = """
compiled = []


class Program:
    def input_value(self, value):
        return self

    def all(self):
        return [len(compiled)]


def compile(program):
    compiled.append(program)
    return Program()
"""


def test_a_program_is_compiled_once(tmp_path: Path) -> None:
    (tmp_path / "jq.py").write_text(COUNTING)
    worker = Path(jq_worker.__file__)
    asked = "".join(json.dumps([program, None]) + "\n" for program in ("map(.)", "map(.)", "keys", "map(.)"))
    command = [sys.executable, "-I", "-S", str(worker), str(tmp_path), "1"]
    ended = subprocess.run(command, input=asked, capture_output=True, text=True, check=True)
    assert [json.loads(line) for line in ended.stdout.splitlines()] == [
        [[1], None],
        [[1], None],
        [[2], None],
        [[2], None],
    ]
