"""Every case in `flows/`: a flow, what its tasks answer, and the states, the order and the outputs that follow.

Type names in capitals are short for the real ones. An answer is a state, or a list of states by attempt; its key is a
task id, or `id[value]` inside a loop. Without an answer a task succeeds and gives its id.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.catalog import Catalog
from engine.dialect import load
from engine.dialect.document import read
from engine.dialect.source import decode
from engine.model.execution import TaskRun
from engine.model.state import State
from tests.simulation.play import START, Play, succeed, told

CASES = sorted(Path(__file__).with_name("flows").glob("*.yaml"))
TYPES = {"RETURN": "io.kestra.plugin.core.debug.Return"} | {
    name.upper(): f"io.kestra.plugin.core.flow.{name}"
    for name in ("Sequential", "Parallel", "Dag", "If", "Switch", "ForEach")
}


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_flow_does_what_the_case_says(case: Path) -> None:
    text = case.read_text()
    for short, full in TYPES.items():
        text = text.replace(f"type: {short},", f"type: {full},").replace(f"type: {short}}}", f"type: {full}}}")
        text = text.replace(f"type: {short}\n", f"type: {full}\n")
    written: dict[str, Any] = read(decode(text, case.name)).data
    expect, answers, inputs = written.pop("expect"), written.pop("answers", {}), written.pop("inputs", {})
    about = written.pop("about")
    flow = load(
        json.dumps({"id": "case", "namespace": "golden"} | written, ensure_ascii=False), file=case.name, types=Catalog()
    )
    play = Play(flow, answers=by_script(answers), inputs=inputs)
    execution = play.run()
    assert (execution.state, told(execution)) == (expect["state"], expect["task_runs"]), about
    if "outputs" in expect:
        assert execution.outputs == expect["outputs"], about
    runs = {run.task_id: run for run in execution.in_order()}
    assert {task_id: runs[task_id].error for task_id in expect.get("error_of", {})} == expect.get("error_of", {})
    assert {task_id: len(runs[task_id].attempts) for task_id in expect.get("attempts", {})} == expect.get(
        "attempts", {}
    )
    if "waited" in expect:
        assert waits(execution.in_order()) == expect["waited"], about


def by_script(answers: dict[str, Any]) -> Any:
    def answer(run: TaskRun) -> Any:
        scripted = answers.get(f"{run.task_id}[{run.value}]", answers.get(run.task_id))
        if isinstance(scripted, list):
            scripted = scripted[min(len(run.attempts), len(scripted)) - 1]
        state = State(scripted or "SUCCESS")
        failed = state is State.FAILED
        return {"state": state, "error": "scripted"} if failed else {**succeed(run), "state": state}

    return answer


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
