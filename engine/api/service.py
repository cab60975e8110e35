"""All that a server does beside answering: it owns the database, keeps the flows deployed, watches triggers, tidies up.

Always true: nothing in the database is touched before it is owned; what has begun is ended in the opposite order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from engine.app import Engine
from engine.check import check
from engine.dialect import format_diagnostic, parse
from engine.errors import UsageError
from engine.model.diagnostic import Severity
from engine.runtime.deployments import Deployments
from engine.runtime.retention import Sweeper
from engine.runtime.scheduler import Scheduler
from engine.sources import read_file


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
        self.deployments = Deployments(
            engine.store,
            engine.load,
            engine.deploy,
            folders,
            on_change=self._look_again,
            on_progress=on_progress,
            warnings=self._warnings,
        )
        self.scheduler: Scheduler | None = None
        self.recovered: list[str] = []  #: the executions that were left behind, and go on
        self._sweeper = Sweeper(engine.retention)

    def _look_again(self) -> None:
        """Other flows are on than before, or fewer."""
        if self.scheduler is not None:
            self.scheduler.changed()

    def _warnings(self, file: str) -> list[str]:
        """The mistakes and doubts that `penstock validate` finds in a file, as people read them."""
        defaults = self._engine.settings.plugin_defaults
        try:
            parsed = parse(read_file(file), file=file, types=self._engine.catalog, defaults=defaults)
        except UsageError:
            return []  # it is gone by now, which is told at the next look
        found = [*parsed.diagnostics, *check(parsed, self._engine.catalog)]
        return [
            format_diagnostic(finding) for finding in found if finding.severity in (Severity.ERROR, Severity.WARNING)
        ]

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
