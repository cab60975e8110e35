"""`taskCache`: what a task gave the last time, for the same properties, instead of running it again.

Kept in the key-value store of the flow's namespace, under keys that no flow can name. The key holds a hash of the
rendered properties, so secrets among them are not to be read from it; what is kept is masked as all outputs are.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from engine.model.duration import parse_duration
from engine.model.keyvalue import ValueType
from engine.model.task import TaskCache
from engine.runtime.context import AttemptContext
from engine.sdk import Task


def recalled(context: AttemptContext, task: Task) -> Mapping[str, Any] | None:
    """The outputs that are kept; None when there are none, or they are too old."""
    if _cache(context) is None:
        return None
    pair = context.kv.get(context.namespace, _key(context, task))
    if pair is None or pair.is_expired(context.now()):
        return None
    context.logger.info("The outputs of %s are taken: nothing has changed since.", pair.updated_at.isoformat())
    kept: Mapping[str, Any] = pair.value["outputs"] or {}
    return kept


def remember(context: AttemptContext, task: Task, outputs: Mapping[str, Any] | None) -> None:
    """Keep the outputs of a success."""
    cache = _cache(context)
    if cache is None:
        return
    ttl = parse_duration(cache.ttl) if cache.ttl is not None else None
    kept = {"outputs": context.masker.value(outputs)}
    context.kv.set(context.namespace, _key(context, task), kept, type=ValueType.JSON, ttl=ttl)


def _cache(context: AttemptContext) -> TaskCache | None:
    cache = context.assignment.task.task_cache
    return cache if cache is not None and cache.enabled else None


def _key(context: AttemptContext, task: Task) -> str:
    properties = sha256(task.model_dump_json(by_alias=True).encode("utf-8", "surrogatepass")).hexdigest()
    return f"_cache/{context.flow_id}/{context.task_id}/{properties}"
