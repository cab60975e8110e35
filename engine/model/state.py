"""The states of executions, task runs and attempts, and which changes between them are legal.

`TRANSITIONS` is the whole truth: nothing else in the engine decides whether a change of state is allowed.
Terminal states are absorbing. The only ways out are asked for by a person (restart, replay, a status change).
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Of an execution or a task run. The names and their meaning are Kestra's."""

    CREATED = "CREATED"
    QUEUED = "QUEUED"  # executions: waits for a place under the flow's concurrency limit
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    RESTARTED = "RESTARTED"
    RETRYING = "RETRYING"  # waits for the due time of its next attempt
    KILLING = "KILLING"  # told to stop, not yet proven stopped
    SUCCESS = "SUCCESS"
    WARNING = "WARNING"
    FAILED = "FAILED"
    KILLED = "KILLED"
    CANCELLED = "CANCELLED"
    RETRIED = "RETRIED"
    SKIPPED = "SKIPPED"

    @classmethod
    def _missing_(cls, value: object) -> State | None:
        return cls.CANCELLED if value == "CANCELED" else None  # as Kestra 1.x also spells it


class AttemptState(StrEnum):
    """Of one try at running a task."""

    STARTED = "STARTED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    KILLED = "KILLED"
    LOST = "LOST"  # its engine died; what it did outside is unknown


#: An attempt is a try, not a thing with a life of its own: Kestra knows it by the states of a task run.
SHOWN_AS: dict[AttemptState, State] = {
    AttemptState.STARTED: State.RUNNING,
    AttemptState.SUCCEEDED: State.SUCCESS,
    AttemptState.FAILED: State.FAILED,
    AttemptState.KILLED: State.KILLED,
    AttemptState.LOST: State.FAILED,
}

_S = State
TERMINAL: frozenset[State] = frozenset(
    {_S.SUCCESS, _S.WARNING, _S.FAILED, _S.KILLED, _S.CANCELLED, _S.RETRIED, _S.SKIPPED}
)
_OPEN = frozenset({_S.PAUSED, _S.RETRYING, _S.RESTARTED, _S.KILLING}) | TERMINAL

TRANSITIONS: dict[State, frozenset[State]] = {
    _S.CREATED: frozenset({_S.QUEUED, _S.RUNNING}) | _OPEN,
    _S.QUEUED: frozenset({_S.RUNNING}) | _OPEN,
    _S.RUNNING: frozenset({_S.CREATED}) | _OPEN,  # CREATED again: the attempt was lost and may be repeated
    _S.PAUSED: frozenset({_S.CREATED, _S.RUNNING, _S.RESTARTED}) | _OPEN,  # CREATED: a person lets it be repeated
    _S.RESTARTED: frozenset({_S.CREATED, _S.RUNNING}) | _OPEN,  # CREATED: a container that begins anew
    _S.RETRYING: frozenset({_S.CREATED, _S.RUNNING}) | _OPEN,
    _S.KILLING: frozenset({_S.KILLED, _S.FAILED, _S.CANCELLED, _S.RETRIED}),
} | {state: frozenset({_S.RESTARTED}) if state is not _S.RETRIED else frozenset() for state in TERMINAL}


def allows(before: State, after: State) -> bool:
    """Whether a thing in state `before` may move to `after`."""
    return after in TRANSITIONS[before]
