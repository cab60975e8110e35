"""The kinds of trigger: one class for each way in which an execution is started without a person.

A trigger says when; `engine.core.schedule` tells which instants those are. Texts may hold expressions. Few flows have
any, so only they load this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from engine.model.conditions import TimeWindow
from engine.model.definition import Definition
from engine.model.listeners import Condition, Trigger
from engine.model.properties import Labels
from engine.model.state import TERMINAL, State

#: What is made up for, of the dates that went by while nobody watched: all, the last one, or none.
Recovery = Literal["ALL", "LAST", "NONE"]

_PACKAGE = "io.kestra.plugin.core.trigger"
_OLDER_PACKAGE = "io.kestra.core.models.triggers.types"


def _types(name: str) -> tuple[str, ...]:
    return (f"{_PACKAGE}.{name}", f"{_OLDER_PACKAGE}.{name}")


class TimedTrigger(Trigger):
    """A trigger that is due at dates that are known beforehand, on the clocks of `timezone` (None: the instance's)."""

    timezone: str | None = None
    recover_missed_schedules: Recovery | None = None  #: None: as the instance has it


class Schedule(TimedTrigger):
    """Due whenever a cron expression matches: of five fields, or with seconds of six."""

    TYPES = _types("Schedule")
    cron: str = Field(min_length=1)
    with_seconds: bool = False
    late_maximum_delay: str | None = None  #: later than this, a date is let go
    schedule_conditions: tuple[Condition, ...] = ()  #: the older name of `conditions`
    backfill: Mapping[str, Any] | None = None  #: without meaning: a backfill is asked for, not written

    @property
    def all_conditions(self) -> tuple[Condition, ...]:
        return (*self.conditions, *self.schedule_conditions)


class ScheduleOnDates(TimedTrigger):
    """Due at each of these dates: ISO-8601 texts, or an expression that gives their list."""

    TYPES = _types("ScheduleOnDates")
    dates: tuple[str, ...] | str


class UpstreamFlow(Definition):
    """Executions of a flow that end in one of the states and have all the labels. What is not given is any."""

    namespace: str | None = None
    flow_id: str | None = None
    states: tuple[State, ...] | None = None
    labels: Labels = Field(default_factory=dict)


class Dependency(UpstreamFlow):
    """One entry of `dependsOn`; `when` is an expression about the execution that ended."""

    when: str | bool | None = None


class PreconditionFlow(UpstreamFlow):
    """One entry of `preconditions.flows`, which names at least a namespace."""

    namespace: str


class Filter(Definition):
    """One question about an execution that ended."""

    field: Literal["FLOW_ID", "NAMESPACE", "STATE", "EXPRESSION"]
    type: Literal[
        "EQUAL_TO", "NOT_EQUAL_TO", "IN", "NOT_IN", "IS_TRUE", "IS_FALSE", "IS_NULL", "IS_NOT_NULL", "STARTS_WITH",
        "ENDS_WITH", "REGEX", "CONTAINS",
    ]  # fmt: skip
    value: str | None = None
    values: tuple[str, ...] = ()


class Where(Definition):
    """Executions that all, or one, of the filters let through."""

    id: str
    operand: Literal["AND", "OR"] = "AND"
    filters: tuple[Filter, ...] = Field(min_length=1)


class Preconditions(Definition):
    """Which executions must have ended within a window of time. `flows` and `where` are entries alike."""

    id: str
    description: str | None = None
    time_window: TimeWindow | None = None
    reset_on_success: bool = True
    flows: tuple[PreconditionFlow, ...] = ()
    where: tuple[Where, ...] = ()


class MultipleConditions(Definition):
    """The oldest form of preconditions: named conditions that must all be satisfied within a window of time."""

    id: str | None = None
    description: str | None = None
    time_window: TimeWindow | None = None
    window: str | None = None
    window_advance: str | None = None
    reset_on_success: bool = True
    conditions: Mapping[str, Condition] = Field(min_length=1)


class Window(Definition):
    """How long what was satisfied counts: until a time of day, between two, for a while back, or in turns."""

    deadline: str | None = None
    from_: str | None = Field(default=None, alias="from")
    to: str | None = None
    lookback: str | None = None
    every: str | None = None
    offset: str | None = None
    timezone: str | None = None


class FlowTrigger(Trigger):
    """Starts when executions of other flows reach one of the states. `depends_on` is 2.0, `preconditions` 1.x."""

    TYPES = _types("Flow")
    states: tuple[State, ...] = Field(default=tuple(state for state in State if state in {*TERMINAL, State.PAUSED}))
    preconditions: Preconditions | None = None
    multiple_conditions: MultipleConditions | None = None
    depends_on: tuple[Dependency, ...] = ()
    window: Window | None = None
    mode: Literal["ALL", "ANY", "AT_LEAST"] = "ALL"
    min_satisfied: int | None = Field(default=None, ge=1)
    fire_once: bool = False


class Webhook(Trigger):
    """Starts when somebody calls a URL that ends with `key`."""

    TYPES = _types("Webhook")
    key: str = Field(min_length=1, max_length=256)
    wait: bool = False  #: answer when the execution has ended
    return_outputs: bool = False
    response_content_type: Literal["application/json", "text/plain"] | None = None
    response_code: int | str | None = None
    fetch_type: Literal["FETCH", "STORE", "NONE"] = "FETCH"


class HttpTrigger(Trigger):
    """Asks a URL again and again, and starts when the answer satisfies `response_condition`."""

    TYPES = ("io.kestra.plugin.core.http.Trigger", "io.kestra.plugin.fs.http.Trigger")
    interval: str = "PT60S"
    response_condition: str | bool = "{{ response.statusCode < 400 }}"
    properties: Mapping[str, Any] = Field(default_factory=dict)  #: of the request, as written


class ForeignTrigger(Trigger):
    """A trigger of a type that nothing here runs. `properties` are its own, as written."""

    properties: Mapping[str, Any] = Field(default_factory=dict)


#: Every type that can be written, aliases included -> its class.
TRIGGER_TYPES: Mapping[str, type[Trigger]] = {
    name: trigger
    for trigger in (Schedule, ScheduleOnDates, FlowTrigger, Webhook, HttpTrigger)
    for name in trigger.TYPES
}
#: The task type that tells what the request of an HttpTrigger may say.
HTTP_REQUEST = "io.kestra.plugin.core.http.Request"
#: Those whose own properties are kept as they were written.
WITH_PROPERTIES = (HttpTrigger, ForeignTrigger)
