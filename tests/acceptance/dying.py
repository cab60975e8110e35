"""Everything a person can do to an execution, done by a process that dies around the commit of it.

The functions of this module run in processes of their own. Each action names a flow, how an execution of it comes to be
ready for the action, and what tells that it was done.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import Engine
from engine.model.execution import Execution
from engine.model.state import TERMINAL, State
from engine.ports import ExecutionFilter
from engine.runtime.batch import Batch
from engine.runtime.writes import DeleteExecution
from engine.store.postgres import PostgresDatabase
from engine.store.shared import SharedStore
from engine.store.sql import SqlStore
from engine.store.sqlite import SqliteDatabase

#: The id of the execution that a replay begins.
AGAIN = "0123456789abcdefghjkmnpqrs"
PATIENCE = 60.0

PLUGIN = """\
from pathlib import Path

from engine.sdk import RunContext, Task


class Gate(Task, type="test.Gate"):
    '''Waits until there is a file of this name.'''

    name: str

    def run(self, ctx: RunContext) -> None:
        Path("arrived").touch()
        while not Path(self.name).exists():
            ctx.sleep(0.01)
"""
FLOWS = {
    "broken": """
  - {id: first, type: io.kestra.plugin.core.debug.Return, format: "first"}
  - {id: second, type: io.kestra.plugin.core.execution.Fail, condition: "{{ kv('works', 'n', false) != 'yes' }}"}
  - {id: third, type: io.kestra.plugin.core.debug.Return, format: "{{ outputs.first.value }}"}
""",
    "asking": """
  - {id: ask, type: io.kestra.plugin.core.flow.Pause, onResume: [{id: why, type: STRING}]}
  - {id: third, type: io.kestra.plugin.core.debug.Return, format: "{{ outputs.ask.onResume.why }}"}
""",
    "gated": """
  - {id: gate, type: test.Gate, name: opened}
  - {id: third, type: io.kestra.plugin.core.debug.Return, format: done}
""",
    "limited": """
  - {id: ask, type: io.kestra.plugin.core.flow.Pause}
concurrency: {limit: 1}
""",
    "later": """
  - {id: third, type: io.kestra.plugin.core.debug.Return, format: done}
""",
    "scheduling": """
  - {id: call, type: io.kestra.plugin.core.flow.Subflow, namespace: n, flowId: later, wait: false,
     scheduleDate: "{{ now() | dateAdd(1, 'DAYS') }}"}
""",
}


def text_of(flow: str) -> str:
    return f"id: {flow}\nnamespace: n\ntasks:{FLOWS[flow]}"


@dataclass(frozen=True)
class Action:
    """`ready` makes the execution, `act` is the action, `is_done` what it changes, `end` what it comes to at last."""

    ready: Callable[[Engine], str]
    act: Callable[[Engine, str], object]
    is_done: Callable[[Execution], bool]
    end: State
    running: bool = False  #: whether the execution runs, in the process that acts on it


def begun(engine: Engine, flow: str) -> str:
    return engine.submit(engine.parse(text_of(flow), file=f"{flow}.yaml")).id


def until(engine: Engine, id_: str, *states: State) -> str:
    patience = time.monotonic() + PATIENCE
    while engine.execution(id_).state not in states:
        assert time.monotonic() < patience, engine.execution(id_).state
        time.sleep(0.005)
    return id_


def failed(engine: Engine) -> str:
    return until(engine, begun(engine, "broken"), State.FAILED)


def paused(engine: Engine) -> str:
    return until(engine, begun(engine, "asking"), State.PAUSED)


def at_gate(engine: Engine) -> str:
    id_, patience = begun(engine, "gated"), time.monotonic() + PATIENCE
    while not Path("arrived").exists():
        assert time.monotonic() < patience
        time.sleep(0.005)
    return id_


def scheduled(engine: Engine) -> str:
    engine.push(engine.parse(text_of("later"), file="later.yaml"))
    engine.run(engine.parse(text_of("scheduling"), file="scheduling.yaml"))
    return newest(engine, "later")


def queued(engine: Engine) -> str:
    until(engine, begun(engine, "limited"), State.PAUSED)
    return until(engine, begun(engine, "limited"), State.QUEUED)


def newest(engine: Engine, flow: str) -> str:
    return engine.store.executions(ExecutionFilter(flow_id=flow))[0][0].id


def has_been(state: State) -> Callable[[Execution], bool]:
    return lambda execution: state in [change.state for change in execution.history]


def second(execution: Execution) -> State:
    return next(run.state for run in execution.in_order() if run.task_id == "second")


ACTIONS = {
    "restart": Action(failed, lambda engine, id_: engine.restart(id_), has_been(State.RESTARTED), State.SUCCESS),
    "replay": Action(
        failed,
        lambda engine, id_: engine.replay(id_, "second", new_id=AGAIN),
        lambda execution: execution.id == AGAIN,
        State.SUCCESS,
    ),
    "resume": Action(
        paused, lambda engine, id_: engine.resume(id_, {"why": "so"}), has_been(State.RESTARTED), State.SUCCESS
    ),
    "pause": Action(
        at_gate, lambda engine, id_: engine.pause(id_), has_been(State.PAUSED), State.SUCCESS, running=True
    ),
    "kill": Action(at_gate, lambda engine, id_: engine.kill(id_), has_been(State.KILLING), State.KILLED, running=True),
    "task state": Action(
        failed,
        lambda engine, id_: engine.change_task_run(id_, "second", State.SUCCESS),
        lambda execution: second(execution) is State.SUCCESS,
        State.SUCCESS,
    ),
    "status": Action(
        failed, lambda engine, id_: engine.change_status(id_, State.WARNING), has_been(State.WARNING), State.WARNING
    ),
    "force-run": Action(scheduled, lambda engine, id_: engine.force_run(id_), has_been(State.RUNNING), State.SUCCESS),
    "unqueue": Action(queued, lambda engine, id_: engine.unqueue(id_), has_been(State.RUNNING), State.SUCCESS),
    "label": Action(
        failed, lambda engine, id_: engine.set_labels(id_, {"why": "so"}), lambda it: "why" in it.labels, State.FAILED
    ),
    "delete": Action(failed, lambda engine, id_: engine.delete(id_), lambda execution: False, State.FAILED),
}


# -- what the processes do, each in the folder of its project


def enter(folder: Path) -> Engine:
    os.chdir(folder)
    for name in [name for name in os.environ if name.startswith("PENSTOCK_")]:
        del os.environ[name]  # a developer's own settings
    return Engine()


def prepare(folder: Path, name: str) -> None:
    """Make an execution that waits for the action, and leave it."""
    with enter(folder) as engine:
        id_ = ACTIONS[name].ready(engine)
    Path("ready").write_text(id_)


def act_and_die(folder: Path, name: str, moment: str) -> None:
    """Do it, and be gone at that moment of the commit: `within` it or `after` it."""
    engine, action = enter(folder), ACTIONS[name]
    if action.running:
        Path("ready").write_text(action.ready(engine))
    die(moment)
    action.act(engine, Path("ready").read_text())


def own_and_die(folder: Path, name: str, moment: str) -> None:
    """Own the database, and die so when another command has had it do something."""
    engine, action = enter(folder), ACTIONS[name]
    if action.running:
        Path("ready").write_text(action.ready(engine))
    assert engine.loop is not None
    die(moment)
    Path("owned").touch()
    time.sleep(PATIENCE)


def die(moment: str) -> None:
    """Have this process killed at the next commit that somebody waits for.

    Where several engines share a database, other threads write as well, about the engine itself: that does not count.
    """
    awaited = False
    own = threading.local()

    def await_(before: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*arguments: Any) -> Any:
            nonlocal awaited
            awaited = True
            return before(*arguments)

        return noted

    def counting(write: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:
            own.counts = True
            try:
                return write(*arguments)
            finally:
                own.counts = False

        return counted

    def is_it() -> bool:
        return awaited and getattr(own, "counts", False)

    def dying(writing: Callable[..., Any]) -> Callable[..., Any]:
        @contextmanager
        def fatal(database: Any) -> Iterator[Any]:
            with writing(database) as connection:
                yield connection
                if is_it() and moment == "within":
                    os.kill(os.getpid(), signal.SIGKILL)
            if is_it():
                os.kill(os.getpid(), signal.SIGKILL)

        return fatal

    Batch.answer = await_(Batch.answer)  # type: ignore[method-assign]
    DeleteExecution.perform = counting(await_(DeleteExecution.perform))  # type: ignore[method-assign]
    for store in (SqlStore, SharedStore):
        store.commit = counting(store.commit)  # type: ignore[method-assign]
    for kind in (SqliteDatabase, PostgresDatabase):
        kind.writing = dying(kind.writing)  # type: ignore[method-assign]


def end(folder: Path, name: str, is_done: bool) -> None:
    """Bring it to its end: by recovery, and by doing it again if it was not done."""
    with enter(folder) as engine:
        id_, action = Path("ready").read_text(), ACTIONS[name]
        engine.kv.set("n", "works", "yes")
        if is_done or action.running:
            engine.recover()
        if not is_done:
            action.act(engine, id_)
        Path("opened").touch()
        if name != "delete":
            ended = ended_of(engine, AGAIN if name == "replay" else id_)
            assert ended.state is action.end, ended.history


def ended_of(engine: Engine, id_: str) -> Execution:
    if engine.execution(until(engine, id_, State.PAUSED, *TERMINAL)).state is State.PAUSED:
        engine.resume(id_)
    return engine.follow(id_, timeout=PATIENCE)


class WaitsForPerson(Exception):
    """It goes on when somebody resumes it."""


def stop_when_it_waits(execution: Execution, *_: object) -> None:
    if execution.awaits_decision:
        raise WaitsForPerson


def ask(folder: Path, name: str) -> None:
    """Do it through the owner, which dies, and follow it: it is done nevertheless, and goes on here."""
    with enter(folder) as engine:
        id_, action = Path("ready").read_text(), ACTIONS[name]
        last = AGAIN if name == "replay" else id_
        engine.kv.set("n", "works", "yes")
        if name in ("pause", "status", "label", "delete"):
            action.act(engine, id_)
        else:
            with suppress(WaitsForPerson):
                engine.follow(last, stop_when_it_waits, PATIENCE, first=lambda: action.act(engine, id_))
        Path("opened").touch()
        if name != "delete":
            ended = ended_of(engine, last)
            assert ended.state is action.end, ended.history


def act(folder: Path, name: str) -> None:
    """Do it, and live as long as it takes."""
    with enter(folder) as engine:
        engine.kv.set("n", "works", "yes")
        ACTIONS[name].act(engine, Path("ready").read_text())
