"""Nouns to rows and back: what goes in comes out equal. Every store speaks through here.

Always true: a row is a tuple in the order of the columns in `engine.store.tables`, what never changes comes first;
a value that cannot be stored is a StoreError that names whose it is, before anything is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite
from operator import attrgetter
from typing import Any

from msgspec.structs import astuple, replace
from rpds import HashTrieMap

from engine.errors import UsageError
from engine.model.execution import Attempt, Caller, Execution, History, Item, StartedProcess, StateChange, TaskRun
from engine.model.keyvalue import KeyValue, ValueType
from engine.model.state import AttemptState, State
from engine.ports import ExecutionSummary, FlowRecord, LogLine, Metric, SecretRecord
from engine.store.codec import (
    DAMAGED,
    UNSTORABLE,
    damage,
    from_json,
    from_micros,
    from_text,
    map_json,
    maybe_from_json,
    maybe_from_micros,
    maybe_from_text,
    maybe_json,
    maybe_micros,
    maybe_text,
    refusal,
    to_json,
    to_micros,
    to_text,
)

Row = Sequence[Any]

LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR")

_STATES = {state.value: state for state in State}
_ATTEMPT_STATES = {state.value: state for state in AttemptState}


def _history_json(history: History) -> str:
    return "[" + ",".join(['["' + state + '",' + str(to_micros(at)) + "]" for state, at in history]) + "]"


def _history(text: str) -> History:
    return tuple([StateChange(_STATES[state], from_micros(at)) for state, at in from_json(text)])


def _attempts_json(attempts: tuple[Attempt, ...]) -> str:
    return "[" + ",".join([_attempt_json(attempt) for attempt in attempts]) + "]"


def _attempt_json(attempt: Attempt) -> str:
    # By hand, like histories: every task run has both, and the encoder takes three times as long.
    ended = "null" if attempt.ended_at is None else to_micros(attempt.ended_at)
    error = "null" if attempt.error is None else to_json(attempt.error)
    rest = "" if attempt.log_file is None and attempt.process is None else f",{to_json(attempt.log_file)}"
    if attempt.process is not None:
        rest += f",{to_json(astuple(attempt.process))}"
    return f'[{attempt.epoch},"{attempt.state.value}",{to_micros(attempt.started_at)},{ended},{error}{rest}]'


def _attempts(text: str) -> tuple[Attempt, ...]:
    return tuple(
        Attempt(
            epoch=epoch,
            state=_ATTEMPT_STATES[state],
            started_at=from_micros(started),
            ended_at=maybe_from_micros(ended),
            error=error,
            log_file=rest[0] if rest else None,
            process=StartedProcess(pid=rest[1][0], started_at=rest[1][1], marker=rest[1][2]) if rest[1:] else None,
        )
        for epoch, state, started, ended, error, *rest in from_json(text)
    )


def reopens(run: TaskRun) -> bool:
    """Whether a person restarted it: then, and only then, a write may take it out of a terminal state."""
    return any(state is State.RESTARTED for state, _at in run.history)


TASK_RUN_FIXED = 7  #: how many leading columns of a task run's row never change


def task_run_row(run: TaskRun) -> tuple[Any, ...]:
    """A task run as a row of `task_runs`. Raises StoreError, naming it, when a value cannot be stored."""
    try:
        return (
            to_text(run.id),
            to_text(run.execution_id),
            to_text(run.task_id),
            run.seq,
            maybe_text(run.parent_id),
            maybe_text(run.value),
            run.iteration,
            run.state.value,
            run.epoch,
            maybe_micros(run.due),
            maybe_text(run.error),
            _history_json(run.history),
            _attempts_json(run.attempts),
            maybe_json(run.outputs),
            None if run.items is None else to_json(run.items),
            None if run.calls is None else to_json(run.calls),
        )
    except UNSTORABLE as error:
        who = f"task run {run.id} (task {run.task_id}) of execution {run.execution_id}"
        raise refusal(who, error, {"outputs": run.outputs}) from error


def read_task_run(row: Row) -> TaskRun:
    """The task run that a row of `task_runs` holds."""
    (id_, execution_id, task_id, seq, parent_id, value, iteration,
     state, epoch, due, error, history, attempts, outputs, items, calls) = row  # fmt: skip
    try:
        return TaskRun(
            id=from_text(id_),
            execution_id=from_text(execution_id),
            task_id=from_text(task_id),
            seq=seq,
            parent_id=maybe_from_text(parent_id),
            value=maybe_from_text(value),
            iteration=iteration,
            state=_STATES[state],
            epoch=epoch,
            due=maybe_from_micros(due),
            error=maybe_from_text(error),
            history=_history(history),
            attempts=_attempts(attempts),
            outputs=maybe_from_json(outputs),
            items=None if items is None else tuple(map(_item, from_json(items))),
            calls=None if calls is None else tuple(from_json(calls)),
        )
    except DAMAGED as fault:
        raise damage(f"task run {id_} of execution {execution_id}", fault) from fault


def _item(item: Any) -> Item:
    return item if isinstance(item, str) else (item[0], item[1])


#: The fields of an execution that stand in its own row and may change.
own_fields = attrgetter(
    "state", "history", "inputs", "labels", "variables", "outputs", "trigger", "error",
    "attempt_number", "due", "held", "ending", "lingering", "seq_floor",
)  # fmt: skip
EXECUTION_FIXED = 6  #: how many leading columns of an execution's row never change


def execution_row(execution: Execution) -> tuple[Any, ...]:
    """An execution, without its task runs, as a row of `executions`. Raises StoreError like `task_run_row`."""
    try:
        return (
            to_text(execution.id),
            to_text(execution.namespace),
            to_text(execution.flow_id),
            execution.flow_revision,
            maybe_text(execution.parent_id),
            maybe_text(execution.original_id),
            execution.state.value,
            to_micros(execution.started_at),
            maybe_micros(execution.ended_at),
            maybe_text(execution.error),
            _history_json(execution.history),
            map_json(execution.labels),
            map_json(execution.inputs),
            to_json(execution.variables),
            maybe_json(execution.outputs),
            maybe_json(execution.trigger),
            maybe_text(execution.caller.execution_id if execution.caller else None),
            maybe_text(execution.caller.task_run_id if execution.caller else None),
            execution.attempt_number,
            maybe_micros(execution.due),
            execution.held,
            execution.ending.value if execution.ending is not None else None,
            execution.lingering,
            execution.seq_floor,
        )
    except UNSTORABLE as error:
        values = {name: getattr(execution, name) for name in ("inputs", "labels", "variables", "outputs", "trigger")}
        raise refusal(f"execution {execution.id}", error, values) from error


def read_execution(row: Row, task_run_rows: Iterable[Row]) -> Execution:
    """The execution that a row of `executions` and its rows of `task_runs` hold."""
    (id_, namespace, flow_id, flow_revision, parent_id, original_id, state, _started_at, _ended_at, error,
     history, labels, inputs, variables, outputs, trigger, caller_id, caller_task_run_id, attempt_number,
     due, held, ending, lingering, seq_floor) = row  # fmt: skip
    runs = [read_task_run(each) for each in task_run_rows]
    try:
        return Execution(
            id=from_text(id_),
            namespace=from_text(namespace),
            flow_id=from_text(flow_id),
            flow_revision=flow_revision,
            parent_id=maybe_from_text(parent_id),
            original_id=maybe_from_text(original_id),
            state=_STATES[state],
            error=maybe_from_text(error),
            history=_history(history),
            labels=from_json(labels),
            inputs=from_json(inputs),
            variables=from_json(variables),
            outputs=maybe_from_json(outputs),
            trigger=maybe_from_json(trigger),
            caller=Caller(from_text(caller_id), from_text(caller_task_run_id)) if caller_id is not None else None,
            attempt_number=attempt_number,
            due=maybe_from_micros(due),
            held=bool(held),
            ending=_STATES[ending] if ending is not None else None,
            lingering=bool(lingering),
            seq_floor=seq_floor,
            task_runs=HashTrieMap({run.id: run for run in runs}),
        )
    except DAMAGED as fault:
        raise damage(f"execution {id_}", fault) from fault


def read_summary(row: Row) -> ExecutionSummary:
    """The line of a list that `engine.store.tables.SUMMARY` selects."""
    (id_, namespace, flow_id, flow_revision, state, started_at, ended_at, labels, error, parent_id,
     original_id) = row  # fmt: skip
    return ExecutionSummary(
        id=from_text(id_),
        namespace=from_text(namespace),
        flow_id=from_text(flow_id),
        flow_revision=flow_revision,
        state=_STATES[state],
        started_at=from_micros(started_at),
        ended_at=maybe_from_micros(ended_at),
        labels=from_json(labels),
        error=maybe_from_text(error),
        parent_id=maybe_from_text(parent_id),
        original_id=maybe_from_text(original_id),
    )


def flow_row(flow: FlowRecord) -> tuple[Any, ...]:
    return (
        to_text(flow.namespace),
        to_text(flow.id),
        flow.revision,
        to_text(flow.source),
        to_micros(flow.created_at),
        flow.disabled,
        flow.deleted,
    )


def read_flow(row: Row) -> FlowRecord:
    namespace, id_, revision, source, created_at, disabled, deleted = row
    return FlowRecord(
        namespace=from_text(namespace),
        id=from_text(id_),
        revision=revision,
        source=from_text(source),
        created_at=from_micros(created_at),
        disabled=bool(disabled),
        deleted=bool(deleted),
    )


def log_row(line: LogLine) -> tuple[Any, ...]:
    """A log line as a row of `logs` without its id, which the store gives."""
    try:
        return (
            to_text(line.execution_id),
            to_micros(line.at),
            line.level,
            to_text(line.message),
            maybe_text(line.task_run_id),
            maybe_text(line.task_id),
            line.attempt,
        )
    except UNSTORABLE as error:
        raise refusal(f"a log line of execution {line.execution_id}", error, {}) from error


def read_log(row: Row) -> LogLine:
    id_, execution_id, at, level, message, task_run_id, task_id, attempt = row
    return LogLine(
        id=id_,
        execution_id=from_text(execution_id),
        at=from_micros(at),
        level=level,
        message=from_text(message),
        task_run_id=maybe_from_text(task_run_id),
        task_id=maybe_from_text(task_id),
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
            map_json(metric.tags),
        )
    except UNSTORABLE as error:
        who = f"metric {metric.name!r} of task run {metric.task_run_id} of execution {metric.execution_id}"
        raise refusal(who, error, {"tags": metric.tags}) from error


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
    except UNSTORABLE as error:
        raise refusal(f"the value for {key!r}", error, {"value": value}) from error


def keyvalue_row(pair: KeyValue) -> tuple[Any, ...]:
    try:
        return (
            to_text(pair.namespace),
            to_text(pair.key),
            pair.type.value,
            to_json(pair.value),
            maybe_text(pair.description),
            to_micros(pair.created_at),
            to_micros(pair.updated_at),
            maybe_micros(pair.expires_at),
        )
    except UNSTORABLE as error:
        raise refusal(f"the key {pair.key!r} of {pair.namespace}", error, {"value": pair.value}) from error


def read_keyvalue(row: Row) -> KeyValue:
    namespace, key, type_, value, description, created_at, updated_at, expires_at = row
    try:
        return KeyValue(
            namespace=from_text(namespace),
            key=from_text(key),
            type=ValueType(type_),
            value=from_json(value),
            description=maybe_from_text(description),
            created_at=from_micros(created_at),
            updated_at=from_micros(updated_at),
            expires_at=maybe_from_micros(expires_at),
        )
    except DAMAGED as fault:
        raise damage(f"key {key} of {namespace}", fault) from fault


def merged(stored: KeyValue | None, pair: KeyValue, *, overwrite: bool) -> KeyValue | None:
    """The pair to keep where `stored` is; None when that one stays."""
    if stored is None or stored.is_expired(pair.updated_at):
        return pair
    return replace(pair, created_at=stored.created_at) if overwrite else None


def read_secret(row: Row) -> SecretRecord:
    key, updated_at = row
    return SecretRecord(key=from_text(key), updated_at=from_micros(updated_at))


def levels_from(min_level: str) -> tuple[str, ...]:
    """The log levels that are at least as severe."""
    if min_level not in LEVELS:
        raise UsageError(f"there is no log level {min_level!r}", hint=f"One of {', '.join(LEVELS)}.")
    return LEVELS[LEVELS.index(min_level) :]
