"""The built-in tasks, each run by the testing kit."""

from __future__ import annotations

from typing import Any

import pytest

from engine.sdk.testing import Log as LogLine
from engine.sdk.testing import TaskResult, run_task
from plugins.core.debug import Echo, Return
from plugins.core.execution import Fail
from plugins.core.flow import Sleep
from plugins.core.log import Log


def run(type_: type, *, cancel_after: float | None = None, **properties: Any) -> TaskResult:
    given = {"n": 1, "name": "Ada", "no": "", "lines": ["a", "b"]}
    return run_task({"type": type_, **properties}, inputs=given, cancel_after=cancel_after)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("plain", "plain"),
        ("{{ inputs.name }} has {{ inputs.n }}", "Ada has 1"),
        ("{{ inputs.n }}", "1"),
        ("{{ inputs.lines }}", '["a","b"]'),
        (5, "5"),
        (None, None),
    ],
)
def test_return_gives_the_rendered_text(written: Any, value: str | None) -> None:
    result = run(Return, format=written)
    assert (result.outputs, result.state) == ({"value": value}, "SUCCESS")
    assert {line.level for line in result.logs} <= {"DEBUG"}


def test_return_without_a_format_returns_nothing() -> None:
    assert run(Return).outputs == {"value": None}


def test_echo_logs_at_its_level() -> None:
    assert run(Echo, format="{{ inputs.name }}").logs == [LogLine("INFO", "Ada")]
    assert run(Echo, format="x", level="WARN").logs == [LogLine("WARN", "x")]
    assert run(Echo).error == 'property "format" is required'


@pytest.mark.parametrize(
    ("message", "lines"),
    [
        ("{{ inputs.name }} 100%s", ["Ada 100%s"]),
        (["{{ inputs.n }}", 2, True], ["1", "2", "true"]),
        ("{{ inputs.lines }}", ['["a","b"]']),
        ([], []),
    ],
)
def test_log_writes_each_message(message: Any, lines: list[str]) -> None:
    result = run(Log, message=message)
    assert (result.logs, result.outputs) == ([LogLine("INFO", line) for line in lines], {})


@pytest.mark.parametrize("level", ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"])
def test_log_knows_all_levels(level: str) -> None:
    assert run(Log, message="x", level=level).logs == [LogLine(level, "x")]


def test_log_refuses_another_level() -> None:
    assert "expected 'ERROR', 'WARN'" in str(run(Log, message="x", level="LOUD").error)


@pytest.mark.parametrize("condition", ["true", True, "{{ inputs.n == 1 }}", "1", "{{ inputs.name }}"])
def test_fail_fails_when_its_condition_holds(condition: Any) -> None:
    result = run(Fail, condition=condition, errorMessage="no, {{ inputs.name }}")
    # The engine logs why a task failed, so the task itself does not say it a second time.
    assert (result.state, result.error, result.logs) == ("FAILED", "no, Ada", [])


@pytest.mark.parametrize("condition", ["", "false", False, "0", 0, "-0", "{{ inputs.no }}", "{{ inputs.n == 2 }}"])
def test_fail_goes_on_when_it_does_not(condition: Any) -> None:
    result = run(Fail, condition=condition)
    assert (result.state, result.logs) == ("SUCCESS", [])


def test_fail_without_a_condition_always_fails() -> None:
    assert run(Fail).error == "Task failure"


def test_sleep_says_how_long_and_waits() -> None:
    result = run(Sleep, duration="PT1M30S")
    assert (result.logs, result.state) == ([LogLine("INFO", "Waiting for PT1M30S")], "SUCCESS")
    assert run(Sleep, duration="PT90S", cancel_after=89).state == "KILLED"


def test_sleep_takes_no_expression() -> None:
    assert run(Sleep, duration="{{ inputs.n }}").error == (
        'property "duration": expected an ISO-8601 duration such as PT5S, got "{{ inputs.n }}"; it takes no expressions'
    )
    assert run(Sleep).error == 'property "duration" is required'
