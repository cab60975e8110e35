"""A condition in few words, and its answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

from engine.core.conditions import Subject, holds
from engine.expressions import Functions
from engine.model.conditions import CONDITION_TYPES
from engine.model.execution import Execution, StateChange
from engine.model.flow import Flow, RunnableTask
from engine.model.listeners import Condition
from engine.model.state import State

PACKAGE = "io.kestra.plugin.core.condition"
START = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)

FLOW = Flow(id="watcher", namespace="acme.ops", tasks=(RunnableTask(id="a", type="t"),))


def condition(name: str, **properties: Any) -> Condition:
    """A condition as the YAML has it; those within it are nouns already."""
    return CONDITION_TYPES[f"{PACKAGE}.{name}"].model_validate({"type": name, **properties})


def execution(state: State = State.SUCCESS, **fields: Any) -> Execution:
    fields = {"namespace": "acme.sales", "flow_id": "daily", "labels": {"env": "prod", "team": "x"}} | fields
    return Execution(id="e1", flow_revision=1, state=state, history=(StateChange(state, START),), **fields)


def subject(
    context: Mapping[str, Any] | None = None,
    *,
    about: Execution | None = None,
    zone: tzinfo = UTC,
    **more: Any,
) -> Subject:
    functions = more.pop("functions", None) or Functions(zone=zone)
    return Subject(flow=FLOW, context=context or {}, functions=functions, execution=about, **more)


def at(date: Any, asked: Condition, zone: tzinfo = UTC) -> bool:
    """Whether a condition holds for a trigger that is due at `date`."""
    return holds(asked, subject({"trigger": {"date": date}}, zone=zone))
