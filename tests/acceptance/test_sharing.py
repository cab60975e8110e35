"""Several engines on one PostgreSQL: real processes, killed, stopped, cut off; no execution is lost or done twice."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.model.execution import Execution
from engine.model.state import AttemptState, State
from tests.acceptance.sharing import Project, until
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
    attempts = one_run(project.only(), "wait").attempts
    assert [attempt.state for attempt in attempts] == [AttemptState.LOST, AttemptState.SUCCEEDED]
    assert len(project.ended()) == 1


def one_run(execution: Execution, task_id: str):  # type: ignore[no-untyped-def]
    (run,) = [run for run in execution.task_runs.values() if run.task_id == task_id]
    return run
