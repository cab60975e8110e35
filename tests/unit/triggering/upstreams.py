"""A Flow trigger in few words, and what becomes of it when executions come by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import yaml
from rpds import HashTrieMap

from engine.catalog import Catalog
from engine.core.facts import Facts
from engine.core.triggering import Memory, Verdict, judge
from engine.dialect import parse
from engine.expressions import Functions
from engine.model.execution import Attempt, Execution, StateChange, TaskRun
from engine.model.flow import Flow
from engine.model.state import AttemptState, State
from engine.model.triggers import FlowTrigger

RETURN = "io.kestra.plugin.core.debug.Return"
TYPE = "io.kestra.plugin.core.trigger.Flow"
CONDITION = "io.kestra.plugin.core.condition"
NOON = datetime(2026, 5, 6, 12, tzinfo=UTC)
_CATALOG = Catalog()
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def flow(id_: str = "watcher", namespace: str = "acme.ops", **fields: Any) -> Flow:
    """A flow of one task, as the dialect reads it."""
    written = {"id": id_, "namespace": namespace, "tasks": [{"id": "rows", "type": RETURN, "format": "x"}], **fields}
    return _parsed(yaml.safe_dump(written, sort_keys=False))


@cache
def _parsed(source: str) -> Flow:
    parsed = parse(source, types=_CATALOG)
    assert parsed.flow is not None, parsed.diagnostics
    return parsed.flow


def watcher(trigger: Mapping[str, Any], **fields: Any) -> Flow:
    """A flow with one Flow trigger."""
    return flow(triggers=[{"id": "t", "type": TYPE, **trigger}], **fields)


def execution(
    flow_id: str = "daily",
    state: State = State.SUCCESS,
    *,
    id_: str | None = None,
    namespace: str = "acme.sales",
    attempts: int = 1,
    **fields: Any,
) -> Execution:
    """An execution that has come to a state, of the flow that `flow` makes."""
    id_ = id_ or f"{flow_id}-1"
    history = (StateChange(State.CREATED, NOON - MINUTE), StateChange(state, NOON))
    tried = tuple(Attempt(epoch=n, state=AttemptState.SUCCEEDED, started_at=NOON) for n in range(attempts))
    run = TaskRun(
        id=f"{id_}.rows",
        execution_id=id_,
        task_id="rows",
        seq=0,
        state=state,
        history=history,
        attempts=tried,
        outputs={"value": 7},
    )
    told = {"labels": {"env": "prod", "system.correlationId": "c1"}, "outputs": {"day": f"of {id_}"}} | fields
    return Execution(
        id=id_,
        namespace=namespace,
        flow_id=flow_id,
        flow_revision=3,
        state=state,
        history=history,
        task_runs=HashTrieMap({run.id: run}),
        **told,
    )


def judged(
    asking: Flow,
    upstream: Execution,
    *,
    at: datetime = NOON,
    memory: Memory = Memory(),  # noqa: B008  a value that never changes
    state: State | None = None,
    functions: Functions = Functions(),  # noqa: B008
    facts: Facts = Facts(),  # noqa: B008
) -> Verdict:
    """What becomes of it that an execution comes by. What is remembered goes through JSON."""
    (trigger,) = asking.triggers
    assert isinstance(trigger, FlowTrigger)
    of = flow(upstream.flow_id, upstream.namespace, variables={"whose": "upstream"})
    remembered = Memory.read(memory.stored())
    return judge(asking, trigger, of, upstream, state or upstream.state, at, remembered, functions, facts)


def fires(trigger: Mapping[str, Any], upstream: Execution) -> bool:
    """Whether one execution is enough."""
    verdict = judged(watcher(trigger), upstream)
    assert verdict.problem is None
    return verdict.fires


def played(asking: Flow, coming: Iterable[tuple[Execution, datetime]]) -> tuple[list[str], Memory]:
    """What comes by one after the other: the ids of those that made the trigger fire, and what it remembers."""
    memory, fired = Memory(), []
    for upstream, at in coming:
        verdict = judged(asking, upstream, at=at, memory=memory)
        assert verdict.problem is None
        memory = verdict.memory
        fired += [upstream.id] if verdict.fires else []
    return fired, memory
