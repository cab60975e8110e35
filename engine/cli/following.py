"""What a person sees while an execution runs: a live tree on a terminal, plain lines in a pipe, or nothing.

Always true: a view shows only what has been committed, and an output that is gone (`| head`) never stops a run.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

from engine.cli.executions import log_text
from engine.cli.terminal import (
    abandon_stdout,
    dim,
    human_duration,
    is_terminal,
    printable,
    speaks_unicode,
    state,
    wants_colour,
)
from engine.cli.tree import run_duration, run_title, tree_text
from engine.model.execution import Execution, TaskRun
from engine.model.state import State
from engine.ports import LogLine
from engine.present import ExecutionTree, as_shown

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.segment import Segment
    from rich.text import Text

REFRESHES_PER_SECOND = 10
MAX_TREE_LINES = 30
#: Log lines above the tree for one commit; a flow that says more is read with `executions logs`.
MAX_LOG_LINES = 100
#: Levels that are kept, but not shown while a flow runs.
_DETAILS = frozenset({"TRACE", "DEBUG"})


class View:
    """Shows nothing. The other views are used in the same way, as context managers."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def update(self, execution: Execution, runs: Sequence[TaskRun], logs: Sequence[LogLine]) -> None:
        """Something was committed."""

    def notice(self, text: str) -> None:
        """Something about the run itself, such as that it is being stopped."""


class PlainView(View):
    """A line for each change of state and each log line, in the order in which they happened."""

    def __init__(self) -> None:
        self._shown: dict[str, State] = {}

    def update(self, execution: Execution, runs: Sequence[TaskRun], logs: Sequence[LogLine]) -> None:
        lines = [(line.at, 1, 0, log_text(line)) for line in logs if line.level not in _DETAILS]
        for run in runs:
            if self._shown.get(run.id) is not run.state and run.state is not State.CREATED:
                # What happens in one instant: a container starts before what it holds, and ends after it.
                rank, order = (2, -run.seq) if run.is_terminal else (0, run.seq)
                lines.append((run.history[-1].at, rank, order, _state_text(as_shown(run, execution.task_runs))))
            self._shown[run.id] = run.state
            if run.is_terminal:
                del self._shown[run.id]
        self._write([text for *_, text in sorted(lines, key=lambda line: line[:3])])

    def notice(self, text: str) -> None:
        with suppress(OSError):
            os.write(2, f"{text}\n".encode())  # inside a signal handler nothing else may write

    def _write(self, lines: Sequence[str]) -> None:
        try:
            if lines:
                click.echo("\n".join(lines))
        except BrokenPipeError:
            abandon_stdout()


class LiveView(View):
    """The tree of tasks, redrawn in place; log lines scroll by above it."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._unicode = speaks_unicode()  # asked before rich stands in for stdout
        self._tree = ExecutionTree()
        self._lock = threading.Lock()  # rich redraws in a thread of its own
        self._notice = ""
        self._console = Console(no_color=not wants_colour(), highlight=False)
        self._live = Live(
            get_renderable=self._draw,
            console=self._console,
            refresh_per_second=REFRESHES_PER_SECOND,
            vertical_overflow="crop",
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._notice = ""
        self._live.stop()

    def update(self, execution: Execution, runs: Sequence[TaskRun], logs: Sequence[LogLine]) -> None:
        with self._lock:
            self._tree.update(runs)
        said = [line for line in logs if line.level not in _DETAILS]
        if said:
            lines = [log_text(line) for line in said[:MAX_LOG_LINES]]
            if len(said) > len(lines):
                lines.append(dim(f"... {len(said) - len(lines):,} more: penstock executions logs {execution.id}"))
            self._console.print(_Raw(lines if wants_colour() else list(map(click.unstyle, lines))), soft_wrap=True)

    def notice(self, text: str) -> None:
        self._notice = text

    def _draw(self) -> Text:
        limit = max(min(MAX_TREE_LINES, self._console.height - 2), 3)
        with self._lock:
            lines = self._tree.lines(limit)
        shown = tree_text(lines, datetime.now(UTC), unicode=self._unicode)
        return _text([*shown, click.style(self._notice, fg="yellow")] if self._notice else shown)


class _Raw:
    """Lines that rich passes on as they are: parsing and measuring them would cost more than running the task."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        from rich.segment import Segment

        yield Segment("\n".join(self._lines) + "\n")


def view_for(*, quiet: bool) -> View:
    """The view that suits where the output goes."""
    if quiet:
        return View()
    return LiveView() if is_terminal() else PlainView()


def _state_text(run: TaskRun) -> str:
    at = run.history[-1].at
    took = f"  {human_duration(run_duration(run, at))}" if run.is_terminal and run.state is not State.SKIPPED else ""
    why = f"  {printable(run.error)}" if run.error and run.state is not State.SUCCESS else ""
    clock = f"{at.astimezone():%H:%M:%S.%f}"[:-3]
    return f"{dim(clock)}  {state(run.state)}{' ' * (8 - len(run.state))}  {run_title(run)}{dim(took)}{why}"


def _text(lines: Sequence[str]) -> Text:
    from rich.text import Text

    return Text.from_ansi("\n".join(lines), no_wrap=True, overflow="ellipsis")
