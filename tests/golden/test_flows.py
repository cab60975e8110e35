"""Every case in `flows/`: a flow, what its tasks answer, and the states, the order and the outputs that follow.

Type names in capitals are short for the real ones. An answer is a state, or a map of `state`, `outputs`, and `effects`
on the execution, or a list of them by attempt; LOST is the end of the engine while the task runs. Its key is a task id,
or `id[value]` inside a loop. Without an answer a task succeeds and gives its id. For a task that begins executions the
answer may be `flows`: how each of them ends, a map of `state` and `outputs`. What follows from that the task itself
says, so its own properties count. `refused` names the executions that hold all places when this one first asks for one;
after that there is a place. `resume` lists what persons do, one after the other, whenever all else waits for them: the
inputs that they give, or null. `restarts` is how often it is restarted after it has ended.
"""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec import convert

from engine.catalog import Catalog
from engine.core.calling import call_id
from engine.dialect import load
from engine.dialect.document import read
from engine.dialect.source import decode
from engine.model.events import Effects, PlaceRefused, RestartRequested, ResumeRequested
from engine.model.execution import Execution, TaskRun
from engine.model.flow import CONTAINERS, Flow, RunnableTask, Task
from engine.model.state import State
from engine.sdk.flows import EndedFlow, Ending, StartFlows
from engine.sdk.outputs import plain
from engine.sdk.testing import FakeContext
from tests.simulation.play import START, Play, succeed, told

CASES = sorted(Path(__file__).with_name("flows").glob("*.yaml"))
TYPES = {"RETURN": "io.kestra.plugin.core.debug.Return"} | {
    kind.TYPES[0].rpartition(".")[2].upper(): kind.TYPES[0] for kind in CONTAINERS
}


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_flow_does_what_the_case_says(case: Path) -> None:
    text = case.read_text()
    for short, full in TYPES.items():
        text = text.replace(f"type: {short},", f"type: {full},").replace(f"type: {short}}}", f"type: {full}}}")
        text = text.replace(f"type: {short}\n", f"type: {full}\n")
    written: dict[str, Any] = read(decode(text, case.name)).data
    expect, answers, inputs = written.pop("expect"), written.pop("answers", {}), written.pop("inputs", {})
    about, written_by_persons = written.pop("about"), written.pop("resume", [])
    restarts, refused = written.pop("restarts", 0), written.pop("refused", [])
    flow = load(
        json.dumps({"id": "case", "namespace": "golden"} | written, ensure_ascii=False), file=case.name, types=Catalog()
    )
    play = Play(flow, answers=by_script(answers, flow), inputs=inputs)
    if refused:
        play.waiting.insert(0, PlaceRefused(at=START, holders=tuple(refused)))
    execution = with_persons(play, written_by_persons)
    for _ in range(restarts):
        play.waiting.append(RestartRequested(at=play.tick()))
        execution = play.run()
    assert (execution.state, told(execution)) == (expect["state"], expect["task_runs"]), about
    if "outputs" in expect:
        assert execution.outputs == expect["outputs"], about
    runs = {run.task_id: run for run in execution.in_order()}
    assert {task_id: runs[task_id].error for task_id in expect.get("error_of", {})} == expect.get("error_of", {})
    assert {task_id: len(runs[task_id].attempts) for task_id in expect.get("attempts", {})} == expect.get(
        "attempts", {}
    )
    for task_id, state in expect.get("attempt_states", {}).items():
        assert runs[task_id].attempts[-1].state == state, about
    for task_id, count in expect.get("waits_for", {}).items():
        assert len(runs[task_id].calls or ()) == count, about
    for name in {"labels", "variables"} & expect.keys():
        assert getattr(execution, name) == expect[name], about
    if "history" in expect:
        assert [change.state for change in execution.history] == expect["history"], about
    for line in expect.get("logs", ()):
        assert line in play.logs, about
    if "waited" in expect:
        assert waits(execution.in_order()) == expect["waited"], about


def by_script(answers: dict[str, Any], flow: Flow) -> Any:
    def answer(run: TaskRun) -> Any:
        scripted = answers.get(f"{run.task_id}[{run.value}]", answers.get(run.task_id))
        if isinstance(scripted, list):
            scripted = scripted[min(len(run.attempts), len(scripted)) - 1]
        said = scripted if isinstance(scripted, dict) else {"state": scripted or "SUCCESS"}
        if "flows" in said:
            with closing(FakeContext(variables={"taskrun": {}})) as context:
                return with_flows(flow.tree.places[run.task_id].task, run, said["flows"], context)
        if said.get("state") == "LOST":
            return {"lost": True}
        state = State(said.get("state", "SUCCESS"))
        failed = state is State.FAILED
        rest = {"error": "scripted"} if failed else dict(succeed(run))
        if "outputs" in said:
            rest["outputs"] = said["outputs"]
        if "effects" in said:
            rest["effects"] = convert(said["effects"], Effects)
        return {**rest, "state": state}

    return answer


def with_flows(task: Task, run: TaskRun, flows: list[dict[str, Any]], context: FakeContext) -> dict[str, Any]:
    """What a task answers that begins executions, by its own code: `flows` is how they end."""
    assert isinstance(task, RunnableTask)
    lines = "".join(f"part-{number}\n" for number in range(len(flows))).encode()
    splits = {"splits": context.put_file(lines, "splits.txt")} if "splits" in task.properties else {}
    made = Catalog().task_class(task.type).model_validate({**task.properties, **splits})
    start = made.run(context)
    if start is None:
        return {"state": State.SUCCESS}
    assert isinstance(start, StartFlows)
    assert len(start.calls) == len(flows), "one end for each execution"
    ids = tuple(call_id(run, run.epoch, index) for index in range(len(flows)))
    if not start.wait:
        return {"state": State.SUCCESS, "outputs": plain(start.outputs(ids))}
    ended = [
        EndedFlow(
            execution_id=id_,
            namespace=call.namespace,
            flow_id=call.flow_id,
            state=State(end["state"]),
            outputs=end.get("outputs"),
            error=None,
            evaluate=context.evaluate,
        )
        for id_, call, end in zip(ids, start.calls, flows, strict=True)
    ]
    ending = made.flows_ended(context, ended)
    assert isinstance(ending, Ending)
    return {"calls": ids, "state": ending.state, "outputs": plain(ending.outputs), "error": ending.error}


def with_persons(play: Play, resuming: list[Any]) -> Execution:
    """Play to the end. Whenever only persons can move the execution, the next of them resumes it."""
    execution = play.run()
    for inputs in resuming:
        assert execution.awaits_decision, "nobody need resume it"
        play.waiting.append(ResumeRequested(at=play.tick(), inputs=inputs))
        execution = play.run()
    return execution


def waits(runs: Any) -> list[int]:
    """Whole seconds between the end of each attempt and the beginning of the next."""
    found = []
    for run in runs:
        for before, after in zip(run.attempts, run.attempts[1:], strict=False):
            found.append(round((after.started_at - before.ended_at).total_seconds()))
    return found


def test_the_clock_of_the_cases_is_the_scripts() -> None:
    assert (
        Play(load("id: a\nnamespace: b\ntasks: [{id: t, type: io.kestra.plugin.core.debug.Return}]", types=Catalog()))
        .run()
        .started_at
        == START
    )
