"""Flows played by the core alone, whose `debug.Return` tasks really render their text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.catalog import Catalog
from engine.core.context import Context
from engine.dialect import load
from engine.errors import ExpressionError
from engine.expressions import Functions, language
from engine.model.execution import TaskRun
from engine.model.state import State
from tests.simulation.play import Play

FLOW = "io.kestra.plugin.core.flow"
CONTAINERS = ("Sequential", "Parallel", "If", "ForEach", "Loop", "LoopUntil", "WorkingDirectory")


def playing(tasks: str, **more: Any) -> Play:
    """A flow that can be played. `Return` and the names of containers are short for their types.

    A task whose id begins with `bad` fails; any other gives its rendered `format` as `value`.
    """
    text = f"id: f\nnamespace: n\ntasks:\n{tasks}".replace("type: Return", "type: io.kestra.plugin.core.debug.Return")
    for name in CONTAINERS:
        text = text.replace(f"type: {name}\n", f"type: {FLOW}.{name}\n").replace(
            f"type: {name},", f"type: {FLOW}.{name},"
        )
    flow = load(text, file="f.yaml", types=Catalog())

    def answer(run: TaskRun) -> Mapping[str, Any]:
        if run.task_id.startswith("bad"):
            return {"state": State.FAILED, "error": "scripted"}
        template = str(flow.tree.places[run.task_id].task.properties.get("format", ""))  # type: ignore[attr-defined]
        context = Context(flow, play.execution, play.execution.task_runs[run.id], play.facts)
        try:
            value = language("kestra").render(template, context, Functions(seed=run.id))
        except ExpressionError as error:
            return {"state": State.FAILED, "error": error.message}
        return {"state": State.SUCCESS, "outputs": {"value": value}}

    play = Play(flow, answers=answer, **more)
    return play


def values(play: Play, task_id: str) -> list[Any]:
    """What each run of a task gave, in order; its error where it failed."""
    runs = [run for run in play.execution.in_order() if run.task_id == task_id]
    return [run.outputs["value"] if run.outputs else run.error for run in runs]


def outputs(play: Play, task_id: str) -> Any:
    """The outputs of the only run of a task."""
    (run,) = (run for run in play.execution.in_order() if run.task_id == task_id)
    return run.outputs
