"""Of what a flow promises (`sla`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import pairwise

from engine.core.labels import BROKEN_SLA
from engine.model.duration import parse_duration
from engine.model.execution import Execution, History
from engine.model.policy import Sla
from engine.model.state import TERMINAL, State
from engine.ports import LogLine
from tests.simulation.several.standing import Commit, Rest

_ENDS = {"FAIL": State.FAILED, "CANCEL": State.CANCELLED}


def a_promise_is_broken_once(commit: Commit) -> Iterator[object]:
    """An execution breaks at most one promise, once; it then has the labels, and ends as `behavior` says."""
    promises = commit.memory.promises
    for line, execution, sla in _broken(commit):
        promises[execution.id] += 1
        if promises[execution.id] > 1 or execution.labels.get(BROKEN_SLA) != sla.id or not _has(execution, sla.labels):
            yield line, dict(execution.labels)
        end = _ENDS.get(sla.behavior)
        goes_on = end not in (execution.ending, execution.state) and not _is_killed(execution)
        if end is not None and goes_on and execution.id not in commit.memory.tampered:
            yield line, execution.state, execution.ending
    for _, execution in commit.changed():
        if (BROKEN_SLA in execution.labels) is not (promises[execution.id] > 0):
            yield execution.id, dict(execution.labels)


def _has(execution: Execution, labels: Mapping[str, str]) -> bool:
    return labels.items() <= execution.labels.items()


def _is_killed(execution: Execution) -> bool:
    return execution.ending is None and execution.state in (State.KILLING, State.KILLED)


def a_deadline_is_not_over_early(commit: Commit) -> Iterator[object]:
    """Only what takes longer than its promise breaks it: since it began, or since a person restarted it."""
    for line, execution, sla in _broken(commit):
        history = execution.history
        ends = (place for place, entry in enumerate(history) if entry.state is State.KILLING and entry.at == line.at)
        begun = _begun(history[: next(ends, len(history))])
        if sla.duration is not None and (begun is None or line.at < begun + parse_duration(sla.duration)):
            yield line, begun


def _broken(commit: Commit) -> Iterator[tuple[LogLine, Execution, Sla]]:
    for line in commit.lines:
        execution = commit.after[line.execution_id]
        for sla in commit.flows[execution.flow_id].sla:
            if line.message.startswith(f"the promise `{sla.id}` is broken"):
                yield line, execution, sla


def _begun(history: History) -> datetime | None:
    again = [new.at for old, new in pairwise(history) if new.state is State.RESTARTED and old.state in TERMINAL]
    return again[-1] if again else next((entry.at for entry in history if entry.state is not State.CREATED), None)


def no_deadline_passes_unseen(rest: Rest) -> Iterator[object]:
    """What takes longer than it was promised has broken its promise."""
    for execution in rest.unfinished():
        begun = _begun(execution.history) or rest.now
        is_open = execution.ending is None and not execution.is_terminal and BROKEN_SLA not in execution.labels
        if not is_open or execution.state is State.KILLING:
            continue
        for sla in rest.flows[execution.flow_id].sla:
            if sla.duration is not None and begun + parse_duration(sla.duration) < rest.now:
                yield execution.id, begun, rest.now


AT_EACH_COMMIT = (a_promise_is_broken_once, a_deadline_is_not_over_early)
AT_REST = (no_deadline_passes_unseen,)
