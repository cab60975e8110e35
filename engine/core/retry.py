"""Which retry policy applies to a task run, and when its next attempt is due.

Nearest wins: the task's own, then the containers' from the inside out, then the flow's. `maxAttempt` counts all
attempts, the first included, since a person last restarted the task run. Exponential waits are
interval * factor^(attempts - 1), capped at `maxInterval`.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from engine.core.draft import Draft
from engine.model.duration import parse_duration
from engine.model.execution import Attempt, TaskRun
from engine.model.flow import Retry
from engine.model.state import State


def retry_of(draft: Draft, run: TaskRun) -> Retry | None:
    """The policy for a task run; None when nobody declared one."""
    place = draft.tree.places[run.task_id]
    while place.task.retry is None and place.parent is not None:
        place = draft.tree.places[place.parent.id]
    return place.task.retry or draft.flow.retry


def that_count(run: TaskRun, attempts: tuple[Attempt, ...]) -> tuple[Attempt, ...]:
    """Those of the attempts that a policy counts: a restart by a person begins anew."""
    restarted = next((change.at for change in reversed(run.history) if change.state is State.RESTARTED), None)
    return attempts if restarted is None else tuple(each for each in attempts if each.started_at >= restarted)


def retry_delay(policy: Retry, seed: str, made: int, first: datetime, at: datetime) -> float | None:
    """Seconds until the next attempt; None when the policy is exhausted.

    `made` is how many there were, `first` the start of the first and `at` the end of the last.
    """
    most = policy.max_attempt or policy.max_attempts
    if most is not None and made >= most:
        return None
    seconds = _seconds(policy, seed, made)
    if policy.max_duration is not None:
        last = first + parse_duration(policy.max_duration)
        if at + timedelta(seconds=seconds) > last:
            return None
    return seconds


def _seconds(policy: Retry, seed: str, made: int) -> float:
    if policy.type == "random":
        low, high = _length(policy.min_interval), _length(policy.max_interval)
        # Seeded by what is being retried, so that a decision can be taken again and be the same.
        return random.Random(f"{seed}/{made}").uniform(low, max(low, high))  # noqa: S311
    interval = _length(policy.interval)
    if policy.type == "constant":
        return interval
    seconds = interval * (policy.delay_factor or 2.0) ** (made - 1)
    return min(seconds, _length(policy.max_interval)) if policy.max_interval is not None else seconds


def _length(text: str | None) -> float:
    return parse_duration(text).total_seconds() if text is not None else 0.0
