"""What the language has and this version does not run. Nothing of it is ever silently ignored.

Each table maps a word to the reason that the message gives. An entry goes away when the engine learns it.
"""

from __future__ import annotations

from typing import Any

_LATER = "this version does not run it yet"
_ENTERPRISE = "it belongs to Kestra's commercial edition"

FLOW_PROPERTIES: dict[str, str] = {
    "quotas": _LATER,
    "policyRefs": _ENTERPRISE,
    "workerSelector": _ENTERPRISE,
    "workerGroup": _ENTERPRISE,
}

TASK_PROPERTIES: dict[str, str] = {
    "assets": _ENTERPRISE,
    "policyRefs": _ENTERPRISE,
    "pluginDefaultsRef": _LATER,
    "version": _ENTERPRISE,
    "workerGroup": _ENTERPRISE,
    "workerSelector": _ENTERPRISE,
}

#: What a server writes into a flow that is exported from it. It says nothing about what the flow does.
SERVER_PROPERTIES = ("deleted", "tenantId", "updated")

#: Of triggers. They are read past with a warning: what starts a flow is the same without them.
TRIGGER_PROPERTIES: dict[str, str] = {
    "assets": _ENTERPRISE,
    "policyRefs": _ENTERPRISE,
    "version": _ENTERPRISE,
    "workerGroup": _ENTERPRISE,
    "workerSelector": _ENTERPRISE,
}

INPUT_TYPES: dict[str, str] = {
    "REUSABLE_INPUTS": _ENTERPRISE,
}

_FLOW_TASKS = ("Template", "Approval")

#: Types that flows written elsewhere name. A catalog that knows one of them wins over this table.
TYPES: dict[str, str] = {
    f"{prefix}.{name}": _LATER
    for prefix in ("io.kestra.plugin.core.flow", "io.kestra.core.tasks.flows")
    for name in _FLOW_TASKS
}

#: Values that say what the engine does anyway, so that writing them down changes nothing.
_NEUTRAL: tuple[Any, ...] = (None, False, [], {})


def is_neutral(value: Any) -> bool:
    """Whether a property with this value is as good as not written."""
    return any(value is neutral or (value == neutral and type(value) is type(neutral)) for neutral in _NEUTRAL)
