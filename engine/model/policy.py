"""What a flow allows its executions: how many at once, how long, and under which circumstances one is created."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from engine.model.definition import Definition
from engine.model.properties import Labels

CheckBehavior = Literal["BLOCK_EXECUTION", "FAIL_EXECUTION", "CREATE_EXECUTION"]


class Concurrency(Definition):
    """At most `limit` executions are RUNNING or PAUSED at once; `behavior` says what becomes of the next one."""

    limit: int = Field(gt=0)
    behavior: Literal["QUEUE", "CANCEL", "FAIL"] = "QUEUE"


class Sla(Definition):
    """A promise about an execution. Broken, it gives it `labels`, and ends it unless `behavior` is NONE."""

    id: str = Field(min_length=1)
    type: Literal["MAX_DURATION", "EXECUTION_ASSERTION"]
    behavior: Literal["FAIL", "CANCEL", "NONE"]
    duration: str | None = None  #: MAX_DURATION: how long the execution may take, counted from its creation
    assert_: str | bool | None = Field(default=None, alias="assert")  #: EXECUTION_ASSERTION: must hold at every change
    labels: Labels = Field(default_factory=dict)


class Check(Definition):
    """What must be so before an execution is created. `message` is for whoever wants to start it."""

    when: str | bool  #: `condition` in Kestra 1
    message: str
    style: Literal["INFO", "SUCCESS", "WARNING", "ERROR"] = "INFO"
    behavior: CheckBehavior = "BLOCK_EXECUTION"
