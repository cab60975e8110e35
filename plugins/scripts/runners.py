"""Where the commands of a script task run: always as processes of this machine, whatever the flow would rather have.

A flow that names a container means that its commands need what is in the image, so it is told once for each execution
that they run without; or, where the setting `scripts.docker` says `fail`, the task fails.
"""

from collections import OrderedDict
from threading import Lock
from typing import Literal

from pydantic import ConfigDict, field_validator

from engine import sdk

PROCESS = "io.kestra.plugin.core.runner.Process"
DOCKER = "io.kestra.plugin.scripts.runner.docker.Docker"
#: Names of the two that older flows use.
_ALIASES = {
    "io.kestra.core.models.tasks.runners.types.ProcessTaskRunner": PROCESS,
    "io.kestra.core.runners.Process": PROCESS,
    "io.kestra.plugin.scripts.runner.docker.DockerTaskRunner": DOCKER,
}
_REMEMBERED = 1000


class TaskRunner(sdk.Definition):
    """A task runner. Those of Docker have properties of their own, which mean nothing to a process."""

    model_config = ConfigDict(extra="allow")

    type: str
    """`io.kestra.plugin.core.runner.Process`, or Docker's, in place of which a process is used."""

    @field_validator("type")
    @classmethod
    def _known(cls, type_: str) -> str:
        known = _ALIASES.get(type_, type_)
        if known not in (PROCESS, DOCKER):
            raise ValueError(f"there is no task runner of this type here; use {PROCESS}")
        return known


Runner = Literal["PROCESS", "DOCKER"]


class _Warned:
    """The executions that have been warned, as far back as is remembered."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._lock = Lock()

    def is_first(self, execution_id: str) -> bool:
        with self._lock:
            if execution_id in self._ids:
                return False
            self._ids[execution_id] = None
            if len(self._ids) > _REMEMBERED:
                self._ids.popitem(last=False)
            return True


_WARNED = _Warned()


def choose_process(
    ctx: sdk.RunContext, task_runner: TaskRunner | None, runner: Runner | None, *, names_image: bool
) -> None:
    """Make sure that the commands may run as a process. Raises TaskFailed."""
    if task_runner is not None:
        wants_container = task_runner.type == DOCKER
    else:
        wants_container = runner == "DOCKER" or (runner is None and names_image)
    says_process = not wants_container and (task_runner is not None or runner is not None)
    if ctx.process_policy.docker == "fail" and not says_process:
        raise sdk.TaskFailed(
            "the task would run in a container, and there are none here",
            hint=f"set `taskRunner: {{type: {PROCESS}}}`, or `scripts.docker: process` in penstock.yaml",
        )
    if wants_container and _WARNED.is_first(ctx.execution_id):
        ctx.logger.warning("there are no containers here: commands run as processes of this machine")
