"""All that a server does beside answering: it owns the database, keeps the flows deployed, watches triggers, tidies up.

Always true: nothing in the database is touched before it is owned; what has begun is ended in the opposite order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from engine.app import Engine
from engine.runtime.deployments import Deployments
from engine.runtime.retention import Sweeper
from engine.runtime.scheduler import Scheduler


class Service:
    """`begin`, then `go_on` as soon as somebody answers, and `end`. `folders` are those of the flows."""

    def __init__(
        self,
        engine: Engine,
        folders: Sequence[str],
        *,
        schedules: bool = True,
        on_progress: Callable[[int, int], None] = lambda done, all_: None,
    ) -> None:
        self._engine = engine
        self._schedules = schedules
        self.deployments = Deployments(engine.store, engine.load, engine.deploy, folders, on_progress=on_progress)
        self.scheduler: Scheduler | None = None
        self.recovered: list[str] = []  #: the executions that were left behind, and go on
        self._sweeper = Sweeper(engine.retention)

    def begin(self) -> None:
        """Raises StoreBusy when another engine owns the database."""
        self._engine.takes_over = True
        self._engine.is_patient = True
        self._engine.loop  # noqa: B018 - from here on this engine owns the database
        self.recovered = self._engine.recover()
        self.deployments.look()
        if self._schedules:
            self.scheduler = self._engine.schedule()

    def go_on(self) -> None:
        """Do what is done again and again."""
        self.deployments.start()
        self._sweeper.start()

    def is_ready(self) -> bool:
        """Whether the database can be written, and the triggers are watched. Raises StoreError."""
        # A value that is another one each time: what writes no page succeeds on a full disk.
        self._engine.store.set_meta("ready", datetime.now(UTC).isoformat())
        return self.scheduler is None or self.scheduler.is_alive

    def end(self, grace: float) -> None:
        """Begin nothing new; what has not finished after `grace` seconds is left for the next start."""
        self._sweeper.stop()
        self.deployments.stop()
        self._engine.close(grace)
