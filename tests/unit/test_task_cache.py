"""`taskCache` and `logToFile`: what a task gave before, and what it said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import Engine
from engine.model.execution import Execution, TaskRun
from engine.model.state import State
from engine.present import execution_json
from tests.contract.builders import a_task_run

RETURN = "io.kestra.plugin.core.debug.Return"
LOG = "io.kestra.plugin.core.log.Log"
FAIL = "io.kestra.plugin.core.execution.Fail"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path) as held:
        yield held


def run(engine: Engine, task: str, text: str = "", more: str = "") -> Execution:
    inputs = "inputs: [{id: text, type: STRING, required: false}]\n"
    source = f"id: f\nnamespace: n\n{inputs}tasks:\n  - {{id: t, {task}}}\n{more}"
    return engine.run(engine.parse(source, file="f.yaml"), {"text": text} if text else {})


def the_task(execution: Execution) -> TaskRun:
    return next(iter(execution.in_order()))


def lines(engine: Engine, execution: Execution) -> list[str]:
    return [line.message for line in engine.store.logs(execution.id)]


class TestCache:
    def test_what_was_given_for_the_same_properties_is_given_again(self, engine: Engine) -> None:
        task = f"type: {RETURN}, format: '{{{{ inputs.text }}}}', taskCache: {{enabled: true, ttl: PT1H}}"
        first, again, other = (run(engine, task, text) for text in ("a", "a", "b"))
        assert [the_task(each).outputs for each in (first, again, other)] == [
            {"value": "a"},
            {"value": "a"},
            {"value": "b"},
        ]
        taken = [any("nothing has changed" in line for line in lines(engine, each)) for each in (first, again, other)]
        assert taken == [False, True, False]

    @pytest.mark.parametrize("cache", ["{enabled: false}", "{enabled: true, ttl: PT0.000001S}"])
    def test_unless_it_is_too_old_or_not_wanted(self, engine: Engine, cache: str) -> None:
        task = f"type: {RETURN}, format: x, taskCache: {cache}"
        assert [lines(engine, run(engine, task)) for _ in range(2)] == [[], []]

    def test_another_task_has_a_cache_of_its_own(self, engine: Engine) -> None:
        cached = f"type: {RETURN}, format: x, taskCache: {{enabled: true}}"
        execution = run(engine, cached, more=f"  - {{id: u, {cached}}}\n")
        assert lines(engine, execution) == []

    def test_a_failure_is_not_kept(self, engine: Engine) -> None:
        task = f"type: {FAIL}, taskCache: {{enabled: true}}"
        assert [run(engine, task).state for _ in range(2)] == [State.FAILED, State.FAILED]

    def test_a_flow_that_a_task_ran_is_not_run_again(self, engine: Engine) -> None:
        source = f"id: child\nnamespace: n\ntasks: [{{id: r, type: {RETURN}}}]\noutputs: [{{id: x, value: 1}}]\n"
        engine.library.keep(engine.parse(source, file="c.yaml"), source)
        task = "type: io.kestra.plugin.core.flow.Subflow, namespace: n, flowId: child, taskCache: {enabled: true}"
        first, again = (the_task(run(engine, task)) for _ in range(2))
        assert first.outputs == again.outputs
        assert first.calls is not None
        assert again.calls is None


class TestLogFile:
    def test_what_the_task_says_is_in_a_file_and_not_in_the_database(self, engine: Engine) -> None:
        execution = run(engine, f"type: {LOG}, message: [one, two], logToFile: true")
        (attempt,) = the_task(execution).attempts
        assert lines(engine, execution) == []
        assert attempt.log_file is not None
        with engine.files.open(attempt.log_file) as log:
            said = [line.split(" ", 1)[1] for line in log.read().decode().splitlines()]
        assert said == ["INFO one", "INFO two"]
        stored = the_task(engine.execution(execution.id)).attempts[0]
        assert stored.log_file == attempt.log_file
        shown = execution_json(execution)
        assert shown["taskRunList"][0]["attempts"][0]["logFile"] == attempt.log_file

    def test_who_says_nothing_has_no_file(self, engine: Engine) -> None:
        execution = run(engine, f"type: {LOG}, message: x, level: INFO, logLevel: ERROR, logToFile: true")
        assert the_task(execution).attempts[0].log_file is None


def test_older_rows_have_no_file() -> None:
    from engine.store import rows

    row = list(rows.task_run_row(a_task_run()))
    place = next(index for index, value in enumerate(row) if value == "[]" and index > 10)
    row[place] = '[[1,"FAILED",0,1,"why"]]'
    (attempt,) = rows.read_task_run(row).attempts
    assert (attempt.error, attempt.log_file) == ("why", None)
