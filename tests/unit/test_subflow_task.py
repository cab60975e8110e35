"""Subflow: a flow that runs another one, waits for it without a thread, and ends as it does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from engine import Engine
from engine.errors import StoreError
from engine.model.events import RestartRequested
from engine.model.execution import Caller, Execution, TaskRun
from engine.model.state import State
from engine.ports import ExecutionFilter
from engine.runtime.clock import SystemClock
from engine.settings import Executor, find_project, load_settings

RETURN = "io.kestra.plugin.core.debug.Return"
SUBFLOW = "io.kestra.plugin.core.flow.Subflow"
FAIL = "io.kestra.plugin.core.execution.Fail"
CHILD = f"""\
id: child
namespace: n
labels: {{of: child}}
inputs:
  - {{id: name, type: STRING, defaults: nobody}}
  - {{id: fail, type: BOOL, defaults: false}}
tasks:
  - id: say
    type: {RETURN}
    format: "hi {{{{ inputs.name }}}} from {{{{ trigger.namespace }}}}.{{{{ trigger.flowId }}}}"
  - id: check
    type: {FAIL}
    condition: "{{{{ inputs.fail and kv('fail', 'n', false) != 'no' }}}}"
    errorMessage: no luck
outputs:
  - {{id: greeting, value: "{{{{ outputs.say.value }}}}"}}
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    settings = load_settings(find_project(tmp_path)).model_copy(update={"executor": Executor(threads=1)})
    with Engine(tmp_path, settings=settings) as held:
        yield held


def stored(engine: Engine, source: str) -> None:
    flow = engine.parse(source, file="f.yaml")
    engine.library.keep(flow, source)


def parent(properties: str = "", **more: str) -> str:
    rest = "".join(f"{key}: {value}\n" for key, value in more.items())
    call = f"{{id: call, type: {SUBFLOW}, namespace: n, flowId: child, {properties}}}"
    return f"id: parent\nnamespace: n\ntasks:\n  - {call}\n{rest}"


def run(engine: Engine, source: str) -> Execution:
    return engine.run(engine.parse(source, file="parent.yaml"))


def call_of(execution: Execution) -> TaskRun:
    return next(iter(execution.in_order()))


def children(engine: Engine, execution: Execution) -> list[Execution]:
    found = engine.store.called_by(Caller(execution.id, call_of(execution).id))
    return [engine.execution(each.id) for each in found]


def lines(engine: Engine, execution: Execution) -> list[str]:
    return [f"{line.level} {line.message}" for line in engine.store.logs(execution.id)]


def test_it_gives_the_outputs_of_the_flow_and_says_who_called(engine: Engine) -> None:
    stored(engine, CHILD)
    execution = run(engine, parent("inputs: {name: '{{ flow.id }}'}, labels: {a: b}", labels="{mine: yes}"))
    (child,) = children(engine, execution)
    given = call_of(execution)
    assert (execution.state, child.state) == (State.SUCCESS, State.SUCCESS)
    assert given.outputs == {
        "executionId": child.id,
        "state": "SUCCESS",
        "outputs": {"greeting": "hi parent from n.parent"},
    }
    assert child.trigger == {
        "id": "call",
        "type": SUBFLOW,
        "variables": {"executionId": execution.id, "namespace": "n", "flowId": "parent", "flowRevision": 1},
    }
    assert child.labels == {"of": "child", "a": "b", "system.correlationId": execution.id}
    assert len(given.attempts) == 1


def test_labels_are_inherited_when_asked(engine: Engine) -> None:
    stored(engine, CHILD)
    execution = run(engine, parent("inheritLabels: true, labels: [{key: of, value: call}]", labels="{mine: x}"))
    assert children(engine, execution)[0].labels == {
        "of": "call",
        "mine": "x",
        "system.correlationId": execution.id,
    }


@pytest.mark.parametrize(
    ("transmit", "state"), [("true", State.FAILED), ("false", State.SUCCESS)], ids=["transmitted", "kept"]
)
def test_a_failure_of_the_flow_is_one_of_the_task_unless_it_is_not_transmitted(
    engine: Engine, transmit: str, state: State
) -> None:
    stored(engine, CHILD)
    execution = run(engine, parent(f"inputs: {{fail: true}}, transmitFailed: {transmit}"))
    (child,) = children(engine, execution)
    assert (execution.state, child.state) == (state, State.FAILED)
    assert call_of(execution).outputs == {
        "executionId": child.id,
        "state": "FAILED",
        "outputs": {"greeting": "hi nobody from n.parent"},
    }
    assert f"WARN execution {child.id} of n/child ended FAILED" in lines(engine, execution)


def test_a_warning_is_transmitted_as_a_warning(engine: Engine) -> None:
    stored(engine, CHILD.replace("errorMessage: no luck", "allowFailure: true"))
    execution = run(engine, parent("inputs: {fail: true}"))
    assert (execution.state, call_of(execution).state) == (State.WARNING, State.WARNING)


def test_each_retry_begins_an_execution_of_its_own(engine: Engine) -> None:
    stored(engine, CHILD)
    execution = run(engine, parent("inputs: {fail: true}, retry: {type: constant, interval: PT0.001S, maxAttempt: 3}"))
    assert execution.state is State.FAILED
    assert len(call_of(execution).attempts) == 3
    assert len({child.id for child in children(engine, execution)}) == 3


def test_the_older_outputs_see_what_the_flow_sees(engine: Engine) -> None:
    stored(engine, CHILD.split("outputs:\n")[0])
    execution = run(engine, parent("outputs: {said: '{{ outputs.say.value }}', who: ['{{ inputs.name }}']}"))
    given = call_of(execution).outputs
    assert given is not None
    assert given["outputs"] == {"said": "hi nobody from n.parent", "who": ["nobody"]}


def test_older_outputs_that_fail_fail_the_task_and_keep_the_execution(engine: Engine) -> None:
    stored(engine, CHILD.split("outputs:\n")[0])
    execution = run(engine, parent("outputs: {said: '{{ outputs.nothing.value }}'}"))
    given = call_of(execution)
    assert given.state is State.FAILED
    assert "nothing" in str(given.error)
    assert given.outputs == {"executionId": children(engine, execution)[0].id}


@pytest.mark.parametrize(
    ("child", "properties", "error"),
    [
        (CHILD + "disabled: true\n", "", "Cannot execute a flow which is disabled: n/child"),
        (CHILD, "inputs: {nam: x}", "n/child cannot be executed: "),
        (CHILD, "revision: 7", "there is no flow n/child with the revision 7"),
        (None, "", "there is no flow n/child"),
    ],
    ids=["disabled", "inputs", "revision", "unknown"],
)
def test_what_cannot_be_begun_fails_the_task(engine: Engine, child: str | None, properties: str, error: str) -> None:
    if child is not None:
        stored(engine, child)
    execution = run(engine, parent(properties))
    assert execution.state is State.FAILED
    assert str(call_of(execution).error).startswith(error)
    assert children(engine, execution) == []


def test_without_wait_the_task_is_done_at_once_and_the_engine_sees_the_flow_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.runtime.ownership.STOP_GRACE", 0.0)
    heard: list[str] = []
    slow = "id: child\nnamespace: n\ntasks:\n  - {id: s, type: io.kestra.plugin.core.flow.Sleep, duration: PT0.3S}\n"
    with Engine(tmp_path) as engine:
        engine.on_wait = heard.append
        stored(engine, slow)
        execution = run(engine, parent("wait: false"))
        assert execution.state is State.SUCCESS
        given = call_of(execution).outputs
        (child,) = children(engine, execution)
        assert given == {"executionId": child.id}
        assert not child.is_terminal
    with Engine(tmp_path) as engine:
        assert engine.execution(child.id).state is State.SUCCESS
    assert heard == ["this engine still runs an execution that its flows began; Ctrl-C leaves the rest"]


def test_a_flow_that_is_scheduled_waits_for_its_time_and_holds_nobody_up(tmp_path: Path) -> None:
    heard: list[str] = []
    with Engine(tmp_path) as engine:
        engine.on_wait = heard.append
        stored(engine, CHILD)
        execution = run(engine, parent("wait: false, scheduleDate: 2999-01-01T00:00:00Z"))
        (child,) = children(engine, execution)
    assert (execution.state, child.state) == (State.SUCCESS, State.CREATED)
    assert child.due == datetime(2999, 1, 1, tzinfo=UTC)
    assert heard[0].startswith("an execution that its flows began waits for a time")


def pausing(engine: Engine) -> Execution:
    """A parent whose child waits for a person."""
    stored(engine, "id: child\nnamespace: n\ntasks:\n  - {id: p, type: io.kestra.plugin.core.flow.Pause}\n")
    begun = engine.submit(engine.parse(parent("timeout: PT1H"), file="parent.yaml"))
    paused = threading.Event()
    while not paused.is_set():
        found, _ = engine.store.executions(ExecutionFilter(flow_id="child", states=(State.PAUSED,)))
        if found:
            paused.set()
        threading.Event().wait(0.005)
    return begun


def test_a_kill_reaches_the_flow(engine: Engine) -> None:
    begun = pausing(engine)
    engine.kill(begun.id)
    ended = engine.follow(begun.id, timeout=20)
    (child,) = children(engine, ended)
    assert (ended.state, call_of(ended).state, child.state) == (State.KILLED, State.KILLED, State.KILLED)
    assert call_of(ended).outputs == {"executionId": child.id}


def test_a_flow_that_takes_too_long_is_stopped(engine: Engine) -> None:
    stored(engine, "id: child\nnamespace: n\ntasks:\n  - {id: p, type: io.kestra.plugin.core.flow.Pause}\n")
    execution = run(engine, parent("timeout: PT0.3S"))
    assert (execution.state, call_of(execution).error) == (State.FAILED, "Timeout after PT0.3S")
    (child,) = children(engine, execution)
    assert engine.follow(child.id, timeout=20).state is State.KILLED


@pytest.mark.parametrize(("behavior", "count"), [("RETRY_FAILED", 1), ("NEW_EXECUTION", 2)])
def test_a_restart_goes_on_with_the_flow_that_failed_unless_it_is_to_begin_anew(
    engine: Engine, behavior: str, count: int
) -> None:
    stored(engine, CHILD)
    source = parent(f"inputs: {{fail: true}}, restartBehavior: {behavior}")
    failed = run(engine, source)
    flow = engine.parse(source, file="parent.yaml")
    assert failed.state is State.FAILED
    engine.kv.set("n", "fail", "no")
    event = RestartRequested(at=SystemClock().now())
    engine.loop.ask(flow, failed.id, event).result(10)
    execution = engine.follow(failed.id, timeout=20)
    assert execution.state is State.SUCCESS
    begun = children(engine, execution)
    assert [child.state for child in begun].count(State.SUCCESS) == 1
    assert len(begun) == count


def test_a_flow_that_is_restarted_by_itself_is_waited_for(engine: Engine) -> None:
    """Its caller had failed with it; restarted, it finds it done."""
    stored(engine, CHILD)
    source = parent("inputs: {fail: true}")
    failed = run(engine, source)
    engine.kv.set("n", "fail", "no")
    at = SystemClock().now()
    (child,) = children(engine, failed)
    engine.loop.ask(engine.parse(CHILD, file="c.yaml"), child.id, RestartRequested(at=at)).result(10)
    assert engine.follow(child.id, timeout=20).state is State.SUCCESS
    engine.loop.ask(engine.parse(source, file="p.yaml"), failed.id, RestartRequested(at=at)).result(10)
    execution = engine.follow(failed.id, timeout=20)
    assert (execution.state, len(children(engine, execution))) == (State.SUCCESS, 1)


def test_after_a_crash_the_caller_finds_how_the_flow_ended(engine: Engine, monkeypatch: Any) -> None:
    """The engine forgets what it knew between the end of the flow and that of its caller."""
    stored(engine, CHILD)
    loop = engine.loop
    monkeypatch.setattr(loop._family, "ended", lambda execution: None)
    flow = engine.parse(parent(), file="parent.yaml")
    begun = engine.submit(flow)
    while not (found := engine.store.called_by(Caller(begun.id, f"{begun.id}-0"))):
        threading.Event().wait(0.005)
    engine.follow(found[0].id, timeout=20)
    half = engine.execution(begun.id)
    assert half.state is State.RUNNING
    engine.close()
    assert engine.recover() == [begun.id]
    assert engine.follow(begun.id, timeout=20).state is State.SUCCESS


def test_after_a_crash_the_flow_goes_on_with_its_caller(engine: Engine) -> None:
    begun = pausing(engine)
    engine.close()
    flow = engine.library.flow_of(engine.execution(begun.id))
    engine.loop.adopt(flow, engine.execution(begun.id))
    (child,) = children(engine, engine.execution(begun.id))
    while not engine.loop.runs(child.id):
        threading.Event().wait(0.005)
    engine.kill(begun.id)
    assert engine.follow(begun.id, timeout=20).state is State.KILLED
    assert engine.execution(child.id).state is State.KILLED


def test_flows_call_flows_with_one_worker(engine: Engine) -> None:
    """Nobody holds a thread while he waits."""
    stored(engine, CHILD)
    for depth in range(5):
        called = "child" if depth == 0 else f"level{depth - 1}"
        stored(
            engine,
            f"id: level{depth}\nnamespace: n\ntasks:\n"
            f"  - {{id: call, type: {SUBFLOW}, namespace: n, flowId: {called}}}\n",
        )
    execution = engine.run("n/level4")
    assert execution.state is State.SUCCESS
    found, count = engine.store.executions(ExecutionFilter())
    assert count == 6
    assert {each.labels["system.correlationId"] for each in found} == {execution.id}


def test_it_cannot_be_stored_in_halves(engine: Engine) -> None:
    """An execution whose id is taken cannot be stored, so its caller is not told that it began."""
    stored(engine, CHILD)
    commit = engine.store.commit
    broken: list[str] = []

    def refusing(changes: Any) -> None:
        if any(change.after.caller is not None and change.before is None for change in changes):
            broken.append("child")
            raise StoreError("no place")
        commit(changes)

    engine.store.commit = refusing  # type: ignore[method-assign]
    begun = engine.submit(engine.parse(parent(), file="parent.yaml"))
    with pytest.raises(StoreError, match="no place"):
        engine.follow(begun.id, timeout=20)
    engine.store.commit = commit  # type: ignore[method-assign]
    half = engine.execution(begun.id)
    assert broken
    assert call_of(half).calls is None
    assert children(engine, half) == []
