"""The kinds of condition: one class for each kind of question that a listener or a trigger may ask.

A condition says what must be so; `engine.core.conditions` judges whether it is. Texts may hold expressions. Few flows
have any, so only they load this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from engine.model.definition import Definition
from engine.model.listeners import Condition
from engine.model.properties import Labels
from engine.model.state import State

DayOfWeek = Literal["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]
DayInMonth = Literal["FIRST", "SECOND", "THIRD", "FOURTH", "LAST"]
#: Stands where one of several words is due, and an expression gives it.
Template = Annotated[str, StringConstraints(pattern=r"\{\{|\{%")]

_PACKAGE = "io.kestra.plugin.core.condition"
_OLDER_PACKAGE = "io.kestra.core.models.conditions.types"


def _types(name: str, *older: str) -> tuple[str, ...]:
    aliases = (
        f"{package}.{alias}" for alias in older or (f"{name}Condition",) for package in (_PACKAGE, _OLDER_PACKAGE)
    )
    return tuple(dict.fromkeys((f"{_PACKAGE}.{name}", *aliases)))


class DateCondition(Condition):
    """A question about `date`, which is read in the zone that it names itself."""

    date: str = "{{ trigger.date }}"


class DateTimeBetween(DateCondition):
    """Later than `after` and earlier than `before`. One of them is enough."""

    TYPES = _types("DateTimeBetween")
    after: str | None = None
    before: str | None = None


class TimeBetween(DateCondition):
    """Later in the day than `after` and earlier than `before`, on the clocks that those name. One is enough."""

    TYPES = _types("TimeBetween")
    after: str | None = None
    before: str | None = None


class DayWeek(DateCondition):
    """On this day of the week."""

    TYPES = _types("DayWeek")
    day_of_week: DayOfWeek | Template


class DayWeekInMonth(DateCondition):
    """On the first, second, third, fourth or last such day of its month."""

    TYPES = _types("DayWeekInMonth")
    day_of_week: DayOfWeek | Template
    day_in_month: DayInMonth | Template


class Weekend(DateCondition):
    """On a Saturday or Sunday."""

    TYPES = _types("Weekend")


class PublicHoliday(DateCondition):
    """On a public holiday of a country (ISO 3166-1), or of a part of it (ISO 3166-2)."""

    TYPES = _types("PublicHoliday")
    country: str | None = None
    sub_division: str | None = None


class ExecutionFlow(Condition):
    """The execution is one of this flow."""

    TYPES = _types("ExecutionFlow")
    namespace: str
    flow_id: str


class ExecutionNamespace(Condition):
    """The execution is one of this namespace. A prefix is a piece of text: it need not end at a dot."""

    TYPES = _types("ExecutionNamespace")
    namespace: str
    comparison: Literal["EQUALS", "PREFIX", "SUFFIX"] | None = None
    prefix: bool = False  #: the older way to say PREFIX


class ExecutionLabels(Condition):
    """The execution has all of these labels."""

    TYPES = _types("ExecutionLabels")
    labels: Labels


class ExecutionStatus(Condition):
    """The execution is in one of the states `in`, and in none of `not_in`."""

    TYPES = _types("ExecutionStatus")
    in_: tuple[State, ...] | None = Field(default=None, alias="in")
    not_in: tuple[State, ...] | None = None


class ExecutionOutputs(Condition):
    """The execution has outputs, and `expression` holds of them: it sees them as `trigger.outputs`."""

    TYPES = _types("ExecutionOutputs")
    expression: str | bool | int


class HasRetryAttempt(Condition):
    """Some task was tried more than once, and a try of it ended in one of the states `in` and in none of `not_in`."""

    TYPES = _types("HasRetryAttempt")
    in_: tuple[State, ...] | None = Field(default=None, alias="in")
    not_in: tuple[State, ...] | None = None


class Expression(Condition):
    """The expression is rendered to something other than blank text or `false`."""

    TYPES = _types("Expression", "ExpressionCondition", "VariableCondition")
    expression: str | bool | int


class Not(Condition):
    """None of these holds."""

    TYPES = _types("Not")
    conditions: tuple[Condition, ...] = Field(min_length=1)

    @property
    def inner(self) -> tuple[Condition, ...]:
        return self.conditions


class Or(Condition):
    """One of these holds."""

    TYPES = _types("Or")
    conditions: tuple[Condition, ...] = Field(min_length=1)

    @property
    def inner(self) -> tuple[Condition, ...]:
        return self.conditions


class TimeWindow(Definition):
    """How long a MultipleCondition remembers what was satisfied."""

    type: Literal["DURATION_WINDOW", "SLIDING_WINDOW", "DAILY_TIME_DEADLINE", "DAILY_TIME_WINDOW"] = "DURATION_WINDOW"
    window: str | None = None
    window_advance: str | None = None
    deadline: str | None = None
    start_time: str | None = None
    end_time: str | None = None


class MultipleCondition(Condition):
    """Each of these was satisfied within a window of time, by whichever executions."""

    TYPES = _types("MultipleCondition", "MultipleCondition")
    id: str
    description: str | None = None
    time_window: TimeWindow | None = None
    window: str | None = None  #: the older place of `time_window.window`
    window_advance: str | None = None  #: the older place of `time_window.window_advance`
    reset_on_success: bool = True
    conditions: Mapping[str, Condition] = Field(min_length=1)

    @property
    def inner(self) -> tuple[Condition, ...]:
        return tuple(self.conditions.values())


class FlowCondition(Condition):
    """The flow that asks is this one."""

    TYPES = _types("FlowCondition", "FlowCondition")
    namespace: str
    flow_id: str


class FlowNamespaceCondition(Condition):
    """The flow that asks is in this namespace."""

    TYPES = _types("FlowNamespaceCondition", "FlowNamespaceCondition")
    namespace: str
    prefix: bool = False


#: Every type that can be written, aliases included -> its class.
CONDITION_TYPES: Mapping[str, type[Condition]] = {
    name: condition
    for condition in (
        DateTimeBetween, TimeBetween, DayWeek, DayWeekInMonth, Weekend, PublicHoliday, ExecutionFlow,
        ExecutionNamespace, ExecutionLabels, ExecutionStatus, ExecutionOutputs, HasRetryAttempt, Expression, Not, Or,
        MultipleCondition, FlowCondition, FlowNamespaceCondition,
    )
    for name in condition.TYPES
}  # fmt: skip
