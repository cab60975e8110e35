"""What a Flow trigger waits for together: entries, each satisfied by some execution, within one window of time.

Always true: the order in which executions of one window are looked at changes nothing of what is remembered.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, tzinfo

from msgspec import Struct

from engine.core.triggering.entries import Entry
from engine.core.triggering.memory import Satisfied
from engine.core.triggering.windows import Span, span_at
from engine.model.conditions import MultipleCondition, TimeWindow
from engine.model.listeners import Condition
from engine.model.triggers import FlowTrigger, MultipleConditions, Preconditions, UpstreamFlow, Window

_DEPENDS_ON = "dependsOn"
_MULTIPLE = "multipleConditions"


class Gathering(Struct, frozen=True, kw_only=True):
    """Entries by their names, of which so many are `needed`."""

    id: str
    entries: Mapping[str, Entry]
    window: TimeWindow | Window | None
    needed: int
    resets: bool  #: whether it begins anew once it was complete

    def span(self, before: Iterable[Satisfied], at: datetime, zone: tzinfo) -> Span | None:
        """The window of what happens at an instant, or after that of the latest that was satisfied `before`."""
        return span_at(self.window, max((at, *(one.at for one in before))), zone)


def held(before: Mapping[str, Satisfied], new: Mapping[str, Satisfied], span: Span) -> dict[str, Satisfied]:
    """What is satisfied within a window, when `new` is added to what was satisfied `before`."""
    found: dict[str, Satisfied] = {}
    for name, one in (*before.items(), *new.items()):
        if one.at in span:
            found[name] = max(found.get(name, one), one, key=lambda each: (each.at, each.execution_id))
    return dict(sorted(found.items()))


def own(trigger: FlowTrigger) -> list[Gathering]:
    """What the trigger's own properties gather: all of it must be complete."""
    found = [_depends_on(trigger)] if trigger.depends_on else []
    if trigger.preconditions is not None:
        found.append(_preconditions(trigger.preconditions))
    if trigger.multiple_conditions is not None:
        found.append(_multiple(trigger.multiple_conditions))
    return found


def among(conditions: Iterable[Condition]) -> Iterator[Gathering]:
    """What the conditions of a trigger gather, however deep it stands."""
    for condition in conditions:
        if isinstance(condition, MultipleCondition):
            yield _multiple(condition)
        else:
            yield from among(condition.inner)


def gathers(condition: Condition) -> bool:
    """Whether a condition is, or has in it, one that remembers."""
    return isinstance(condition, MultipleCondition) or any(gathers(inner) for inner in condition.inner)


def _depends_on(trigger: FlowTrigger) -> Gathering:
    entries = {_name(entry): entry for entry in trigger.depends_on}
    needed = {"ALL": len(entries), "ANY": 1, "AT_LEAST": trigger.min_satisfied or 1}[trigger.mode]
    resets = trigger.window is None or trigger.fire_once
    return Gathering(id=_DEPENDS_ON, entries=entries, window=trigger.window, needed=needed, resets=resets)


def _preconditions(written: Preconditions) -> Gathering:
    entries: dict[str, Entry] = {_name(entry): entry for entry in written.flows}
    entries |= {where.id: where for where in written.where}
    return Gathering(
        id=written.id,
        entries=entries,
        window=written.time_window,
        needed=len(entries),
        resets=written.reset_on_success,
    )


def _multiple(written: MultipleConditions | MultipleCondition) -> Gathering:
    older = TimeWindow(window=written.window, window_advance=written.window_advance)
    return Gathering(
        id=written.id or _MULTIPLE,
        entries=written.conditions,
        window=written.time_window or older,
        needed=len(written.conditions),
        resets=written.reset_on_success,
    )


def _name(entry: UpstreamFlow) -> str:
    """What an entry says, so that it is the same one wherever it stands among the others."""
    said = entry.model_dump(by_alias=True, exclude_defaults=True)
    if entry.states is not None:
        said["states"] = sorted(entry.states)
    return json.dumps(said, sort_keys=True, ensure_ascii=False)
