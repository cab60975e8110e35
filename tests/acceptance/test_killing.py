"""Who kills an execution kills what it waits for, wherever it runs, and whether or not its tasks want to stop."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import Engine
from engine.errors import IllegalState
from engine.model.execution import Execution
from engine.model.state import State
from engine.ports import ExecutionFilter
from engine.runtime import loop
from tests.acceptance.test_actions import Project

PLUGIN = """\
import threading
from pathlib import Path

from engine.sdk import RunContext, Task

STUBBORN = threading.Event()


class Hang(Task, type="test.Hang"):
    '''Waits to be stopped.'''

    def run(self, ctx: RunContext) -> None:
        Path("arrived").touch()
        ctx.sleep(600)


class Stubborn(Task, type="test.Stubborn"):
    '''Does not want to stop.'''

    def run(self, ctx: RunContext) -> None:
        Path("arrived").touch()
        STUBBORN.wait()
"""
CALL = "{id: call, type: io.kestra.plugin.core.flow.Subflow, namespace: n, flowId: %s}"
FLOWS = {
    "grandchild": "{id: work, type: test.%s}",
    "child": CALL % "grandchild",
    "parent": CALL % "child",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("PENSTOCK_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "penstock.yaml").touch()
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "work.py").write_text(PLUGIN, encoding="utf-8")
    return tmp_path


@pytest.fixture
def owner(folder: Path) -> Iterator[Engine]:
    with Engine() as engine:
        assert engine.loop is not None
        yield engine


@pytest.fixture
def other(owner: Engine) -> Iterator[Engine]:
    with Engine() as engine:
        yield engine


def text_of(flow: str, work: str) -> str:
    task = FLOWS[flow].replace("test.%s", f"test.{work}")
    return f"id: {flow}\nnamespace: n\ntasks:\n  - {task}\n  - {{id: after, type: test.Hang}}\n"


def push(engine: Engine, work: str) -> None:
    for flow in FLOWS:
        engine.push(engine.parse(text_of(flow, work), file=f"{flow}.yaml"))


def at_work(engine: Engine, work: str) -> str:
    """The id of a parent whose grandchild works."""
    push(engine, work)
    id_ = engine.submit("n/parent").id
    while not Path("arrived").exists():
        assert not engine.execution(id_).is_over
        threading.Event().wait(0.01)
    return id_


def family(engine: Engine) -> dict[str, Execution]:
    """The newest execution of each flow."""
    rows, _ = engine.store.executions(ExecutionFilter(oldest_first=True))
    return {row.flow_id: engine.execution(row.id) for row in rows}


def states(engine: Engine) -> dict[str, State]:
    return {flow: execution.state for flow, execution in family(engine).items()}


ALL_KILLED = dict.fromkeys(FLOWS, State.KILLED)


def test_all_that_an_execution_waits_for_is_killed_with_it(owner: Engine, other: Engine) -> None:
    id_ = at_work(owner, "Hang")
    ended = other.follow(id_, timeout=60, first=lambda: other.kill(id_))
    assert ended.state is State.KILLED
    assert states(other) == ALL_KILLED
    for execution in family(other).values():
        assert [run.state for run in execution.in_order()] == [State.KILLED]
    with pytest.raises(IllegalState, match="has ended already, as KILLED"):
        other.kill(id_)
    with pytest.raises(IllegalState, match="has ended already, as KILLED"):
        other.follow(id_, timeout=60, first=lambda: other.kill(id_))


def test_what_does_not_stop_is_given_up(owner: Engine, other: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert loop.STOP_GRACE < 15
    monkeypatch.setattr(loop, "STOP_GRACE", 0.1)
    id_ = at_work(owner, "Stubborn")
    assert other.follow(id_, timeout=60, first=lambda: other.kill(id_)).state is State.KILLED
    assert states(other) == ALL_KILLED
    (work,) = family(other)["grandchild"].in_order()
    assert work.state is State.FAILED
    assert work.error is not None
    assert "was told to stop and did not" in work.error


def test_what_was_killed_can_be_restarted_with_all_of_it(owner: Engine, other: Engine) -> None:
    id_ = at_work(owner, "Hang")
    other.follow(id_, timeout=60, first=lambda: other.kill(id_))
    push(owner, "Hang")
    Path("arrived").unlink()
    assert other.restart(id_).attempt_number == 2
    while not Path("arrived").exists():
        assert not owner.execution(id_).is_over
        threading.Event().wait(0.01)
    other.kill(id_)
    assert other.follow(id_, timeout=60).state is State.KILLED
    assert set(states(other).values()) == {State.KILLED}


def test_from_a_shell(folder: Path) -> None:
    """While the engine that runs it lives, and after it has been killed itself."""
    project = Project(folder, "")
    with Engine() as engine:
        push(engine, "Hang")
    for dies in (False, True):
        run = project.start("run", "n/parent")
        while not Path("arrived").exists():
            assert run.poll() is None
            threading.Event().wait(0.01)
        with Engine() as engine:
            id_ = family(engine)["parent"].id
        if dies:
            run.kill()
            run.communicate()
        assert "KILLED" in project("executions", "kill", id_)
        out, err = run.communicate()
        assert run.returncode == (-9 if dies else 1), out + err
        with Engine() as engine:
            assert states(engine) == ALL_KILLED
        Path("arrived").unlink()
