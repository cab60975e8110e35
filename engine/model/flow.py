"""What people write: a flow, as a noun. Built by `engine.dialect`, read by everybody else.

A flow is a tree of containers. A task that is not a container is a `RunnableTask`: what it does is a plugin's
business, so its own properties stay as they were written, expressions and all.
Always true: models are frozen, unknown properties are errors, and the word in YAML is the word here in snake_case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PrivateAttr, StringConstraints

from engine.model.containers import CONTAINERS as CONTAINERS
from engine.model.containers import AllowFailure as AllowFailure
from engine.model.containers import Dag as Dag
from engine.model.containers import DagTask as DagTask
from engine.model.containers import EachParallel as EachParallel
from engine.model.containers import EachSequential as EachSequential
from engine.model.containers import ForEach as ForEach
from engine.model.containers import ForEachItem as ForEachItem
from engine.model.containers import If as If
from engine.model.containers import Loop as Loop
from engine.model.containers import LoopUntil as LoopUntil
from engine.model.containers import Parallel as Parallel
from engine.model.containers import Pause as Pause
from engine.model.containers import Round as Round
from engine.model.containers import Sequential as Sequential
from engine.model.containers import Switch as Switch
from engine.model.containers import WaitFor as WaitFor
from engine.model.containers import WorkingDirectory as WorkingDirectory
from engine.model.definition import Definition as Definition
from engine.model.inputs import Input
from engine.model.listeners import Listener, Trigger
from engine.model.policy import Check, Concurrency, Sla
from engine.model.properties import FlowOutput as FlowOutput
from engine.model.properties import Labels as Labels
from engine.model.properties import Retry as Retry
from engine.model.task import Container as Container
from engine.model.task import LogLevel as LogLevel
from engine.model.task import RunnableTask as RunnableTask
from engine.model.task import Task as Task
from engine.model.tree import Tree

FlowId = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]*$", min_length=1, max_length=100)]
Namespace = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$", min_length=1, max_length=150)]


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
    finally_: tuple[Task, ...] = Field(default=(), alias="finally")
    after_execution: tuple[Task, ...] = ()
    outputs: tuple[FlowOutput, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    plugin_defaults: tuple[PluginDefault, ...] = ()
    retry: Retry | None = None
    listeners: tuple[Listener, ...] = ()
    concurrency: Concurrency | None = None
    sla: tuple[Sla, ...] = ()
    checks: tuple[Check, ...] = ()
    expressions: Literal["kestra", "jinja2"] = "kestra"  #: the language of every `{{ }}` in the flow

    def branches(self) -> Mapping[str, tuple[Task, ...]]:
        """The flow's own lists of tasks by property name."""
        return {
            "tasks": self.tasks,
            "errors": self.errors,
            "finally": self.finally_,
            "afterExecution": self.after_execution,
            **{f"listeners.{index}": listener.tasks for index, listener in enumerate(self.listeners)},
        }

    def branches_after(self) -> tuple[str, ...]:
        """The names of the lists that run once the execution has ended."""
        return ("afterExecution", *(f"listeners.{index}" for index in range(len(self.listeners))))

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
