"""Whenever an engine dies under a command, the command never runs unrecorded, never beside another one, and no more
often than its `onLost` allows."""

from __future__ import annotations

import signal

import pytest

from engine.model.state import AttemptState, State
from engine.sdk.process import supervisor
from tests.acceptance import losing
from tests.acceptance.dying import PATIENCE
from tests.acceptance.test_actions import Project as Shell
from tests.acceptance.test_dying import DIED, Project, postgres_server, postgres_url, project  # noqa: F401 - fixtures


@pytest.fixture
def place(project: Project) -> Project:  # noqa: F811
    (project.folder / "work.py").write_text(losing.WORK, encoding="utf-8")
    return project


def ledger(project: Project) -> list[str]:  # noqa: F811
    file = project.folder / "ledger"
    return file.read_text().splitlines() if file.exists() else []


def lose(project: Project, on_lost: str, moment: str) -> list[str]:  # noqa: F811
    """Have an engine die at that moment; what the command had done by then."""
    if moment != "at work":
        project.run(losing.run_and_die, on_lost, moment, expect=DIED)
        return ledger(project)
    engine = project.start(losing.run_and_die, on_lost, "never")
    while not ledger(project):
        engine.join(0.01)
        assert engine.exitcode is None
    engine.kill()
    engine.join(PATIENCE)
    return ledger(project)


#: How often the command has run when the engine dies.
MOMENTS = {"within": 0, "after": 0, "at work": 1, "ended": 1}


@pytest.mark.parametrize("moment", MOMENTS)
def test_it_runs_again_never_beside_itself_and_with_the_same_key(place: Project, moment: str) -> None:
    assert len(lose(place, "RERUN", moment)) == MOMENTS[moment]
    place.run(losing.recover, State.SUCCESS)
    assert len(ledger(place)) == MOMENTS[moment] + 1
    assert len(set(ledger(place))) == 1, "one key"
    assert ledger(place)[0].endswith(" alone")
    stored = place.stored()
    assert stored is not None
    (run,) = stored.in_order()
    assert [attempt.state for attempt in run.attempts] == [AttemptState.LOST, AttemptState.SUCCEEDED]
    assert (run.attempts[0].process is None) is (moment == "within")
    assert supervisor.marked((place.folder / "marker").read_text()) == set()


@pytest.mark.parametrize("project", ["sqlite"], indirect=True)
@pytest.mark.parametrize("moment", MOMENTS)
def test_it_runs_at_most_once(place: Project, moment: str) -> None:
    lose(place, "FAIL", moment)
    place.run(losing.recover, State.FAILED)
    assert len(ledger(place)) == MOMENTS[moment]
    assert supervisor.marked((place.folder / "marker").read_text()) == set()


@pytest.mark.parametrize("project", ["sqlite"], indirect=True)
def test_it_waits_for_a_person(place: Project) -> None:
    lose(place, "PAUSE", "ended")
    shell = Shell(place.folder, "")
    assert f"penstock executions resume {place.id}" in shell("executions", "recover", expect=3)
    assert "PAUSED" in shell("executions", "show", place.id)
    assert "lost its task work, which asks for no inputs" in shell(
        "executions", "resume", place.id, "-i", "a=b", expect=2
    )
    assert "(`onLost: PAUSE`)" in shell("executions", "logs", place.id)
    assert len(ledger(place)) == 1
    assert "SUCCESS" in shell("executions", "resume", place.id)
    assert len(ledger(place)) == 2
    assert len(set(ledger(place))) == 1


DEADLY = """\
import os, signal
from engine.sdk import RunContext, Task


class Deadly(Task, type="test.Deadly"):
    '''Takes the engine down.'''

    def run(self, ctx: RunContext) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)
"""


@pytest.mark.parametrize("project", ["sqlite"], indirect=True)
def test_a_task_that_takes_its_engine_down_is_given_up(place: Project) -> None:
    (place.folder / "plugins" / "deadly.py").write_text(DEADLY, encoding="utf-8")
    tasks = "  - {id: deadly, type: test.Deadly, allowFailure: true}\n"
    tasks += "  - {id: after, type: io.kestra.plugin.core.debug.Return, format: x}\n"
    (place.folder / "deadly.yaml").write_text(f"id: deadly\nnamespace: n\ntasks:\n{tasks}", encoding="utf-8")
    shell = Shell(place.folder, "")
    shell("run", "deadly.yaml", expect=-signal.SIGSEGV)
    for _ in range(2):
        shell("executions", "recover", expect=-signal.SIGSEGV)
    assert "WARNING" in shell("executions", "recover")
    assert "the engine died 3 times while this task ran" in shell("executions", "logs", "latest")
