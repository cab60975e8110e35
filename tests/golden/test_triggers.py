"""Every case in `triggers/`: a flow with one trigger, what happens, and what it starts because of that.

A Schedule is not watched `from` an instant `until` another one, and makes up for what it missed. A Flow trigger hears
of `upstreams`, executions of other flows that come to one state after the other. Each expected start names some of the
variables that its execution sees, or a part of the `problem` for which it has failed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.catalog import Catalog
from engine.core import Facts
from engine.core.schedule import Timetable, agenda
from engine.core.triggering import Memory, judge
from engine.dialect import load
from engine.expressions import Functions
from engine.model.execution import Execution, StateChange
from engine.model.flow import Flow
from engine.model.state import State
from engine.model.triggers import FlowTrigger, TimedTrigger

CASES = sorted(Path(__file__).with_name("triggers").glob("*.yaml"))
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TASKS = [{"id": "a", "type": "io.kestra.plugin.core.debug.Return", "format": "x"}]


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_a_trigger_starts_what_the_case_says(case: Path) -> None:
    written = yaml.load(case.read_text(), Loader=yaml.BaseLoader)
    flow = read({"id": "case", **written["flow"]}, case.name)
    (trigger,) = flow.triggers
    if isinstance(trigger, TimedTrigger):
        start, until = (datetime.fromisoformat(written[name]) for name in ("from", "until"))
        found = list(made_up_for(flow, trigger, start, until))
    else:
        assert isinstance(trigger, FlowTrigger)
        found = list(heard(flow, trigger, written["upstreams"]))
    for started, expected in zip(found, written["expect"], strict=True):
        assert expected.pop("problem", "") in (started.pop("problem", None) or ""), started
        assert {name: started.get(name) for name in expected} == expected


def read(written: Mapping[str, Any], file: str = "upstream") -> Flow:
    return load(json.dumps({"tasks": TASKS, **written}), file=file, types=Catalog())


def made_up_for(flow: Flow, trigger: TimedTrigger, start: datetime, until: datetime) -> Iterator[dict[str, Any]]:
    table = Timetable(flow, trigger)
    for due in agenda(table, start, since=until, now=until, most=100).dates:
        yield {**table.variables(due.at), "problem": due.problem}


def heard(flow: Flow, trigger: FlowTrigger, upstreams: list[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    memory, at = Memory(), NOON
    for number, upstream in enumerate(upstreams):
        of = read({"id": upstream["flow"], "namespace": upstream["namespace"]})
        history: tuple[StateChange, ...] = ()
        for state in map(State, upstream["states"]):
            at += timedelta(seconds=1)
            history += (StateChange(state, at),)
            execution = Execution(
                id=f"e{number}", namespace=of.namespace, flow_id=of.id, flow_revision=1, state=state, history=history
            )
            verdict = judge(flow, trigger, of, execution, state, at, memory, Functions(), Facts())
            memory = verdict.memory
            if verdict.fires:
                yield {**verdict.variables, "problem": verdict.problem}
