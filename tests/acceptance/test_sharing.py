"""Several engines on one PostgreSQL: real processes, killed, stopped, cut off; no execution is lost or done twice."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from engine.model.execution import Execution, TaskRun
from engine.model.state import AttemptState, State
from tests.acceptance.sharing import LEASE, Project, until
from tests.contract.conftest import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]  # fixtures

AWAIT = "tasks:\n  - { id: wait, type: test.Await, file: go }\n"
THEN = AWAIT + "  - { id: then, type: io.kestra.plugin.core.debug.Return, format: done }\n"


@pytest.fixture
def project(tmp_path: Path, postgres_url: str) -> Iterator[Project]:
    made = Project(tmp_path, postgres_url)
    yield made
    made.close()


def go(project: Project) -> None:
    (project.folder / "go").touch()


def state(project: Project, wanted: State) -> bool:
    return bool(project.executions()) and project.only().state is wanted


def test_a_server_goes_on_with_what_a_killed_engine_leaves(project: Project) -> None:
    project.serve()
    run = project.begin("run", project.flow("lost", THEN))
    until(project.begun)
    run.kill()
    run.wait()
    until(lambda: len(project.begun()) == 2)
    go(project)
    until(lambda: state(project, State.SUCCESS))
    attempts = one_run(project, "wait").attempts
    assert [attempt.state for attempt in attempts] == [AttemptState.LOST, AttemptState.SUCCEEDED]
    assert len(project.ended()) == 1


def one_run(project: Project, task_id: str) -> TaskRun:
    (run,) = [run for run in project.only().task_runs.values() if run.task_id == task_id]
    return run


def test_an_engine_that_may_not_take_over_leaves_others_alone(project: Project) -> None:
    lost = project.begin("run", project.flow("lost", THEN))
    until(project.begun)
    lost.kill()
    lost.wait()
    go(project)
    assert "no engine runs it now" in project("executions", "show", project.only().id)
    assert "done" in project("run", project.flow("quick", QUICK))
    assert [execution.state for execution in project.executions()] == [State.RUNNING, State.SUCCESS]
    project("executions", "recover")
    assert [execution.state for execution in project.executions()] == [State.SUCCESS, State.SUCCESS]


QUICK = "tasks:\n  - { id: done, type: io.kestra.plugin.core.log.Log, message: done }\n"


def test_what_an_engine_leaves_when_it_ends_is_taken_at_once(project: Project) -> None:
    flow = project.flow("paused", "tasks:\n  - { id: stop, type: io.kestra.plugin.core.flow.Pause }\n")
    project("run", flow, code=3)
    paused = project.only()
    assert paused.state is State.PAUSED
    project.serve()
    until(lambda: project.sql("SELECT 1 FROM executions WHERE engine IS NOT NULL"))
    project("executions", "resume", paused.id)
    assert state(project, State.SUCCESS)
    assert project.sql("SELECT engine FROM executions") == [(None,)]
    assert project.sql("SELECT * FROM requests") == []


def test_an_engine_that_stood_still_is_fenced(project: Project) -> None:
    run = project.begin("run", project.flow("stopped", THEN))
    until(project.begun)
    run.send_signal(signal.SIGSTOP)
    project.serve()
    until(lambda: len(project.begun()) == 2)
    run.send_signal(signal.SIGCONT)
    go(project)
    until(lambda: state(project, State.SUCCESS))
    printed, _ = run.communicate()
    assert run.returncode == 0, printed  # it goes on as one that follows
    attempts = one_run(project, "wait").attempts
    assert [attempt.state for attempt in attempts] == [AttemptState.LOST, AttemptState.SUCCEEDED]
    assert [attempt.epoch for attempt in attempts] == [1, 2]
    assert len(one_run(project, "then").attempts) == 1


def test_an_engine_that_stood_still_takes_back_what_nobody_took(project: Project) -> None:
    run = project.begin("run", project.flow("stopped", THEN))
    until(project.begun)
    run.send_signal(signal.SIGSTOP)
    until(lambda: project.store.sharing is not None and not silent_engines(project))
    run.send_signal(signal.SIGCONT)
    until(lambda: len(project.begun()) == 2)
    go(project)
    printed, _ = run.communicate()
    assert run.returncode == 0, printed
    assert state(project, State.SUCCESS)


def silent_engines(project: Project) -> list[object]:
    """The engines whose lease is not over."""
    assert project.store.sharing is not None
    project.store.sharing.lease = LEASE
    return list(project.store.sharing.engines())


def test_persons_reach_what_another_engine_runs(project: Project) -> None:
    run = project.begin("run", project.flow("asked", THEN), "--quiet")
    until(project.begun)
    id_ = project.only().id
    assert f"its engine runs as process {run.pid}" in project("executions", "show", id_)
    project("executions", "pause", id_)
    assert project.only().held
    refused = project("executions", "pause", id_, code=1)
    assert "is paused already" in refused
    resumed = project.begin("executions", "resume", id_)
    until(lambda: not project.only().held)
    project("executions", "kill", id_)
    until(lambda: state(project, State.KILLED))
    assert [run.wait(), resumed.wait()] == [1, 1]
    assert "ended already" in project("executions", "kill", id_, code=1)
    go(project)
    project("executions", "restart", id_)
    assert state(project, State.SUCCESS)
    assert project.sql("SELECT * FROM requests") == []


def test_a_limit_holds_over_engines(project: Project) -> None:
    limited = "concurrency: { limit: 1, behavior: QUEUE }\n" + AWAIT.replace("file: go", 'file: "{{ execution.id }}"')
    flow = project.flow("limited", limited)
    runs = [project.begin("run", flow, "--quiet") for _ in range(3)]
    until(lambda: len(project.executions()) == 3)
    for turn in range(1, 4):
        until(lambda: len(project.begun()) == turn)  # noqa: B023
        states = [execution.state for execution in project.executions()]
        assert states.count(State.RUNNING) <= 1
        (project.folder / project.begun()[-1][0]).touch()
        until(lambda: len(project.ended()) == turn)  # noqa: B023
    assert [run.wait() for run in runs] == [0, 0, 0]
    order = [line for pair in zip(project.begun(), project.ended(), strict=True) for line in pair]
    assert [line[0] for line in order[::2]] == [line[0] for line in order[1::2]]
    assert overlapping(project) == 0


def overlapping(project: Project) -> int:
    """How many executions began while another one had begun and not ended."""
    spans = sorted((begun_at(execution), execution.ended_at) for execution in project.executions())
    return sum(after[0] < before[1] for before, after in pairwise(spans))


def begun_at(execution: Execution) -> datetime:
    return next(step.at for step in execution.history if step.state is State.RUNNING)


def test_a_kill_reaches_children_that_another_engine_runs(project: Project) -> None:
    project.flow("child", AWAIT)
    project("flows", "push", "child.yaml")
    parent = project.flow(
        "parent", "tasks:\n  - { id: call, type: io.kestra.plugin.core.flow.Subflow, namespace: test, flowId: child }\n"
    )
    project.begin("run", parent, "--quiet")
    until(project.begun)
    one, two = project.executions()
    # As after a crash in which each was taken over by another engine.
    project.serve()
    first = project.sql("SELECT id FROM engines WHERE NOT takes_over")[0][0]
    ids = {execution.flow_id: execution.id for execution in (one, two)}
    project.sql("UPDATE executions SET engine = NULL WHERE id = %s", ids["child"])
    until(lambda: len(project.begun()) == 2)
    assert project.sql("SELECT engine FROM executions WHERE id = %s", ids["parent"]) == [(first,)]
    project("executions", "kill", ids["parent"])
    until(lambda: {execution.state for execution in project.executions()} == {State.KILLED})
