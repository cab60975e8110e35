"""Every error that this engine raises on purpose. This module imports nothing.

    PenstockError
    |-- FlowInvalid            the flow's author: what is written cannot be run       exit 2, HTTP 422
    |-- InputsInvalid          who started the run: inputs that the flow refuses      exit 2, HTTP 422
    |-- UsageError             who typed the command: bad option, path, setting       exit 2, HTTP 422
    |-- ExpressionError        the flow's author: an expression that fails            a failed task, never a crash
    |-- NotFound               no such flow, execution, type, ...                     exit 2, HTTP 404
    |-- IllegalState           the thing is there, but not in a state that allows it  exit 2, HTTP 409
    |-- ExecutionBlocked       the flow's own checks do not let it be started         exit 1, HTTP 409
    |-- FileRefused            a URI that names no file, or one that is not theirs    exit 2, HTTP 422
    |-- TaskFailed             a task says that its work failed                       the task run is FAILED
    |   |-- RetryLater         ... and when it is worth trying again                  the task run is RETRYING
    |   |-- TaskTimedOut       ... that it ended itself when its time was up
    |   `-- ProcessesLeft      ... with processes that cannot be ended                never tried again by itself
    |-- TaskCancelled          the work was told to stop, and did                     the task run is KILLED
    |-- PluginBroken           the plugin's author: cannot be imported, or misbehaves exit 2 / the task run is FAILED
    |-- PlacesTaken            other engines took the places under a flow's limit     the execution waits, or ends
    |-- StoreError             the database: unreachable, damaged, of another version exit 1, HTTP 503
    |   |-- StoreBusy          another engine owns it                                 exit 4
    |   |-- StoreUnreachable   nobody answers just now; nothing was written           worth trying again
    |   |-- CommitUnknown      nobody can say whether a write was done                read it again
    |   `-- Fenced             a write by somebody who no longer owns what it writes  discarded
    `-- InvariantBroken        ourselves: a bug in the engine; please report it       exit 1

Any other exception that reaches a user is a bug.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar


class PenstockError(Exception):
    """The root. `exit_code` is what the command line answers with."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint  #: what to do next, one sentence


class FlowInvalid(PenstockError):
    """What is written cannot be run. `diagnostics` holds all findings, in the order of the file."""

    exit_code = 2

    def __init__(self, message: str, diagnostics: Sequence[Any] = (), *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.diagnostics = tuple(diagnostics)  #: engine.model.diagnostic.Diagnostic


class InputsInvalid(PenstockError):
    """Inputs that the flow refuses; `problems` has one line for each, all at once.

    `missing` are the ids of those that are required and were not given.
    """

    exit_code = 2

    def __init__(self, problems: Sequence[str], *, missing: Sequence[str] = (), hint: str | None = None) -> None:
        super().__init__("\n".join(problems), hint=hint)
        self.problems = tuple(problems)
        self.missing = tuple(missing)


class UsageError(PenstockError):
    """A command, option, path or setting that makes no sense."""

    exit_code = 2


class NotFound(PenstockError):
    """There is no such thing."""

    exit_code = 2


class IllegalState(PenstockError):
    """The thing exists, but its state does not allow what was asked."""

    exit_code = 2


class ExecutionBlocked(PenstockError):
    """The flow's own `checks` do not let it be started now, or with these inputs. Nothing was created."""


class FileRefused(PenstockError):
    """What cannot be the name of a file, or names one that whoever asks has no right to."""

    exit_code = 2


class ExpressionError(PenstockError):
    """An expression that cannot be parsed or evaluated.

    `template` is the whole text, `offset` the character in it where the trouble starts (None when unknown),
    `code` a stable machine-readable name.
    """

    def __init__(
        self,
        message: str,
        *,
        template: str = "",
        offset: int | None = None,
        code: str = "expression",
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.template = template
        self.offset = offset
        self.code = code


class TaskFailed(PenstockError):
    """A task's own failure. `outputs` are kept all the same when given."""

    def __init__(self, message: str, *, outputs: Any = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.outputs = outputs


class RetryLater(TaskFailed):
    """The attempt failed, and is worth repeating in `seconds` seconds. The wait holds no worker."""

    def __init__(self, message: str, *, seconds: float, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.seconds = seconds


class TaskTimedOut(TaskFailed):
    """The time of the attempt was up, and all that it had started has been ended."""


class ProcessesLeft(TaskFailed):
    """The attempt has ended, but not these processes of it."""

    def __init__(self, pids: Iterable[int]) -> None:
        self.pids = tuple(sorted(pids))
        told = ", ".join(map(str, self.pids))
        super().__init__(f"the task has ended, but not its processes {told}", hint="look at them, and end them")


class TaskCancelled(PenstockError):
    """The work was told to stop, and stopped."""


class PluginBroken(PenstockError):
    """A plugin that cannot be imported or breaks its contract. The message names the plugin."""

    exit_code = 2


class StoreError(PenstockError):
    """The database cannot be reached, is damaged, or is of another version."""


class StoreBusy(StoreError):
    """Another engine owns the database."""

    exit_code = 4


class StoreUnreachable(StoreError):
    """The link to the database is broken, or nobody answers at its address just now. Nothing was written."""


class StoreFull(StoreError):
    """There is no room on the disk of the database. Nothing was written."""


class CommitUnknown(StoreError):
    """The link broke during a commit, and it cannot be found out whether that was done."""


class PlacesTaken(PenstockError):
    """Executions that would begin find no place under the limit of their flow; nothing was written."""

    def __init__(self, execution_ids: Sequence[str]) -> None:
        super().__init__(f"no place is left for {', '.join(execution_ids)}; other engines run others of the flow")
        self.execution_ids = tuple(execution_ids)


class InvariantBroken(PenstockError):
    """A bug in this engine. The message tells the story of what it happened to."""


class Fenced(StoreError):
    """A write of somebody who no longer owns what it writes; nothing was written."""
