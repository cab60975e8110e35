"""Triggers: `conditions`, `preconditions` and `multipleConditions` -> `when`, `dependsOn` and `window`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.dialect.document import Path
from engine.dialect.migrate.conditions import Refused, conjunction, expression, kind_of, meaning_of
from engine.dialect.migrate.draft import Draft
from engine.dialect.sites import triggers
from engine.dialect.types import TypeIndex

FLOW_TRIGGERS = ("io.kestra.plugin.core.trigger.Flow", "io.kestra.core.models.triggers.types.Flow")
OLD = ("conditions", "scheduleConditions", "preconditions", "multipleConditions")
NEW = ("when", "dependsOn", "window", "mode", "minSatisfied", "fireOnce")

_WINDOWS = {
    "DURATION_WINDOW": {"window": "every", "windowAdvance": "offset"},
    "SLIDING_WINDOW": {"window": "lookback"},
    "DAILY_TIME_DEADLINE": {"deadline": "deadline"},
    "DAILY_TIME_WINDOW": {"startTime": "from", "endTime": "to"},
}


def conditions_to_when(draft: Draft, types: TypeIndex) -> None:
    """Every trigger; one that has a condition without a counterpart stays as it is."""
    for path, trigger in triggers(draft.data):
        old = [name for name in OLD if name in trigger]
        if not old:
            continue
        name = old[0]
        if len(old) > 1 or any(new in trigger for new in NEW):
            draft.leave((*path, name), "this trigger is written in two dialects", "keep one of them", key=True)
            continue
        try:
            lines = _of_flow(name, trigger[name]) if trigger.get("type") in FLOW_TRIGGERS else _of_any(trigger[name])
        except Refused as refused:
            draft.leave((*path, name), str(refused), refused.hint, key=True)
            continue
        draft.replace((*path, name), lines)
        _note(draft, path, name, trigger[name], lines)


def when_to_conditions(draft: Draft, types: TypeIndex) -> None:
    """Every trigger whose `when`, `dependsOn` and `window` 1.x can say."""
    for path, trigger in triggers(draft.data):
        new = [name for name in NEW if name in trigger]
        if not new:
            continue
        try:
            lines = _conditions(trigger)
        except Refused as refused:
            draft.leave((*path, new[0]), str(refused), refused.hint, key=True)
            continue
        draft.replace((*path, new[0]), lines)
        for name in new[1:]:
            draft.remove((*path, name))


def _note(draft: Draft, path: Path, name: str, written: Any, lines: list[tuple[str, Any]]) -> None:
    if "Expression" in str(written):
        draft.note((*path, name), "an expression that gives 0 held before, and does not hold now", key=True)
    entries = dict(lines).get("dependsOn", ())
    if len(entries) > 1 and "trigger.outputs" in draft.layout.text:
        draft.note(
            (*path, name),
            "with several upstream flows, trigger.outputs has the outputs of each below its id",
            "write trigger.outputs.FLOW_ID.NAME",
            key=True,
        )


def _of_any(written: Any) -> list[tuple[str, Any]]:
    """The conditions of a trigger that looks at no other flow."""
    if not isinstance(written, list):
        raise Refused("conditions are a list")
    return [("when", _template(conjunction([expression(one) for one in written])))] if written else []


def _of_flow(name: str, written: Any) -> list[tuple[str, Any]]:
    if name == "preconditions":
        return _of_preconditions(written)
    if name == "multipleConditions":
        return _of_multiple(written)
    if not isinstance(written, list):
        raise Refused("conditions are a list")
    several = [one for one in written if kind_of(one) == "MultipleCondition"]
    if several:
        if len(written) > 1:
            raise Refused("a MultipleCondition stands beside other conditions", "write dependsOn by hand")
        return _of_multiple(several[0])
    return _of_conditions(written)


def _of_conditions(written: list[Any]) -> list[tuple[str, Any]]:
    entry: dict[str, Any] = {}
    tests: list[str] = []
    for one in written:
        test, fields = meaning_of(one)
        tests += [test] if test is not None else []
        if entry.keys() & fields.keys():
            raise Refused("two conditions speak of the same thing", "write dependsOn by hand")
        entry |= fields
    lines: list[tuple[str, Any]] = [("when", _template(conjunction(tests)))] if tests else []
    return [*lines, ("dependsOn", [entry])] if entry else lines


def _of_multiple(written: Any) -> list[tuple[str, Any]]:
    inner = written.get("conditions") if isinstance(written, Mapping) else None
    if not isinstance(inner, Mapping) or not inner:
        raise Refused("it holds no conditions")
    entries = []
    for one in inner.values():
        test, fields = meaning_of(one)
        entries.append({**fields, "when": _template(test)} if test is not None else dict(fields))
    older = {name: written[name] for name in ("window", "windowAdvance") if name in written}
    window = _window(written.get("timeWindow") or older)
    return [("dependsOn", entries), ("window", window), ("fireOnce", written.get("resetOnSuccess", True))]


def _of_preconditions(written: Any) -> list[tuple[str, Any]]:
    flows = written.get("flows") if isinstance(written, Mapping) else None
    if not isinstance(flows, list) or not all(isinstance(one, Mapping) for one in flows) or not flows:
        raise Refused("these preconditions name no flows", "write dependsOn by hand")
    if "where" in written:
        raise Refused('"where" filters what cannot all be told in one place', "write it as `when` of an entry")
    return [
        ("dependsOn", [dict(one) for one in flows]),
        ("window", _window(written.get("timeWindow") or {})),
        ("fireOnce", written.get("resetOnSuccess", True)),
    ]


def _window(written: Any) -> dict[str, Any]:
    kind = written.get("type", "DURATION_WINDOW") if isinstance(written, Mapping) else None
    if kind not in _WINDOWS or any("+" in str(value) for value in written.values()):
        raise Refused("this window has no counterpart", "write `window` and its `timezone` by hand")
    fields = {new: str(written[old]).removesuffix("Z") for old, new in _WINDOWS[kind].items() if old in written}
    zone = {"timezone": "UTC"} if any(str(value).endswith("Z") for value in written.values()) else {}
    return {**(fields or {"every": "P1D"}), **zone}


def _template(text: str) -> str:
    return f"{{{{ {text} }}}}"


def _conditions(trigger: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """`conditions`, or `preconditions` where there is a window or more than one flow."""
    entries, window = trigger.get("dependsOn"), trigger.get("window")
    lines: list[tuple[str, Any]] = []
    found: list[dict[str, Any]] = []
    if "mode" in trigger and trigger["mode"] != "ALL":
        raise Refused(f"1.x waits for all flows, not for {trigger['mode']}", "write one trigger for each")
    if "when" in trigger:
        found.append(_condition("Expression", expression=trigger["when"]))
    if isinstance(entries, list) and (len(entries) > 1 or window is not None):
        lines.append(("preconditions", _preconditions(trigger, entries, window)))
    elif isinstance(entries, list) and entries:
        found += _of_entry(entries[0])
    return [*([("conditions", found)] if found else []), *lines]


def _condition(kind: str, **properties: Any) -> dict[str, Any]:
    return {"type": f"io.kestra.plugin.core.condition.{kind}", **properties}


def _of_entry(entry: Any) -> list[dict[str, Any]]:
    if not isinstance(entry, Mapping):
        raise Refused("an entry of dependsOn is a map")
    found = []
    if "flowId" in entry and "namespace" not in entry:
        raise Refused("1.x needs the namespace of a flow", "add it")
    if "flowId" in entry:
        found.append(_condition("ExecutionFlow", namespace=entry["namespace"], flowId=entry["flowId"]))
    elif "namespace" in entry:
        found.append(_condition("ExecutionNamespace", namespace=entry["namespace"], comparison="EQUALS"))
    if "states" in entry:
        found.append(_condition("ExecutionStatus", **{"in": entry["states"]}))
    if "labels" in entry:
        found.append(_condition("ExecutionLabels", labels=entry["labels"]))
    if "when" in entry:
        raise Refused("`when` of an entry reads what 1.x does not have", "write an Expression by hand")
    return found


def _preconditions(trigger: Mapping[str, Any], entries: list[Any], window: Any) -> dict[str, Any]:
    if any(not isinstance(one, Mapping) or "when" in one or "namespace" not in one for one in entries):
        raise Refused("1.x needs the namespace of each flow, and no `when`", "write preconditions by hand")
    written = window if isinstance(window, Mapping) else {}
    for kind, names in _WINDOWS.items():
        if written and written.keys() <= {*names.values(), "timezone"}:
            fields = {old: written[new] for old, new in names.items() if new in written}
            zoned = {key: f"{value}Z" if kind.startswith("DAILY") else value for key, value in fields.items()}
            if written.get("timezone", "UTC") != "UTC" or (kind.startswith("DAILY") and "timezone" not in written):
                raise Refused("1.x has an offset where 2.0 has a time zone", "write preconditions by hand")
            time_window = {"timeWindow": {"type": kind, **zoned}}
            break
    else:
        if written:
            raise Refused("this window has no counterpart", "write preconditions by hand")
        time_window = {}
    return {
        "id": str(trigger.get("id", "flows")),
        **time_window,
        "flows": [dict(one) for one in entries],
        "resetOnSuccess": bool(trigger.get("fireOnce", False)),
    }
