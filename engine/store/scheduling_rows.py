"""Deployments, the state of triggers, fires and announcements to rows and back, for every store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import ValidationError, convert, to_builtins

from engine.model.scheduling import Announcement, Backfill, Deployment, Fire, TriggerKey, TriggerState
from engine.model.state import State
from engine.ports import FlowText
from engine.store.codec import (
    DAMAGED,
    UNSTORABLE,
    damage,
    from_json,
    from_micros,
    from_text,
    maybe_from_json,
    maybe_from_micros,
    maybe_from_text,
    maybe_json,
    maybe_micros,
    maybe_text,
    refusal,
    to_json,
    to_micros,
    to_text,
)

Row = Sequence[Any]


def deployment_of(flow: FlowText, revision: int, at: datetime) -> Deployment:
    return Deployment(namespace=flow.namespace, flow_id=flow.id, revision=revision, origin=flow.origin, at=at)


def deployment_row(deployment: Deployment) -> tuple[Any, ...]:
    texts = to_text(deployment.namespace), to_text(deployment.flow_id)
    return *texts, deployment.revision, to_text(deployment.origin), to_micros(deployment.at)


def read_deployment(row: Row) -> Deployment:
    namespace, flow_id, revision, origin, at = row
    return Deployment(
        namespace=from_text(namespace),
        flow_id=from_text(flow_id),
        revision=revision,
        origin=from_text(origin),
        at=from_micros(at),
    )


def trigger_row(state: TriggerState) -> dict[str, Any]:
    try:
        return {
            **key_row(state.key),
            "disabled": state.disabled,
            "definition": maybe_text(state.definition),
            "next_at": maybe_micros(state.next_at),
            "last_at": maybe_micros(state.last_at),
            "execution_id": maybe_text(state.execution_id),
            "backfill": None if state.backfill is None else to_json(to_builtins(state.backfill)),
            "backfill_at": maybe_micros(state.backfill_at),
            "memory": maybe_json(state.memory),
            "failures": state.failures,
            "retry_at": maybe_micros(state.retry_at),
            "problem": maybe_text(state.problem),
            "updated_at": to_micros(state.updated_at),
        }
    except UNSTORABLE as error:
        raise refusal(f"the trigger {state.key}", error, {"memory": state.memory}) from error


def key_row(key: TriggerKey) -> dict[str, str]:
    return {name: to_text(value) for name, value in key._asdict().items()}


def read_trigger(row: Row) -> TriggerState:
    (namespace, flow_id, trigger_id, disabled, definition, next_at, last_at, execution_id, backfill, backfill_at,
     memory, failures, retry_at, problem, updated_at) = row  # fmt: skip
    try:
        return TriggerState(
            namespace=from_text(namespace),
            flow_id=from_text(flow_id),
            trigger_id=from_text(trigger_id),
            disabled=bool(disabled),
            definition=maybe_from_text(definition),
            next_at=maybe_from_micros(next_at),
            last_at=maybe_from_micros(last_at),
            execution_id=maybe_from_text(execution_id),
            backfill=None if backfill is None else convert(from_json(backfill), Backfill),
            backfill_at=maybe_from_micros(backfill_at),
            memory=maybe_from_json(memory),
            failures=failures,
            retry_at=maybe_from_micros(retry_at),
            problem=maybe_from_text(problem),
            updated_at=from_micros(updated_at),
        )
    except (*DAMAGED, ValidationError) as fault:
        raise damage(f"the trigger {namespace}/{flow_id}/{trigger_id}", fault) from fault


def fire_row(fire: Fire) -> tuple[Any, ...]:
    texts = to_text(fire.scope), to_text(fire.key), to_text(fire.execution_id)
    return *texts, to_micros(fire.at), maybe_text(fire.digest)


def read_fire(row: Row) -> Fire:
    scope, key, execution_id, at, digest = row
    return Fire(
        scope=from_text(scope),
        key=from_text(key),
        execution_id=from_text(execution_id),
        at=from_micros(at),
        digest=maybe_from_text(digest),
    )


def read_announcement(row: Row) -> Announcement:
    id_, execution_id, state, at = row
    return Announcement(id=id_, execution_id=from_text(execution_id), state=State(state), at=from_micros(at))
