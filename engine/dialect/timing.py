"""Durations and retries: lengths of time that a clock can be set to, and that do not contradict each other."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from engine.dialect.build import Builder, has_template
from engine.dialect.document import Path
from engine.model.duration import parse_duration
from engine.model.flow import LoopUntil, Pause, Task

MAX_DURATION = timedelta(days=3660)
MAX_ATTEMPTS = 1_000_000

_NEEDED = {"constant": ("interval",), "exponential": ("interval",), "random": ("minInterval", "maxInterval")}
#: The first must be shorter than the second.
_ORDER = (
    ("interval", "maxInterval"),
    ("minInterval", "maxInterval"),
    ("interval", "maxDuration"),
    ("maxInterval", "maxDuration"),
)


def check_timeout(builder: Builder, timeout: Any, path: Path) -> None:
    """A task's timeout, unless an expression gives it."""
    if isinstance(timeout, str) and not has_template(timeout):
        check_duration(builder, timeout, path)


def check_cache(builder: Builder, task: Task, path: Path) -> None:
    """How long what a task gave is good for."""
    if task.task_cache is not None and task.task_cache.ttl is not None:
        check_duration(builder, task.task_cache.ttl, (*path, "taskCache", "ttl"))


def check_waiting(builder: Builder, task: Task, path: Path) -> None:
    """How long a container waits: between two rounds, or paused."""
    if isinstance(task, LoopUntil):
        often = task.check_frequency
        for name, length in (("interval", often.interval), ("maxDuration", often.max_duration)):
            if length is not None:
                check_duration(builder, length, (*path, "checkFrequency", name))
    elif isinstance(task, Pause):
        for name, length in (("pauseDuration", task.pause_duration), ("delay", task.delay)):
            check_timeout(builder, length, (*path, name))


def check_retry(builder: Builder, retry: Any, path: Path) -> None:
    """The rules between the properties of a retry. What each of them must look like is the model's to say."""
    if not isinstance(retry, Mapping):
        return
    for name in _NEEDED.get(str(retry.get("type")), ()):
        if retry.get(name) is None:
            builder.add("missing-property", f'a retry of type {retry["type"]} needs the property "{name}"', path)
    if retry.get("maxAttempt") is not None and retry.get("maxAttempts") is not None:
        message = '"maxAttempt" and "maxAttempts" mean the same; keep one of them'
        builder.add("conflict", message, (*path, "maxAttempts"), key=True)
    for name in ("maxAttempt", "maxAttempts"):
        attempts = retry.get(name)
        if isinstance(attempts, (int, float)) and attempts > MAX_ATTEMPTS:
            builder.add("out-of-range", f'"{name}" must be at most {MAX_ATTEMPTS:,}', (*path, name))
    lengths = {
        name: length
        for name in ("interval", "minInterval", "maxInterval", "maxDuration")
        if isinstance(retry.get(name), str) and (length := check_duration(builder, retry[name], (*path, name)))
    }
    for shorter, longer in _ORDER:
        if shorter in lengths and longer in lengths and lengths[shorter] >= lengths[longer]:
            builder.add("invalid-retry", f'"{shorter}" must be shorter than "{longer}"', (*path, shorter))


def check_duration(builder: Builder, text: str, path: Path) -> timedelta | None:
    """The length of a duration; None, with a finding, when a clock cannot be set to it."""
    try:
        length = parse_duration(text)
        if length <= timedelta(0):
            raise ValueError(f"`{text}` is not longer than nothing")
        if length > MAX_DURATION:
            raise ValueError(f"`{text}` is longer than ten years")
    except ValueError as error:
        builder.add("invalid-duration", f'"{path[-1]}": {error}', path)
        return None
    return length
