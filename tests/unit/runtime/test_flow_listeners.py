"""A flow's legacy listeners: which of them run when the execution has ended, and in which order."""

from __future__ import annotations

import pytest

from engine.model.execution import Execution
from engine.model.flow import Flow
from engine.model.state import State
from tests.unit.runtime.conftest import Bench, Work

C = "io.kestra.plugin.core.condition"
FAILED = f"{{type: {C}.ExecutionStatus, in: [FAILED]}}"
SUCCESS = "{type: io.kestra.core.models.conditions.types.ExecutionStatusCondition, in: [SUCCESS]}"


def asking(template: str) -> str:
    return f'{{type: {C}.Expression, expression: "{template}"}}'


def listener(id_: str, *conditions: str, type_: str = "t.Say, text: x") -> str:
    return f"  - conditions: [{', '.join(conditions)}]\n    tasks: [{{id: {id_}, type: {type_}}}]\n"


def ended(bench: Bench, flow: Flow) -> Execution:
    """The execution after all that comes after its end."""
    bench.begin(flow)
    while True:
        news = bench.news.get(timeout=20)
        if isinstance(news, BaseException):
            raise news
        if news.after.is_over:
            return news.after


def run(bench: Bench, *listeners: str, task: str = "t.Say, text: x", more: str = "") -> Execution:
    return ended(bench, bench.flow(f"  - {{id: main, type: {task}}}\n{more}listeners:\n{''.join(listeners)}"))


def ran(execution: Execution) -> list[str]:
    return [run.task_id for run in execution.in_order() if run.state is State.SUCCESS]


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> str:
    def fail(_: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setitem(Work.ACTIONS, "fail", fail)
    return "t.Work, what: fail"


def test_only_those_whose_conditions_hold_run(bench: Bench) -> None:
    done = run(
        bench, listener("bad", FAILED), listener("always"), listener("good", SUCCESS), listener("x", SUCCESS, FAILED)
    )
    assert ran(done) == ["main", "always", "good"]
    assert done.state is State.SUCCESS


def test_a_listener_of_failures_runs_after_a_failure_and_changes_nothing(bench: Bench, broken: str) -> None:
    done = run(bench, listener("good", SUCCESS), listener("bad", FAILED, type_=broken), listener("last"), task=broken)
    assert {run.task_id: run.state for run in done.task_runs.values()} == {
        "main": State.FAILED, "bad": State.FAILED, "last": State.SUCCESS,
    }  # fmt: skip
    assert done.state is State.FAILED


def test_they_come_after_what_comes_after_the_execution(bench: Bench) -> None:
    seen = asking("{{ execution.state == 'SUCCESS' and outputs.main.value == 'x' and tasks.after.state == 'SUCCESS' }}")
    after = "afterExecution:\n  - {id: after, type: t.Say, text: x}\n"
    assert ran(run(bench, listener("one", seen), listener("two"), more=after)) == ["main", "after", "one", "two"]


def test_a_worker_tells_what_calls_out(bench: Bench) -> None:
    right, wrong = asking("{{ secret('KEY') == 's3cr3t-value' }}"), asking("{{ secret('KEY') == 'x' }}")
    assert ran(run(bench, listener("no", wrong), listener("one", right), listener("two", right))) == [
        "main", "one", "two",
    ]  # fmt: skip


def test_what_cannot_be_judged_does_not_run_and_is_told_once(bench: Bench) -> None:
    done = run(bench, listener("no", asking("{{ outputs.main.nope }}")), listener("one"), listener("two"))
    assert ran(done) == ["main", "one", "two"]
    (line,) = [line for line in bench.lines(done) if line.startswith("WARN")]
    assert line.startswith("WARN `listeners[0]` does not apply, for its conditions cannot be judged: Unable to find")


def test_what_a_worker_cannot_tell_either_ends_it(bench: Bench) -> None:
    done = run(bench, listener("no", asking("{{ secret('NOPE') }}")), listener("no2", f"{{type: {C}.PublicHoliday}}"))
    assert ran(done) == ["main"]
    assert any("WARN" in line for line in bench.lines(done))
