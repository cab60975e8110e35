"""What one dialect has and the other has not: it is told, with what to do instead."""

from __future__ import annotations

from engine.dialect.migrate.draft import Draft
from engine.dialect.migrate.expressions import templates
from engine.dialect.sites import sites, triggers
from engine.dialect.types import TypeIndex

_CORE = "io.kestra.plugin.core"
_API = "it calls the REST API there, and needs `auth`"
_KV = "keys, scope and outputs are other ones; use kv.Get, kv.Set and kv.Delete"

#: Types of 1.x that 2.0 does not have -> what to do.
GONE = {
    f"{_CORE}.log.Fetch": f"use io.kestra.plugin.kestra.logs.Fetch; {_API}",
    "io.kestra.core.tasks.log.Fetch": f"use io.kestra.plugin.kestra.logs.Fetch; {_API}",
    f"{_CORE}.execution.Count": f"use io.kestra.plugin.kestra.executions.Count; {_API}",
    "io.kestra.core.tasks.executions.Counts": f"use io.kestra.plugin.kestra.executions.Count; {_API}",
    f"{_CORE}.execution.Resume": f"use a task of io.kestra.plugin.kestra; {_API}",
    "io.kestra.core.tasks.executions.Resume": f"use a task of io.kestra.plugin.kestra; {_API}",
    f"{_CORE}.trigger.Toggle": f"use a task of io.kestra.plugin.kestra; {_API}",
    "io.kestra.core.tasks.trigger.Toggle": f"use a task of io.kestra.plugin.kestra; {_API}",
    **{f"{_CORE}.state.{name}": _KV for name in ("Get", "Set", "Delete")},
    **{f"io.kestra.core.tasks.states.{name}": _KV for name in ("Get", "Set", "Delete")},
    **{
        f"{prefix}.ForEachItem": "split the file with storage.Split, and start a Subflow in a Loop over outputs.ID.uris"
        for prefix in (f"{_CORE}.flow", "io.kestra.core.tasks.flows")
    },
    **{
        f"{prefix}.Template": "write its tasks into the flow, or start a Subflow"
        for prefix in (f"{_CORE}.flow", "io.kestra.core.tasks.flows")
    },
}
#: Types of 2.0 that 1.x does not have.
NOT_YET = {
    f"{_CORE}.storage.PurgeStorage": "use PurgeExecutions with purgeStorage: true",
    f"{_CORE}.trigger.McpToolTrigger": "use a Webhook",
    f"{_CORE}.flow.Approval": "use a Pause with onResume",
}
_GONE_PROPERTIES = {"workerGroup": "use workerSelector with tags; without a fallback it fails where workerGroup waited"}
_NOT_YET_PROPERTIES = {
    "workerSelector": "use workerGroup",
    "policyRefs": "1.x has no policies",
    "quotas": "use concurrency",
}
#: Functions of 2.0 that 1.x does not have.
NEW_FUNCTIONS = frozenset({
    "loopOutputs", "subflow", "isWeekend", "isPublicHoliday", "isDayWeekInMonth", "isLastWorkingDay", "dayOfWeek",
    "dayOfMonth", "monthOfYear", "hourOfDay", "isDateBetween", "isDateAfter", "isDateBefore",
})  # fmt: skip


def removed(draft: Draft, types: TypeIndex) -> None:
    """Types and properties that 2.0 does not have."""
    if draft.data.get("listeners"):
        hint = "write afterExecution: with a `when` that reads execution.state"
        draft.leave(("listeners",), "2.0 has no listeners", hint, key=True)
    _tell(draft, GONE, _GONE_PROPERTIES, "2.0")


def not_there_yet(draft: Draft, types: TypeIndex) -> None:
    """Types, properties and functions that 1.x does not have."""
    _tell(draft, NOT_YET, _NOT_YET_PROPERTIES, "1.x")
    for path, _, is_key, found in templates(draft):
        for call in found.calls:
            if call.name in NEW_FUNCTIONS - {"loopOutputs"} and not call.is_filter:
                draft.leave(path, f"1.x has no function {call.name}()", at=call.start, key=is_key)


def _tell(draft: Draft, types: dict[str, str], properties: dict[str, str], dialect: str) -> None:
    places = [((), draft.data), *((site.path, site.data) for site in sites(draft.data)), *triggers(draft.data)]
    for path, data in places:
        type_ = data.get("type")
        if type_ in types:
            draft.leave((*path, "type"), f"{dialect} has no {type_}", types[type_])
        for name, hint in properties.items():
            if name in data:
                draft.leave((*path, name), f'{dialect} has no "{name}"', hint, key=True)
