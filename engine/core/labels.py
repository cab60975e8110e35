"""The labels of an execution: the flow's, those given by whoever starts it, and the engine's own.

Names that begin with `system.` are the engine's. A flow's are for the flow alone, and people may give none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.errors import InputsInvalid

SYSTEM = "system."
#: Says which executions belong together: the id of the one that started first.
CORRELATION_ID = "system.correlationId"

#: Which promise (`sla`) the execution has broken.
BROKEN_SLA = "system.sla"
#: When the first of several executions began that retry each other.
RETRIED_SINCE = "system.retriedSince"
#: What an execution does not hand on to those that it starts, nor to one that does it again.
ITS_OWN = frozenset({BROKEN_SLA, RETRIED_SINCE})


def execution_labels(
    of_flow: Mapping[str, str],
    given: Mapping[str, str],
    *,
    correlation_id: str,
    inherited: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The labels of a new execution; `inherited` are those of the execution that starts it.

    `correlation_id` is its own id, and counts unless it inherits one. Raises InputsInvalid for a name of the engine's.
    """
    refused = [
        f"Invalid label `{name}`, names that begin with `{SYSTEM}` belong to the engine, but received `{value}`"
        for name, value in given.items()
        if name.startswith(SYSTEM)
    ]
    if refused:
        raise InputsInvalid(refused)
    own = {name: value for name, value in of_flow.items() if not name.startswith(SYSTEM)}
    passed_on = {
        name: value for name, value in (inherited or {}).items() if name.startswith(SYSTEM) and name not in ITS_OWN
    }
    return {**own, **given, CORRELATION_ID: correlation_id, **passed_on}


def nested(labels: Mapping[str, str]) -> dict[str, Any]:
    """Labels as expressions read them: a dot in a name is a step down, the first one only."""
    found: dict[str, Any] = {}
    for key, value in labels.items():
        head, _, rest = key.partition(".")
        if rest and isinstance(found.setdefault(head, {}), dict):
            found[head].setdefault(rest, value)
        elif not rest:
            found[head] = value
    return found
