"""What a task returns that runs other flows, and what it is told when they have ended.

No thread waits for them: `run` returns `StartFlows`, and once all have ended the engine asks the task's `flows_ended`,
perhaps in another process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct, field

from engine.model.state import State


class FlowCall(Struct, frozen=True, kw_only=True):
    """One execution to begin: of the newest revision, unless one is named."""

    namespace: str
    flow_id: str
    revision: int | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    inherit_labels: bool = False  #: whether it gets the labels of the execution that calls, too
    schedule_date: datetime | None = None  #: when it is to begin; None is at once


class StartFlows(Struct, frozen=True, kw_only=True):
    """Begin these executions: all of them, or none when one cannot be begun. Then the task has failed.

    `outputs` is told which ids they got; what it gives are the task's outputs, meanwhile or, without `wait`, for good.
    With `restart_failed`, a person's restart of the task restarts those that failed before, and begins no new ones.
    """

    calls: Sequence[FlowCall]
    outputs: Callable[[Sequence[str]], Mapping[str, Any]]
    wait: bool = True
    restart_failed: bool = False


class EndedFlow(Struct, frozen=True, kw_only=True):
    """An execution that the task began, as it ended. `evaluate` gives the value of a template as it sees it."""

    execution_id: str
    namespace: str
    flow_id: str
    state: State
    outputs: Mapping[str, Any] | None
    error: str | None
    evaluate: Callable[[Any], Any]


class Ending(Struct, frozen=True, kw_only=True):
    """How a task ended after its flows, when it is not simply a success."""

    state: State  #: SUCCESS, WARNING, FAILED, KILLED or CANCELLED
    outputs: Any = None  #: an Output, or a map
    error: str | None = None
