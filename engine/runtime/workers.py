"""Threads that run attempts: a bounded number at a time, started when first needed.

A thread cannot be killed. One whose attempt was given up is written off: its answer counts no more (the epoch has
moved on), another thread takes its place, and should it ever come back it ends.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from typing import Protocol

from msgspec import Struct, field

#: Of a worker's thread: how its pool gets another one in its place.
_CURRENT = threading.local()


@contextmanager
def stood_in_for() -> Iterator[None]:
    """While this thread waits for what workers have to do, another works in its place, if it is a worker itself."""
    lend: Callable[[int], None] = getattr(_CURRENT, "lend", lambda count: None)
    lend(1)
    try:
        yield
    finally:
        lend(-1)


class Stoppable(Protocol):
    """What can be wished to stop, and when its time is up (on the monotonic clock)."""

    deadline: float | None
    time_limit: str | None  #: how long it was given, for people
    has_processes: bool  #: which it ends itself when its time is up, and answers only then

    def cancel(self) -> None: ...


class Job(Struct):
    """One piece of work. `key` names it (task run id and epoch)."""

    key: tuple[str, int]
    work: Callable[[], None]
    control: Stoppable
    written_off: bool = False
    told_to_stop_at: float | None = field(default=None)

    def given_up_at(self, grace: float) -> float:
        """When it must have answered, at the latest."""
        deadline = inf if self.control.deadline is None else self.control.deadline
        told = inf if self.told_to_stop_at is None else self.told_to_stop_at + grace
        return min(told, deadline + grace if self.control.has_processes else deadline)


class Workers:
    """The pool. All methods belong to the loop's thread."""

    def __init__(self, size: int, lend: Callable[[int], None]) -> None:
        """`lend` has the loop call the method of that name; it is safe from any thread."""
        self.size = size
        self._lend = lend
        self.lost = 0  #: threads that never came back
        self._jobs: dict[tuple[str, int], Job] = {}
        self._waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._threads = 0

    @property
    def free(self) -> int:
        return self.size - len(self._jobs)

    @property
    def busy(self) -> int:
        return len(self._jobs)

    def submit(self, job: Job) -> None:
        self._jobs[job.key] = job
        self._staff()
        self._waiting.put(job)

    def lend(self, count: int) -> None:
        """Let so many more work at a time; fewer, when negative."""
        self.size += count
        self._staff()

    def _staff(self) -> None:
        """Start the threads that there is work for."""
        while self._threads < min(len(self._jobs), self.size):
            self._threads += 1
            name = f"penstock-worker-{self._threads + self.lost}"
            threading.Thread(target=self._serve, name=name, daemon=True).start()

    def _serve(self) -> None:
        _CURRENT.lend = self._lend
        while (job := self._waiting.get()) is not None:
            job.work()
            if job.written_off:
                return

    def release(self, key: tuple[str, int]) -> None:
        """The job has answered; its place is free."""
        self._jobs.pop(key, None)

    def stop(self, key: tuple[str, int], now: float) -> None:
        """Wish that a job stop."""
        job = self._jobs.get(key)
        if job is not None and job.told_to_stop_at is None:
            job.told_to_stop_at = now
            job.control.cancel()

    def overdue(self, now: float, grace: float) -> list[Job]:
        """Jobs past their deadline, or told to stop more than `grace` seconds ago; with processes, both together."""
        return [job for job in self._jobs.values() if now >= job.given_up_at(grace)]

    def next_deadline(self, grace: float) -> float | None:
        """When `overdue` may next have something to say."""
        first = min((job.given_up_at(grace) for job in self._jobs.values()), default=inf)
        return first if first < inf else None

    def cancel_all(self) -> None:
        """Wish that all jobs stop. Safe from any thread, unlike the rest."""
        for job in tuple(self._jobs.values()):
            job.control.cancel()

    def write_off_all(self) -> None:
        """Give all jobs up."""
        for job in tuple(self._jobs.values()):
            self.write_off(job)

    def write_off(self, job: Job) -> None:
        """Give a job up: its place is free again, its thread is lost."""
        job.written_off = True
        job.control.cancel()
        self._jobs.pop(job.key, None)
        self._threads -= 1
        self.lost += 1

    def close(self) -> None:
        """Let idle threads end. Those still at work are daemons and die with the process."""
        for _ in range(self._threads):
            self._waiting.put(None)
