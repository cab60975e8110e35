"""What people write: a flow and the tasks in it, as nouns. Built by `engine.dialect`, read by everybody else.

A flow is a tree of containers. A task that is not a container is a `RunnableTask`: what it does is a plugin's
business, so its own properties stay as they were written, expressions and all.
Always true: models are frozen, unknown properties are errors, and the word in YAML is the word here in snake_case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, PrivateAttr, StringConstraints, field_validator

from engine.model.definition import Definition as Definition
from engine.model.inputs import Input
from engine.model.tree import Tree

FlowId = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]*$", min_length=1, max_length=100)]
Namespace = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$", min_length=1, max_length=150)]
TaskId = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_-]*$", min_length=1, max_length=256)]
LogLevel = Literal["ERROR", "WARN", "INFO", "DEBUG", "TRACE"]


def _as_labels(labels: Any) -> Any:
    """Labels are a map, or a list of {key, value}; their values are text, however they are written."""
    if isinstance(labels, (list, tuple)):
        if not all(isinstance(entry, Mapping) and set(entry) == {"key", "value"} for entry in labels):
            raise ValueError("labels are a map, or a list of entries with `key` and `value`")
        labels = {entry["key"]: entry["value"] for entry in labels}
    if not isinstance(labels, Mapping):
        return labels
    return {key: str(value).lower() if isinstance(value, bool) else value for key, value in labels.items()}


Labels = Annotated[Mapping[str, str], BeforeValidator(_as_labels)]


class Retry(Definition):
    """When a failed attempt is repeated. `max_attempt` counts all attempts, the first included."""

    type: Literal["constant", "exponential", "random"]
    interval: str | None = None
    max_interval: str | None = None
    min_interval: str | None = None
    delay_factor: float | None = None
    max_attempt: int | None = Field(default=None, ge=1, alias="maxAttempt")
    max_attempts: int | None = Field(default=None, ge=1, alias="maxAttempts")
    max_duration: str | None = None
    warning_on_retry: bool = False
    behavior: Literal["RETRY_FAILED_TASK", "CREATE_NEW_EXECUTION"] = "RETRY_FAILED_TASK"


class Task(Definition):
    """What every task has, whatever it does."""

    id: TaskId
    type: str
    description: str | None = None
    disabled: bool = False
    run_if: str | bool | None = Field(default=None, alias="runIf")  #: `when` in Kestra 2.0
    allow_failure: bool = False
    allow_warning: bool = False
    timeout: str | None = None  #: ISO-8601 duration or an expression; of one attempt
    retry: Retry | None = None
    log_level: LogLevel | None = None
    log_to_file: bool = False
    worker_group: Mapping[str, Any] | None = None

    def branches(self) -> Mapping[str, tuple[Task, ...]]:
        """The lists of child tasks by the name of the property they stand in. Empty for a runnable task."""
        return {}


class RunnableTask(Task):
    """A task that a plugin runs. `type` is canonical (aliases are resolved)."""

    properties: Mapping[str, Any] = Field(default_factory=dict)  #: as written, not rendered


class Container(Task):
    """A task that holds tasks."""

    #: Canonical type string first, then its aliases.
    TYPES: ClassVar[tuple[str, ...]] = ()
    #: Whether its main tasks run once for each of several values.
    LOOPS: ClassVar[bool] = False

    errors: tuple[Task, ...] = ()

    def branches(self) -> Mapping[str, tuple[Task, ...]]:
        return {**self.main_branches(), "errors": self.errors}

    def main_branches(self) -> Mapping[str, tuple[Task, ...]]:
        """The branches without `errors`."""
        raise NotImplementedError


def _types(name: str) -> tuple[str, ...]:
    return (f"io.kestra.plugin.core.flow.{name}", f"io.kestra.core.tasks.flows.{name}")


class Sequential(Container):
    """One task after the other."""

    TYPES = _types("Sequential")
    tasks: tuple[Task, ...] = Field(min_length=1)

    def main_branches(self) -> Mapping[str, tuple[Task, ...]]:
        return {"tasks": self.tasks}


class Parallel(Container):
    """All tasks at once, or at most `concurrent` of them."""

    TYPES = _types("Parallel")
    tasks: tuple[Task, ...] = Field(min_length=1)
    concurrent: int = Field(default=0, ge=0)  #: 0 is without limit

    def main_branches(self) -> Mapping[str, tuple[Task, ...]]:
        return {"tasks": self.tasks}


class DagTask(Definition):
    """One task of a Dag and the ids of the tasks that must have ended before it starts."""

    task: Task
    depends_on: tuple[str, ...] = ()


class Dag(Container):
    """Each task as soon as those it depends on have ended."""

    TYPES = _types("Dag")
    tasks: tuple[DagTask, ...] = Field(min_length=1)
    concurrent: int = Field(default=0, ge=0)

    def main_branches(self) -> Mapping[str, tuple[Task, ...]]:
        return {"tasks": tuple(entry.task for entry in self.tasks)}


class If(Container):
    """`then` or `else`, by the truth of the rendered `condition`."""

    TYPES = _types("If")
    condition: str | bool | int
    then: tuple[Task, ...] = Field(min_length=1)
    else_: tuple[Task, ...] = Field(default=(), alias="else")

    def main_branches(self) -> Mapping[str, tuple[Task, ...]]:
        return {"then": self.then, "else": self.else_}


class Switch(Container):
    """The case that equals the rendered `value`, else `defaults`; neither is a failure."""

    TYPES = _types("Switch")
    value: str | bool | int | float
    cases: Mapping[str, tuple[Task, ...]] = Field(default_factory=dict)
    defaults: tuple[Task, ...] = ()

    @field_validator("cases", mode="before")
    @classmethod
    def _text_keys(cls, cases: Any) -> Any:
        # `cases: {true: ..., 1: ...}` is natural to write; the value it is compared with is rendered text.
        if not isinstance(cases, Mapping):
            return cases
        return {
            {True: "true", False: "false"}.get(key, str(key)) if not isinstance(key, str) else key: tasks
            for key, tasks in cases.items()
        }

    def main_branches(self) -> Mapping[str, tuple[Task, ...]]:
        return {**{f"cases.{key}": tasks for key, tasks in self.cases.items()}, "defaults": self.defaults}


class ForEach(Container):
    """`tasks` once for each value; `concurrency_limit` values at a time (0: all)."""

    TYPES = _types("ForEach")[:1]
    LOOPS = True
    values: str | tuple[Any, ...]
    concurrency_limit: int = Field(default=1, ge=0)
    tasks: tuple[Task, ...] = Field(min_length=1)

    def main_branches(self) -> Mapping[str, tuple[Task, ...]]:
        return {"tasks": self.tasks}


CONTAINERS: tuple[type[Container], ...] = (Sequential, Parallel, Dag, If, Switch, ForEach)


class FlowOutput(Definition):
    """A named value of the whole flow, rendered when an execution ends."""

    id: str
    type: str | None = None
    value: Any = None
    display_name: str | None = None
    description: str | None = None
    required: bool = True


class PluginDefault(Definition):
    """Values for every map whose `type` is, or starts with, `type`."""

    type: str
    forced: bool = False
    values: Mapping[str, Any] = Field(default_factory=dict)


class Flow(Definition):
    """A flow: what is run, in which order, under which name."""

    id: FlowId
    namespace: Namespace
    revision: int = Field(default=1, ge=1)
    description: str | None = None
    disabled: bool = False
    labels: Labels = Field(default_factory=dict)
    inputs: tuple[Input, ...] = ()
    variables: Mapping[str, Any] = Field(default_factory=dict)
    tasks: tuple[Task, ...] = Field(min_length=1)
    errors: tuple[Task, ...] = ()
    outputs: tuple[FlowOutput, ...] = ()
    triggers: tuple[Mapping[str, Any], ...] = ()
    plugin_defaults: tuple[PluginDefault, ...] = ()
    retry: Retry | None = None
    expressions: Literal["kestra", "jinja2"] = "kestra"  #: the language of every `{{ }}` in the flow

    def branches(self) -> Mapping[str, tuple[Task, ...]]:
        """The flow's own lists of tasks by property name."""
        return {"tasks": self.tasks, "errors": self.errors}

    _source: str | None = PrivateAttr(default=None)

    @property
    def source(self) -> str | None:
        """The text that the flow was read from; None for one that was put together in memory."""
        return self._source

    def written_as(self, source: str) -> Self:
        """The same flow, remembering its text."""
        copy = self.model_copy()
        copy._source = source
        return copy

    @cached_property
    def tree(self) -> Tree:
        """Where every task stands."""
        return Tree(self)

    def walk(self) -> Iterator[Task]:
        """Every task of the flow, containers before what they hold, in the order of the file."""
        stack: list[Task] = [task for branch in reversed([*self.branches().values()]) for task in reversed(branch)]
        while stack:
            task = stack.pop()
            yield task
            stack.extend(child for branch in reversed([*task.branches().values()]) for child in reversed(branch))
