"""Nouns to rows and back, exactly: what goes in comes out equal. Every store speaks through here.

Always true:
* An instant is a whole number of microseconds since 1970 in UTC: exact, eight bytes, sorts and compares as time does.
* JSON is compact text. NaN and the infinities are refused: no reader of JSON agrees on what they are.
* Text that a database cannot hold (NUL, lone surrogates) is escaped: U+001A, then four hexadecimal digits. U+001A
  itself is escaped too, so the way back is unambiguous, and all other text stays as it was written.
* A row is a tuple in the order of the columns in `engine.store.tables`; what never changes comes first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from json import JSONDecoder, JSONEncoder
from math import isfinite
from operator import attrgetter
from typing import Any

from rpds import HashTrieMap

from engine.errors import StoreError, UsageError
from engine.model.execution import Attempt, Execution, History, StateChange, TaskRun
from engine.model.state import AttemptState, State
from engine.ports import ExecutionSummary, FlowRecord, LogLine, Metric

Row = Sequence[Any]

LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STATES = {state.value: state for state in State}
_ATTEMPT_STATES = {state.value: state for state in AttemptState}
_UNSTORABLE = re.compile("[\x00\x1a\ud800-\udfff]")
_ESCAPED = re.compile("\x1a([0-9a-f]{4})")


def levels_from(min_level: str) -> tuple[str, ...]:
    """The log levels that are at least as severe."""
    if min_level not in LEVELS:
        raise UsageError(f"there is no log level {min_level!r}", hint=f"One of {', '.join(LEVELS)}.")
    return LEVELS[LEVELS.index(min_level) :]


def to_micros(at: datetime) -> int:
    """An aware datetime as microseconds since 1970. A naive one is a TypeError: nobody knows when it was."""
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def from_micros(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def to_text(text: str) -> str:
    """Text that every database can hold. Printable text, nearly all there is, passes at the speed of a look."""
    if text.isprintable():
        return text
    return _UNSTORABLE.sub(lambda match: f"\x1a{ord(match[0]):04x}", text)


def from_text(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "\x1a" in text else text


def _maybe_text(text: str | None) -> str | None:
    return None if text is None else to_text(text)


def _maybe_from_text(text: str | None) -> str | None:
    return None if text is None else from_text(text)


def _maybe_micros(at: datetime | None) -> int | None:
    return None if at is None else to_micros(at)


def _maybe_from_micros(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


def _as_dict(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} is not JSON")


_encode = JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_as_dict).encode
_decode = JSONDecoder().decode


def to_json(value: Any) -> str:
    """Compact JSON text. Raises TypeError, ValueError or RecursionError for what JSON cannot hold."""
    text = _encode(value)
    # The encoder itself escapes control characters, so only lone surrogates can be left to escape here.
    return text if text.isascii() else to_text(text)


def from_json(text: str) -> Any:
    return _decode(from_text(text))


def _maybe_json(value: Any) -> str | None:
    return None if value is None else to_json(value)


def _maybe_from_json(text: str | None) -> Any:
    return None if text is None else from_json(text)


def _map_json(value: Mapping[str, Any]) -> str:
    return to_json(value) if value else "{}"


def _history_json(history: History) -> str:
    return "[" + ",".join(['["' + state + '",' + str(to_micros(at)) + "]" for state, at in history]) + "]"


def _history(text: str) -> History:
    return tuple([StateChange(_STATES[state], from_micros(at)) for state, at in _decode(text)])


def _attempts_json(attempts: tuple[Attempt, ...]) -> str:
    if not attempts:
        return "[]"
    return to_json(
        [[a.epoch, a.state.value, to_micros(a.started_at), _maybe_micros(a.ended_at), a.error] for a in attempts]
    )


def _attempts(text: str) -> tuple[Attempt, ...]:
    return tuple(
        Attempt(
            epoch=epoch,
            state=_ATTEMPT_STATES[state],
            started_at=from_micros(started),
            ended_at=_maybe_from_micros(ended),
            error=error,
        )
        for epoch, state, started, ended, error in from_json(text)
    )


def reopens(subject: Execution | TaskRun) -> bool:
    """Whether a person restarted it: then, and only then, a write may take it out of a terminal state."""
    return any(state is State.RESTARTED for state, _at in subject.history)


TASK_RUN_FIXED = 7  #: how many leading columns of a task run's row never change


def task_run_row(run: TaskRun) -> tuple[Any, ...]:
    """A task run as a row of `task_runs`. Raises StoreError, naming it, when a value cannot be stored."""
    try:
        return (
            to_text(run.id),
            to_text(run.execution_id),
            to_text(run.task_id),
            run.seq,
            _maybe_text(run.parent_id),
            _maybe_text(run.value),
            run.iteration,
            run.state.value,
            run.epoch,
            _maybe_micros(run.due),
            _maybe_text(run.error),
            _history_json(run.history),
            _attempts_json(run.attempts),
            _maybe_json(run.outputs),
            None if run.items is None else to_json(run.items),
        )
    except (TypeError, ValueError, RecursionError) as error:
        who = f"task run {run.id} (task {run.task_id}) of execution {run.execution_id}"
        raise _refusal(who, error, {"outputs": run.outputs}) from error


def read_task_run(row: Row) -> TaskRun:
    """The task run that a row of `task_runs` holds."""
    (id_, execution_id, task_id, seq, parent_id, value, iteration,
     state, epoch, due, error, history, attempts, outputs, items) = row  # fmt: skip
    try:
        return TaskRun(
            id=from_text(id_),
            execution_id=from_text(execution_id),
            task_id=from_text(task_id),
            seq=seq,
            parent_id=_maybe_from_text(parent_id),
            value=_maybe_from_text(value),
            iteration=iteration,
            state=_STATES[state],
            epoch=epoch,
            due=_maybe_from_micros(due),
            error=_maybe_from_text(error),
            history=_history(history),
            attempts=_attempts(attempts),
            outputs=_maybe_from_json(outputs),
            items=None if items is None else tuple(from_json(items)),
        )
    except (TypeError, ValueError, KeyError, OverflowError, RecursionError) as fault:
        raise _damage(f"task run {id_} of execution {execution_id}", fault) from fault


#: The fields of an execution that stand in its own row and may change.
own_fields = attrgetter("state", "history", "inputs", "labels", "variables", "outputs", "trigger", "error")
EXECUTION_FIXED = 6  #: how many leading columns of an execution's row never change


def execution_row(execution: Execution) -> tuple[Any, ...]:
    """An execution, without its task runs, as a row of `executions`. Raises StoreError like `task_run_row`."""
    try:
        return (
            to_text(execution.id),
            to_text(execution.namespace),
            to_text(execution.flow_id),
            execution.flow_revision,
            _maybe_text(execution.parent_id),
            _maybe_text(execution.original_id),
            execution.state.value,
            to_micros(execution.started_at),
            _maybe_micros(execution.ended_at),
            _maybe_text(execution.error),
            _history_json(execution.history),
            _map_json(execution.labels),
            _map_json(execution.inputs),
            _map_json(execution.variables),
            _maybe_json(execution.outputs),
            _maybe_json(execution.trigger),
        )
    except (TypeError, ValueError, RecursionError) as error:
        values = {name: getattr(execution, name) for name in ("inputs", "labels", "variables", "outputs", "trigger")}
        raise _refusal(f"execution {execution.id}", error, values) from error


def read_execution(row: Row, task_run_rows: Iterable[Row]) -> Execution:
    """The execution that a row of `executions` and its rows of `task_runs` hold."""
    (id_, namespace, flow_id, flow_revision, parent_id, original_id, state, _started_at, _ended_at, error,
     history, labels, inputs, variables, outputs, trigger) = row  # fmt: skip
    runs = [read_task_run(each) for each in task_run_rows]
    try:
        return Execution(
            id=from_text(id_),
            namespace=from_text(namespace),
            flow_id=from_text(flow_id),
            flow_revision=flow_revision,
            parent_id=_maybe_from_text(parent_id),
            original_id=_maybe_from_text(original_id),
            state=_STATES[state],
            error=_maybe_from_text(error),
            history=_history(history),
            labels=from_json(labels),
            inputs=from_json(inputs),
            variables=from_json(variables),
            outputs=_maybe_from_json(outputs),
            trigger=_maybe_from_json(trigger),
            task_runs=HashTrieMap({run.id: run for run in runs}),
        )
    except (TypeError, ValueError, KeyError, OverflowError, RecursionError) as fault:
        raise _damage(f"execution {id_}", fault) from fault


def read_summary(row: Row) -> ExecutionSummary:
    """The line of a list that `engine.store.tables.SUMMARY` selects."""
    id_, namespace, flow_id, flow_revision, state, started_at, ended_at, labels, error = row
    return ExecutionSummary(
        id=from_text(id_),
        namespace=from_text(namespace),
        flow_id=from_text(flow_id),
        flow_revision=flow_revision,
        state=_STATES[state],
        started_at=from_micros(started_at),
        ended_at=_maybe_from_micros(ended_at),
        labels=from_json(labels),
        error=_maybe_from_text(error),
    )


def flow_row(flow: FlowRecord) -> tuple[Any, ...]:
    created_at = to_micros(flow.created_at)
    return to_text(flow.namespace), to_text(flow.id), flow.revision, to_text(flow.source), created_at, flow.disabled


def read_flow(row: Row) -> FlowRecord:
    namespace, id_, revision, source, created_at, disabled = row
    return FlowRecord(
        namespace=from_text(namespace),
        id=from_text(id_),
        revision=revision,
        source=from_text(source),
        created_at=from_micros(created_at),
        disabled=bool(disabled),
    )


def log_row(line: LogLine) -> tuple[Any, ...]:
    """A log line as a row of `logs` without its id, which the store gives."""
    try:
        return (
            to_text(line.execution_id),
            to_micros(line.at),
            line.level,
            to_text(line.message),
            _maybe_text(line.task_run_id),
            _maybe_text(line.task_id),
            line.attempt,
        )
    except (TypeError, AttributeError) as error:
        raise _refusal(f"a log line of execution {line.execution_id}", error, {}) from error


def read_log(row: Row) -> LogLine:
    id_, execution_id, at, level, message, task_run_id, task_id, attempt = row
    return LogLine(
        id=id_,
        execution_id=from_text(execution_id),
        at=from_micros(at),
        level=level,
        message=from_text(message),
        task_run_id=_maybe_from_text(task_run_id),
        task_id=_maybe_from_text(task_id),
        attempt=attempt,
    )


def metric_row(metric: Metric) -> tuple[Any, ...]:
    """A metric as a row of `metrics` without its id, which the store gives."""
    try:
        value = float(metric.value)
        if not isfinite(value):
            raise ValueError(f"its value is {value}")
        return (
            to_text(metric.execution_id),
            to_micros(metric.at),
            to_text(metric.task_run_id),
            to_text(metric.task_id),
            to_text(metric.name),
            metric.kind,
            value,
            _map_json(metric.tags),
        )
    except (TypeError, ValueError, AttributeError) as error:
        who = f"metric {metric.name!r} of task run {metric.task_run_id} of execution {metric.execution_id}"
        raise _refusal(who, error, {"tags": metric.tags}) from error


def read_metric(row: Row) -> Metric:
    execution_id, at, task_run_id, task_id, name, kind, value, tags = row
    return Metric(
        execution_id=from_text(execution_id),
        at=from_micros(at),
        task_run_id=from_text(task_run_id),
        task_id=from_text(task_id),
        name=from_text(name),
        kind=kind,
        value=value,
        tags=from_json(tags),
    )


def meta_row(key: str, value: Any) -> tuple[str, str]:
    try:
        return to_text(key), to_json(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise _refusal(f"the value for {key!r}", error, {"value": value}) from error


def _refusal(who: str, error: Exception, values: Mapping[str, Any]) -> StoreError:
    culprit = next((f"{name}{path}" for name, value in values.items() if (path := _culprit(value)) is not None), None)
    reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
    return StoreError(
        f"{who} cannot be stored: {f'{culprit}: ' if culprit else ''}{reason}",
        hint="Give only what JSON can hold: text, finite numbers, true, false, null, lists, and maps with text keys.",
    )


def _culprit(value: Any) -> str | None:
    """The path, inside the value, of the innermost thing that JSON cannot hold; None when all can be held."""
    try:
        _encode(value)
    except RecursionError:
        return ""
    except (TypeError, ValueError):
        inner: Iterable[tuple[Any, Any]] = ()
        if isinstance(value, Mapping):
            inner = ((f".{key}", child) for key, child in value.items())
        elif isinstance(value, list | tuple):
            inner = ((f"[{index}]", child) for index, child in enumerate(value))
        return next((f"{step}{path}" for step, child in inner if (path := _culprit(child)) is not None), "")
    return None


def _damage(what: str, fault: Exception) -> StoreError:
    return StoreError(
        f"the stored {what} is damaged: {type(fault).__name__}: {fault}",
        hint="Restore a backup, or delete this execution; `penstock db check` looks for more.",
    )
