"""Following an execution that another engine runs, by reading the database: no ownership is needed for that.

Always true: what is told is what the loop would have told, in the same order: the task runs that moved and the new
log lines, and a state that lasted longer than one commit is never left out. Reading never takes more than a fifth of
the time, however large the execution.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from time import monotonic

from msgspec import Struct
from msgspec.structs import replace

from engine.model.execution import Execution, TaskRun
from engine.model.state import State
from engine.ports import LogLine, Store

#: Seconds between two looks: short while something moves, longer while nothing does.
SHORTEST_PAUSE = 0.020
LONGEST_PAUSE = 0.250
#: How much longer a pause is than the look before it, at least.
REST = 4
#: An execution of more task runs than this is never read more often than every `LONGEST_PAUSE`.
LARGE = 500
#: The loop commits what it does in this time at once, so a state that was shorter may never have been seen.
_ONE_COMMIT = timedelta(milliseconds=20)
_PAGE = 1000


class Look(Struct, frozen=True):
    """What one look at the database found: like a committed change, made of one or more of them."""

    execution: Execution
    task_runs: list[TaskRun]
    logs: list[LogLine]


class Onlooker:
    """Looks at one execution again and again. `pause` says how long to wait before the next look."""

    def __init__(self, store: Store, execution_id: str) -> None:
        self._store = store
        self._id = execution_id
        self._known: dict[str, TaskRun] = {}
        self._state: State | None = None
        self._last_line = 0
        self.pause = SHORTEST_PAUSE

    def look(self) -> Look | None:
        """What is new since the last look; None when nothing is."""
        begun = monotonic()
        execution = self._store.execution(self._id)
        if execution is None:
            return None
        moved = [step for run in execution.in_order() for step in self._steps(run)]
        logs = list(self._new_lines(execution))  # after the execution: so all is told when it has ended
        news = bool(moved or logs or execution.state is not self._state)
        self._state = execution.state
        self._known = dict(execution.task_runs.items())
        self._rest(monotonic() - begun, news=news)
        return Look(execution, moved, logs) if news else None

    def _steps(self, run: TaskRun) -> Iterator[TaskRun]:
        """The run as it is, if it moved, after the states that it went through since the last look."""
        known = self._known.get(run.id)
        seen = len(known.history) if known is not None else 0
        if known is not None and (seen, known.epoch, known.due) == (len(run.history), run.epoch, run.due):
            return
        for place in range(seen, len(run.history) - 1):
            if run.history[place + 1].at - run.history[place].at > _ONE_COMMIT:
                history = run.history[: place + 1]
                yield replace(run, state=history[-1].state, history=history, outputs=None, error=None, due=None)
        yield run

    def _new_lines(self, execution: Execution) -> Iterator[LogLine]:
        while page := self._store.logs(self._id, after=self._last_line, limit=_PAGE):
            for line in page:
                if not execution.is_terminal and _is_early(line, execution):
                    return
                assert line.id is not None
                self._last_line = line.id
                yield line

    def _rest(self, took: float, *, news: bool) -> None:
        shortest = SHORTEST_PAUSE if len(self._known) <= LARGE else LONGEST_PAUSE
        usual = shortest if news else min(self.pause * 1.5, LONGEST_PAUSE)
        self.pause = max(usual, shortest, took * REST)


def _is_early(line: LogLine, execution: Execution) -> bool:
    """Whether the line was written just after the execution was read, by a run that had not started then."""
    if line.task_run_id is None:
        return False
    run = execution.task_runs.get(line.task_run_id)
    return run is None or run.state is State.CREATED
