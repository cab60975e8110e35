"""The containers: tasks that hold tasks, one class for each. What each of them does is in `engine.core.flowable`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

from pydantic import Field, field_validator

from engine.model.definition import Definition
from engine.model.inputs import Input
from engine.model.properties import FlowOutput
from engine.model.task import Container, RunnableTask, Task

#: Ends the id of a round: `each[]` is that of the rounds of the Loop `each`.
ROUND = "[]"


def _types(name: str, *older: str) -> tuple[str, ...]:
    names = (f"io.kestra.plugin.core.flow.{name}", f"io.kestra.core.tasks.flows.{name}")
    return (*names, *(f"io.kestra.core.tasks.flows.{other}" for other in older))


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


class EachSequential(Container):
    """`tasks` once for each value, one value at a time. The older spelling of a ForEach."""

    TYPES = _types("EachSequential")
    LOOPS = True
    value: str | tuple[Any, ...]
    tasks: tuple[Task, ...] = Field(min_length=1)

    def main_branches(self) -> Mapping[str, tuple[Task, ...]]:
        return {"tasks": self.tasks}


class EachParallel(Container):
    """`tasks` once for each value, `concurrent` values at a time (0: all); those of one value start together."""

    TYPES = _types("EachParallel")
    LOOPS = True
    value: str | tuple[Any, ...]
    concurrent: int = Field(default=0, ge=0)
    tasks: tuple[Task, ...] = Field(min_length=1)

    def main_branches(self) -> Mapping[str, tuple[Task, ...]]:
        return {"tasks": self.tasks}


class Round(Container):
    """One round of a Loop. No flow writes it: its Loop makes it, from what the flow says of all rounds."""

    id: str  # no task that is written can have it
    outputs: tuple[FlowOutput, ...] = ()
    break_when: str | bool | None = None
    tasks: tuple[Task, ...]

    def main_branches(self) -> Mapping[str, tuple[Task, ...]]:
        return {"tasks": self.tasks}


class Loop(Container):
    """`tasks` once for each of `values` (a list, a map, or the rows of a file), each round a world of its own.

    `item` is the value of the round. What is to be seen of a round afterwards is declared as its `outputs`; `errors`
    and `finally` belong to the round. So the one task of a Loop is its `round`, which holds all others.
    """

    TYPES = _types("Loop")[:1]
    LOOPS = True
    values: str | tuple[Any, ...] | Mapping[str, Any]
    concurrency_limit: int = Field(default=1, ge=0)  #: 0: all at once
    transmit_failed: bool = True
    fetch_type: Literal["AUTO", "FETCH", "STORE"] = "AUTO"
    outputs: tuple[FlowOutput, ...] = ()
    break_when: str | bool | None = None
    tasks: tuple[Task, ...] = Field(min_length=1)

    @cached_property
    def round(self) -> Round:
        """What is run for each value."""
        return Round.model_construct(
            id=f"{self.id}{ROUND}",
            type=self.type,
            tasks=self.tasks,
            errors=self.errors,
            finally_=self.finally_,
            outputs=self.outputs,
            break_when=self.break_when,
        )

    def branches(self) -> Mapping[str, tuple[Task, ...]]:
        return self.main_branches()

    def main_branches(self) -> Mapping[str, tuple[Task, ...]]:
        return {"tasks": (self.round,)}


class AllowFailure(Container):
    """One task after the other; a failure among them is a warning of the whole."""

    TYPES = _types("AllowFailure")
    tasks: tuple[Task, ...] = Field(min_length=1)

    def main_branches(self) -> Mapping[str, tuple[Task, ...]]:
        return {"tasks": self.tasks}


class CheckFrequency(Definition):
    """How often a LoopUntil looks, and when it gives up; None is never."""

    interval: str = "PT1M"
    max_iterations: int | None = Field(default=None, ge=1)
    max_duration: str | None = None


class LoopUntil(Container):
    """`tasks` again and again, until `condition` holds after a round. Each round replaces the one before."""

    TYPES = _types("LoopUntil")[:1]
    condition: str | bool | int
    fail_on_max_reached: bool = False
    check_frequency: CheckFrequency = Field(default_factory=CheckFrequency)
    tasks: tuple[Task, ...] = Field(min_length=1)

    def main_branches(self) -> Mapping[str, tuple[Task, ...]]:
        return {"tasks": self.tasks}


class OlderCheckFrequency(CheckFrequency):
    """The limits that went without saying when LoopUntil was called WaitFor."""

    interval: str = "PT1S"
    max_iterations: int | None = Field(default=100, ge=1)
    max_duration: str | None = "PT1H"


class WaitFor(LoopUntil):
    """The older name of LoopUntil, with the limits of its time."""

    TYPES = _types("WaitFor")
    check_frequency: OlderCheckFrequency = Field(default_factory=OlderCheckFrequency)


class Pause(Container):
    """Waits for a person's decision, or for a time. `tasks` is the older way to say what follows."""

    TYPES = _types("Pause")
    pause_duration: str | None = Field(default=None, alias="pauseDuration")
    delay: str | None = None  #: the older name of `pause_duration`
    behavior: str = "RESUME"  #: what happens when that time is over: RESUME, WARN, FAIL or CANCEL
    on_pause: Task | None = None
    on_resume: tuple[Input, ...] = ()
    tasks: tuple[Task, ...] = ()

    def main_branches(self) -> Mapping[str, tuple[Task, ...]]:
        return {"tasks": self.tasks, "onPause": (self.on_pause,) if self.on_pause is not None else ()}


class NamespaceFiles(Definition):
    """Which files of the namespace are put into a working directory."""

    enabled: bool = True
    include: tuple[str, ...] | str = ()
    exclude: tuple[str, ...] | str = ()
    namespaces: tuple[str, ...] = ()


class Cache(Definition):
    """Files of a working directory that the next run finds again."""

    patterns: tuple[str, ...] = Field(min_length=1)
    ttl: str | None = None


class WorkingDirectory(Container):
    """One task after the other, all in one folder."""

    TYPES = _types("WorkingDirectory", "Worker")
    input_files: Mapping[str, Any] | str | None = None
    output_files: tuple[str, ...] = ()
    namespace_files: NamespaceFiles | None = None
    cache: Cache | None = None
    tasks: tuple[Task, ...] = Field(min_length=1)

    @field_validator("tasks")
    @classmethod
    def _hold_none(cls, tasks: tuple[Task, ...]) -> tuple[Task, ...]:
        for task in tasks:
            if isinstance(task, Container):
                raise ValueError(f'a WorkingDirectory runs tasks that hold no others, and "{task.id}" holds some')
        return tasks

    def main_branches(self) -> Mapping[str, tuple[Task, ...]]:
        return {"tasks": self.tasks}


class Batch(Definition):
    """How a ForEachItem cuts its file. Expressions may give each of these."""

    rows: int | str | None = None
    bytes: int | str | None = None
    partitions: int | str | None = None
    separator: str | None = None


class ForEachItem(Container):
    """A flow, run once for each batch of the rows of a file.

    Its tasks are three that no flow writes: they split the file, run the flow for each batch, and merge the outputs.
    """

    TYPES = _types("ForEachItem")
    items: str
    batch: Batch = Field(default_factory=Batch)
    namespace: str
    flow_id: str
    revision: int | str | None = None
    inputs: Mapping[str, Any] = Field(default_factory=dict)
    labels: Mapping[str, Any] | tuple[Any, ...] = ()
    wait: bool | str = True
    transmit_failed: bool | str = True
    inherit_labels: bool | str = False
    schedule_date: str | None = None
    restart_behavior: Literal["RETRY_FAILED", "NEW_EXECUTION"] = "RETRY_FAILED"

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """What it is made of."""
        split, ran = (f"currentEachOutput(outputs.{self.id}_{name})" for name in ("split", "items"))
        call = self.model_dump(
            mode="json",
            by_alias=True,
            exclude_none=True,
            include={
                "namespace", "flow_id", "revision", "inputs", "wait", "transmit_failed", "inherit_labels",
                "schedule_date", "restart_behavior",
            },
        )  # fmt: skip
        labels = {"labels": [*self.labels] if isinstance(self.labels, tuple) else dict(self.labels)}
        merged = {
            "subflowOutputsBaseUri": f"{{{{ {ran}.subflowOutputsBaseUri ?? '' }}}}",
            "numberOfBatches": f"{{{{ {ran}.numberOfBatches ?? 0 }}}}",
        }
        cut = self.batch.model_dump(mode="json", exclude_none=True)
        return (
            self._made("split", "Split", {"items": self.items, "batch": cut}),
            self._made("items", "Executable", {"splits": f"{{{{ {split}.splits }}}}", **call, **labels}),
            self._made("merge", "MergeOutputs", merged),
        )

    def _made(self, name: str, kind: str, properties: Mapping[str, Any]) -> Task:
        timeout = self.timeout if name == "items" else None
        type_ = f"{self.TYPES[0]}$ForEachItem{kind}"
        return RunnableTask(id=f"{self.id}_{name}", type=type_, properties=properties, timeout=timeout)

    def main_branches(self) -> Mapping[str, tuple[Task, ...]]:
        return {"tasks": self.tasks}


CONTAINERS: tuple[type[Container], ...] = (
    Sequential, Parallel, Dag, If, Switch, ForEach, EachSequential, EachParallel, Loop, AllowFailure, LoopUntil,
    WaitFor, Pause, WorkingDirectory, ForEachItem,
)  # fmt: skip
