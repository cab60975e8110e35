"""One task inside another: its properties rendered, its work done, its outputs as plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.dialect.document import read
from engine.dialect.source import decode
from engine.errors import FlowInvalid, TaskFailed
from engine.sdk.context import RunContext
from engine.sdk.outputs import plain
from engine.sdk.properties import prepared
from engine.sdk.task import RESERVED, Task

#: What the task around it has, too, and may say for both.
_NAMES = frozenset({"id", "type", "description"})


def run_inner(
    context: RunContext, definition: Mapping[str, Any], task_class: Callable[[str], type[Task]]
) -> Mapping[str, Any] | None:
    """Run a task by its definition as part of an attempt. Raises TaskFailed, and whatever the task raises."""
    type_ = definition.get("type")
    if not isinstance(type_, str):
        raise TaskFailed("a task needs a `type`", hint="name it as in a flow, such as io.kestra.plugin.core.log.Log")
    for name in sorted((RESERVED & definition.keys()) - _NAMES):
        context.logger.warning("`%s` of the inner task counts for nothing: write it at the task around it", name)
    properties = {name: value for name, value in definition.items() if name not in RESERVED}
    given = prepared(task_class(type_), properties, context).run(context)
    return plain(given)  # type: ignore[arg-type]  # what is neither outputs nor nothing is refused there


def read_yaml(text: str) -> Any:
    """What a text in YAML says, read as flows are. Raises TaskFailed."""
    try:
        return read(decode(text, "<spec>")).data
    except FlowInvalid as error:
        raise TaskFailed(f"this is not YAML: {error.message}", hint=error.hint) from None
