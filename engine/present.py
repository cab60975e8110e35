"""What an execution looks like from outside: the shapes that REST, pages and the command line share.

Always true: JSON shapes are Kestra's, with fields that would be null left out; times are ISO-8601 in UTC, durations
ISO-8601. Nothing here reads a clock or a store, so what is shown is a function of what is given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from msgspec.structs import replace

from engine.errors import FlowInvalid
from engine.model.containers import ROUND
from engine.model.duration import format_duration
from engine.model.execution import Attempt, Execution, History, StateChange, TaskRun
from engine.model.sealed import MASK, ciphertext_of
from engine.model.state import SHOWN_AS, TERMINAL, State
from engine.ports import ExecutionSummary, FlowRecord, LogLine

if TYPE_CHECKING:
    from engine.model.flow import Flow
    from engine.model.listeners import Trigger
    from engine.model.scheduling import TriggerKey, TriggerState

Json = dict[str, Any]

#: States in which nothing happens that a reader would want to see before all others.
_CALM = (TERMINAL | {State.CREATED, State.QUEUED}) - {State.FAILED, State.KILLED, State.WARNING}


def iso_time(at: datetime) -> str:
    """`2026-01-31T08:00:00.123456Z`."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def execution_json(execution: Execution) -> Json:
    """An execution with all its task runs."""
    return _present(
        id=execution.id,
        namespace=execution.namespace,
        flowId=execution.flow_id,
        flowRevision=execution.flow_revision,
        inputs=json_ready(execution.inputs),
        outputs=json_ready(execution.outputs),
        labels=_labels(execution.labels),
        state=_state_json(execution.history),
        taskRunList=[task_run_json(as_shown(run, execution.task_runs)) for run in execution.in_order()],
        trigger=json_ready(execution.trigger),
        parentId=execution.parent_id,
        originalId=execution.original_id or execution.id,
        scheduleDate=iso_time(execution.due) if execution.due else None,
        deleted=False,
        metadata={
            "attemptNumber": execution.attempt_number,
            "originalCreatedDate": iso_time(execution.started_at),
        },
        error=execution.error,
    )


def as_shown(run: TaskRun, runs: Mapping[str, TaskRun]) -> TaskRun:
    """A task run as people see it: a round of a Loop has the id of its Loop, and the value that it is about."""
    loop = runs.get(run.parent_id) if run.parent_id is not None and run.task_id.endswith(ROUND) else None
    if loop is None or loop.items is None or run.iteration is None:
        return run
    item = loop.items[run.iteration]
    return replace(run, task_id=loop.task_id, value=item if isinstance(item, str) else item[1])


def task_run_json(run: TaskRun) -> Json:
    """One task run, as it stands in `taskRunList`."""
    return _present(
        id=run.id,
        executionId=run.execution_id,
        taskId=run.task_id,
        parentTaskRunId=run.parent_id,
        value=run.value,
        iteration=run.iteration,
        attempts=[_attempt_json(attempt) for attempt in run.attempts] or None,
        outputs=json_ready(run.outputs),
        state=_state_json(run.history),
        error=run.error,
    )


def summary_json(summary: ExecutionSummary) -> Json:
    """A row of a list of executions: its state without a history."""
    ended = summary.ended_at
    state = _present(
        current=summary.state.value,
        startDate=iso_time(summary.started_at),
        endDate=iso_time(ended) if ended else None,
        duration=format_duration(ended - summary.started_at) if ended else None,
    )
    return _present(
        id=summary.id,
        namespace=summary.namespace,
        flowId=summary.flow_id,
        flowRevision=summary.flow_revision,
        labels=_labels(summary.labels),
        state=state,
        error=summary.error,
    )


def light_execution_json(summary: ExecutionSummary) -> Json:
    """The same in the shape of a whole execution, with what clients rely on to be there."""
    row = summary_json(summary)
    ends = [("CREATED", summary.started_at), (summary.state.value, summary.ended_at)]
    row["state"]["histories"] = [{"state": state, "date": iso_time(at)} for state, at in ends if at is not None]
    parent = {"parentId": summary.parent_id} if summary.parent_id is not None else {}
    return {**row, **parent, "originalId": summary.original_id or summary.id, "deleted": False}


def log_json(line: LogLine) -> Json:
    """One log line."""
    return _present(
        executionId=line.execution_id,
        taskId=line.task_id,
        taskRunId=line.task_run_id,
        attemptNumber=line.attempt,
        timestamp=iso_time(line.at),
        level=line.level,
        message=line.message,
    )


def flow_json(record: FlowRecord, *, with_source: bool = False) -> Json:
    """The head of a stored flow, and its source if asked for."""
    return _present(
        id=record.id,
        namespace=record.namespace,
        revision=record.revision,
        disabled=record.disabled,
        updated=iso_time(record.created_at),
        source=record.source if with_source else None,
    )


def definition_json(record: FlowRecord, *, with_source: bool = False) -> Json:
    """A stored flow with all that is written in it, as it is written, but labels always as a list."""
    from engine.dialect.document import read
    from engine.dialect.source import decode

    try:
        written = read(decode(record.source, f"{record.namespace}/{record.id}")).data
    except FlowInvalid:  # it was stored by a version that could read it
        written = None
    data = json_ready(written) if isinstance(written, Mapping) else {}
    if isinstance(data.get("labels"), Mapping):
        data["labels"] = [{"key": key, "value": value} for key, value in data["labels"].items()]
    return {**data, **flow_json(record, with_source=with_source), "deleted": False, "draft": False}


def trigger_json(flow: Flow, trigger: Trigger) -> Json:
    """A trigger with all that is written in it."""
    written = trigger.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return {**written, "id": trigger.id, "type": trigger.type, "namespace": flow.namespace, "flowId": flow.id}


def trigger_state_json(key: TriggerKey, state: TriggerState | None, *, disabled: bool) -> Json:
    """How far a trigger has come, by Kestra's names of today and those before 2.0; little if nobody watches it yet."""
    backfill = state.backfill if state is not None else None
    next_at = iso_time(state.next_at) if state is not None and state.next_at is not None else None
    last_at = iso_time(state.last_at) if state is not None and state.last_at is not None else None
    return _present(
        namespace=key.namespace,
        flowId=key.flow_id,
        triggerId=key.trigger_id,
        updatedAt=iso_time(state.updated_at) if state is not None else None,
        nextEvaluationDate=next_at,
        nextExecutionDate=next_at,
        lastTriggeredDate=last_at,
        date=last_at,
        executionId=state.execution_id if state is not None else None,
        disabled=disabled,
        locked=False,
        error=state.problem if state is not None else None,
        backfill=None
        if backfill is None or state is None
        else _present(
            start=iso_time(backfill.start),
            end=iso_time(backfill.end),
            currentDate=iso_time(state.backfill_at or backfill.start),
            paused=backfill.paused,
            inputs=json_ready(backfill.inputs),
            labels=_labels(backfill.labels),
        ),
    )


def _present(**fields: Any) -> Json:
    return {name: value for name, value in fields.items() if value is not None}


def json_ready(value: Any) -> Any:
    """The value with mappings and tuples of any kind as the dicts and lists that JSON knows, and nothing secret."""
    if ciphertext_of(value) is not None:
        return MASK
    if isinstance(value, Mapping):
        return {str(key): json_ready(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(item) for item in value]
    return value


def _labels(labels: Mapping[str, str]) -> list[Json]:
    return [{"key": key, "value": value} for key, value in labels.items()]


def _state_json(history: History) -> Json:
    first, last = history[0], history[-1]
    stands_still = last.state in TERMINAL or last.state is State.PAUSED
    return _present(
        current=last.state.value,
        histories=[{"state": change.state.value, "date": iso_time(change.at)} for change in history],
        startDate=iso_time(first.at),
        endDate=iso_time(last.at) if stands_still else None,
        duration=format_duration(last.at - first.at),
    )


def _attempt_json(attempt: Attempt) -> Json:
    history = [StateChange(State.RUNNING, attempt.started_at)]
    if attempt.ended_at is not None:
        history.append(StateChange(SHOWN_AS[attempt.state], attempt.ended_at))
    return _present(state=_state_json(tuple(history)), error=attempt.error, logFile=attempt.log_file)


class TreeLine(Struct, frozen=True, kw_only=True):
    """One line of an execution's tree: a task run, or how many more there are beside it (`run` is None)."""

    branch: tuple[bool, ...]  #: for each level from the top, whether what stands there is the last of its siblings
    run: TaskRun | None
    more: Mapping[State, int] = field(default_factory=dict)


class ExecutionTree:
    """The task runs of one execution, nested, always showable in a few lines.

    Fed with what moved, it does work for that alone; drawing costs the lines drawn, however many task runs there are.
    """

    def __init__(self, runs: Iterable[TaskRun] = ()) -> None:
        self.runs: dict[str, TaskRun] = {}
        self._children: dict[str | None, list[str]] = {}
        self._tallies: dict[str | None, Counter[State]] = {}
        #: By parent, the children worth a line before all others; a dict keeps their order.
        self._notable: dict[str | None, dict[str, None]] = {}
        self.update(runs)

    def update(self, runs: Iterable[TaskRun]) -> None:
        """Take in the newest values of task runs."""
        for run in sorted(runs, key=lambda run: run.seq):
            before = self.runs.get(run.id)
            tally = self._tallies.setdefault(run.parent_id, Counter())
            if before is None:
                self._children.setdefault(run.parent_id, []).append(run.id)
            else:
                tally[before.state] -= 1
            tally[run.state] += 1
            notable = self._notable.setdefault(run.parent_id, {})
            if run.state in _CALM:
                notable.pop(run.id, None)
            else:
                notable[run.id] = None
            self.runs[run.id] = run

    def lines(self, limit: int | None = None) -> list[TreeLine]:
        """The tree from the top, in at most `limit` lines; None draws everything."""
        if limit is None:
            return list(self._walk(None, (), None))
        widths = {limit, limit - 1, limit // 2, limit // 4, 3, 2, 1}
        for breadth in sorted((width for width in widths if 0 < width <= limit), reverse=True):
            lines: list[TreeLine] = []
            for line in self._walk(None, (), breadth):
                lines.append(line)
                if len(lines) > limit:
                    break
            else:
                return lines
        return lines[:limit]

    def _walk(self, parent: str | None, branch: tuple[bool, ...], breadth: int | None) -> Iterator[TreeLine]:
        shown, more = self._pick(parent, breadth)
        for position, run_id in enumerate(shown):
            here = (*branch, position == len(shown) - 1 and not more)
            yield TreeLine(branch=here, run=as_shown(self.runs[run_id], self.runs))
            yield from self._walk(run_id, here, breadth)
        if more:
            yield TreeLine(branch=(*branch, True), run=None, more=more)

    def _pick(self, parent: str | None, breadth: int | None) -> tuple[Sequence[str], Mapping[State, int]]:
        """The children that get a line, in order, and the states of those that do not."""
        children = self._children.get(parent, [])
        if breadth is None or len(children) <= breadth:
            return children, {}
        chosen = {run_id for run_id, _ in zip(self._notable[parent], range(breadth), strict=False)}
        for run_id in reversed(children[-2 * breadth :]):
            if len(chosen) >= breadth:
                break
            chosen.add(run_id)
        shown = sorted(chosen, key=lambda run_id: self.runs[run_id].seq)
        more = self._tallies[parent] - Counter(self.runs[run_id].state for run_id in shown)
        return shown, dict(more)


def first_failure(runs: Iterable[TaskRun]) -> TaskRun | None:
    """The task run that explains a failed execution: the first that failed by itself, not through what it holds."""
    known = {run.id: run for run in runs}
    failed = [run for run in known.values() if run.state is State.FAILED]
    holders = {run.parent_id for run in failed}
    first = min((run for run in failed if run.id not in holders), key=_ended, default=None)
    return as_shown(first, known) if first is not None else None


def _ended(run: TaskRun) -> tuple[datetime, int]:
    return run.history[-1].at, run.seq
