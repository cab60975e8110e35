"""What is left of the attempts of an engine that is gone, and its end: before anything of them is run again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from engine.core.recovery import Survivors
from engine.model.execution import Execution, StartedProcess
from engine.model.state import AttemptState


def survivors(execution: Execution, is_moved: Callable[[str], bool]) -> Survivors:
    """End the processes of all attempts that were at work, unless an engine moves the execution. Which of them cannot
    be ended, by task run.

    It may take some seconds: not for the loop's thread. `is_moved` is asked after the execution has been read, so what
    another engine has begun since is in no danger.
    """
    processes = dict(_at_work(execution))
    if not processes or is_moved(execution.id):
        return {}
    from engine.sdk.process.ending import end  # lazy: most executions have none

    ended = ((run_id, tuple(sorted(end(process)))) for run_id, process in processes.items())
    return {run_id: left for run_id, left in ended if left}


def is_at_work(execution: Execution) -> bool:
    """Whether processes may be left of it."""
    return any(True for _ in _at_work(execution))


def _at_work(execution: Execution) -> Iterator[tuple[str, StartedProcess]]:
    for run in execution.task_runs.values():
        attempt = run.attempts[-1] if run.attempts else None
        if attempt is not None and attempt.process is not None and attempt.state is AttemptState.STARTED:
            yield run.id, attempt.process
