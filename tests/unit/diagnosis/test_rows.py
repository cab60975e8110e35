"""What is said of the rows of one execution: each kind of mistake is planted, and found by its sentence alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from engine.dialect import load
from engine.model.execution import Attempt, Execution, StateChange, TaskRun
from engine.model.flow import Flow
from engine.model.state import AttemptState, State
from engine.runtime.diagnosis.finding import Finding, Findings
from engine.runtime.diagnosis.histories import in_the_attempts, in_the_history
from engine.runtime.diagnosis.order import in_the_order
from engine.runtime.diagnosis.standing import Surroundings, explanation
from tests.contract.builders import a_task_run, an_execution, at, history, with_runs

S = State
ENDED = (S.CREATED, S.RUNNING, S.SUCCESS)


def attempt(epoch: int, state: AttemptState = AttemptState.SUCCEEDED) -> Attempt:
    ended = None if state is AttemptState.STARTED else at(2)
    return Attempt(epoch=epoch, state=state, started_at=at(1), ended_at=ended)


def sound() -> Execution:
    run = a_task_run("t1", *ENDED, epoch=1, attempts=(attempt(1),))
    inner = a_task_run("t2", *ENDED, parent_id="t1", seq=1)
    return with_runs(an_execution("e1", *ENDED), run, inner)


def with_run(**fields: Any) -> Execution:
    execution = sound()
    return with_runs(execution, replace(execution.task_runs["t1"], **fields))


def told(findings: Any) -> list[str]:
    return [finding.what for finding in findings]


def test_a_sound_execution_has_no_findings() -> None:
    for execution in (sound(), with_runs(an_execution(), a_task_run())):
        assert [*in_the_history(execution), *in_the_attempts(execution)] == []


@pytest.mark.parametrize(
    ("execution", "words"),
    [
        (replace(sound(), state=S.FAILED), "is FAILED, but its history ends with SUCCESS"),
        (replace(sound(), history=()), "has no history"),
        (replace(sound(), history=history(S.CREATED, S.FAILED, S.RUNNING, S.SUCCESS)), "went from FAILED to RUNNING"),
        (with_run(state=S.FAILED), "task run t1 (say) of execution e1 is FAILED, but its history ends with SUCCESS"),
        (with_run(history=history(S.CREATED, S.SUCCESS, S.FAILED), state=S.FAILED), "went from SUCCESS to FAILED"),
        (with_run(history=history(S.CREATED, S.RUNNING), state=S.RUNNING), "is over as SUCCESS, and its task run t1"),
        (with_run(parent_id="t9"), "stands in a task run that is not there: t9"),
    ],
)
def test_a_history_that_cannot_be_is_found(execution: Execution, words: str) -> None:
    (found,) = in_the_history(execution)
    assert words in found.what
    assert (found.execution_id, found.grave, bool(found.hint)) == ("e1", True, True)
    assert told(in_the_attempts(execution)) == []


def test_a_person_may_give_an_execution_another_end() -> None:
    changed = replace(sound(), state=S.WARNING, history=history(*ENDED, S.FAILED, S.WARNING))
    assert told(in_the_history(changed)) == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"attempts": (attempt(1), attempt(2)), "epoch": 2}, "has 2 attempts that succeeded"),
        ({"attempts": (attempt(2, AttemptState.LOST), attempt(2)), "epoch": 2}, "do not rise: [2, 2], and now 2"),
        ({"attempts": (attempt(3, AttemptState.LOST), attempt(2)), "epoch": 3}, "do not rise"),
        ({"attempts": (attempt(2),), "epoch": 1}, "do not rise: [2], and now 1"),
        ({"attempts": (attempt(1, AttemptState.STARTED),)}, "has ended as SUCCESS, and an attempt of it has not"),
    ],
)
def test_attempts_that_cannot_be_are_found(fields: dict[str, Any], words: str) -> None:
    (found,) = in_the_attempts(with_run(**fields))
    assert words in found.what
    assert told(in_the_history(with_run(**fields))) == []


def test_a_restart_allows_another_success() -> None:
    story = history(*ENDED, S.RESTARTED, S.RUNNING, S.SUCCESS)
    assert told(in_the_attempts(with_run(history=story, attempts=(attempt(1), attempt(3)), epoch=3))) == []


FLOW = """
id: f
namespace: acme
tasks:
  - {id: one, type: io.kestra.plugin.core.log.Log, message: x}
  - id: both
    type: io.kestra.plugin.core.flow.Parallel
    tasks:
      - {id: left, type: io.kestra.plugin.core.log.Log, message: x}
      - {id: right, type: io.kestra.plugin.core.log.Log, message: x}
  - id: web
    type: io.kestra.plugin.core.flow.Dag
    tasks:
      - task: {id: first, type: io.kestra.plugin.core.log.Log, message: x}
      - task: {id: second, type: io.kestra.plugin.core.log.Log, message: x}
        dependsOn: [first]
      - task: {id: apart, type: io.kestra.plugin.core.log.Log, message: x}
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: [1, 2]
    concurrencyLimit: 0
    tasks:
      - {id: a, type: io.kestra.plugin.core.log.Log, message: x}
      - {id: b, type: io.kestra.plugin.core.log.Log, message: x}
"""


@pytest.fixture(scope="module")
def flow() -> Flow:
    from engine.catalog import Catalog

    return load(FLOW, file="f.yaml", types=Catalog(folders=()))


def ran(task_id: str, start: float, end: float | None, parent: str | None = None, lane: int | None = None) -> TaskRun:
    story = [StateChange(S.CREATED, at(start)), StateChange(S.RUNNING, at(start))]
    story += [StateChange(S.SUCCESS, at(end))] if end is not None else []
    id_ = task_id if lane is None else f"{task_id}{lane}"
    fields = {"parent_id": parent, "iteration": lane, "value": None if lane is None else str(lane)}
    run = a_task_run(id_, task_id=task_id, **fields)
    return replace(run, state=story[-1].state, history=tuple(story))


GOOD = [
    ran("one", 0, 1),
    ran("both", 1, 4),
    ran("left", 1, 4, "both"),
    ran("right", 1, 2, "both"),
    ran("web", 4, 9),
    ran("first", 4, 6, "web"),
    ran("second", 6, 9, "web"),
    ran("apart", 4, 5, "web"),
    ran("each", 9, None),
    ran("a", 9, 12, "each", 0),
    ran("b", 12, None, "each", 0),
    ran("a", 9, None, "each", 1),
]


def test_the_order_of_a_flow_is_its_order(flow: Flow) -> None:
    assert told(in_the_order(flow, with_runs(an_execution(), *GOOD))) == []


@pytest.mark.parametrize(
    ("early", "words"),
    [
        (ran("both", 0.5, 4), "both began before one had ended"),
        (ran("second", 5, 9, "web"), "second began before first had ended"),
        (ran("b", 11, None, "each", 0), "b began before a had ended"),
        (ran("b", 11, None, "each", 1), "b began before a had ended"),
    ],
)
def test_what_began_too_early_is_found(flow: Flow, early: TaskRun, words: str) -> None:
    (found,) = in_the_order(flow, with_runs(an_execution(), *GOOD, early))
    assert words in found.what


def test_what_was_restarted_later_is_not_too_early(flow: Flow) -> None:
    one = ran("one", 0, 1)
    again = (*one.history, StateChange(S.RESTARTED, at(20)), StateChange(S.RUNNING, at(20)))
    runs = [*GOOD, replace(one, state=S.RUNNING, history=again)]
    assert told(in_the_order(flow, with_runs(an_execution(), *runs))) == []


# -- why an execution has not ended


def around(mover: str | None = None, holders: tuple[str, ...] = ()) -> Surroundings:
    return Surroundings(now=at(100), mover=lambda id_: mover, holders=lambda execution: list(holders))


PAUSED = with_runs(an_execution("e1", S.CREATED, S.RUNNING, S.PAUSED), a_task_run("t1", S.CREATED, S.PAUSED))
RETRYING = with_runs(
    an_execution("e1", S.CREATED, S.RUNNING), a_task_run("t1", S.CREATED, S.RETRYING, due=at(100) + timedelta(hours=1))
)
LATER = an_execution("e1", S.CREATED, due=at(100) + timedelta(days=9))


@pytest.mark.parametrize(
    ("execution", "surroundings", "reason"),
    [
        (PAUSED, around(), "a person to decide"),
        (RETRYING, around(), "a time that will come"),
        (LATER, around(), "a time that will come"),
        (an_execution("e1", S.CREATED, S.QUEUED), around(holders=("e0",)), "others in its place"),
        (an_execution(), around(mover="an engine"), "an engine"),
    ],
)
def test_what_has_not_ended_has_a_reason(execution: Execution, surroundings: Surroundings, reason: str) -> None:
    assert explanation(execution, surroundings) == reason


@pytest.mark.parametrize(
    "execution",
    [
        an_execution(),
        an_execution("e1", S.CREATED),
        an_execution("e1", S.CREATED, S.QUEUED),
        an_execution("e1", S.CREATED, S.RUNNING, S.KILLING),
        an_execution("e1", *ENDED, lingering=True),
        replace(LATER, due=at(10)),
        with_runs(
            RETRYING, a_task_run("t2", S.CREATED, S.RUNNING, epoch=1, attempts=(attempt(1, AttemptState.STARTED),))
        ),
    ],
)
def test_what_has_no_reason_is_found(execution: Execution) -> None:
    found = explanation(execution, around())
    assert isinstance(found, Finding)
    assert "no engine moves it" in found.what
    assert "penstock executions recover" in found.hint


def test_only_the_first_findings_are_kept() -> None:
    findings = Findings("rows")
    findings.add(*(Finding(what=str(number), hint="x") for number in range(25)))
    check = findings.check("told")
    assert (len(check.findings), check.more, check.is_sound) == (20, 5, False)
