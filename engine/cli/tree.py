"""The tree of an execution's task runs as lines of text, for the live view and for `executions show`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from engine.cli.terminal import dim, human_duration, printable, state, text_width
from engine.model.execution import TaskRun
from engine.model.state import State
from engine.present import TreeLine

_LINES = {True: ("├─ ", "└─ ", "│  ", "   "), False: ("|- ", "`- ", "|  ", "   ")}
_TITLE_WIDTH = 60


def tree_text(lines: Sequence[TreeLine], now: datetime, *, unicode: bool) -> list[str]:
    """The lines with states in one column. `now` is what running tasks are measured against."""
    titles = [_guides(line.branch, unicode) + _title(line) for line in lines]
    width = max((text_width(title) for title in titles), default=0)
    return [
        f"{title}{' ' * (width - text_width(title))}  {_status(line, now)}".rstrip()
        for title, line in zip(titles, lines, strict=True)
    ]


def run_title(run: TaskRun) -> str:
    """The task's id, with the value it runs for inside a loop."""
    if run.value is None:
        return run.task_id
    value = printable(run.value).replace("\n", " ")
    return f"{run.task_id}[{value if len(value) <= _TITLE_WIDTH else value[:_TITLE_WIDTH] + '...'}]"


def run_duration(run: TaskRun, now: datetime) -> timedelta:
    """How long the run took, or has been going on."""
    return (run.history[-1].at if run.is_terminal else now) - run.history[0].at


def _guides(branch: Sequence[bool], unicode: bool) -> str:
    fork, end, pipe, gap = _LINES[unicode]
    return dim("".join(gap if last else pipe for last in branch[:-1]) + (end if branch[-1] else fork))


def _title(line: TreeLine) -> str:
    if line.run is None:
        return dim(f"and {sum(line.more.values()):,} more")
    return run_title(line.run)


def _status(line: TreeLine, now: datetime) -> str:
    run = line.run
    if run is None:
        return ", ".join(f"{count:,} {state(name)}" for name, count in line.more.items())
    parts = [f"{state(run.state)}{' ' * (9 - len(run.state))}"]
    if run.state is not State.SKIPPED:
        parts.append(dim(human_duration(run_duration(run, now))))
    if len(run.attempts) > 1:
        parts.append(dim(f"attempt {len(run.attempts)}"))
    if run.due is not None and not run.is_terminal:
        parts.append(dim(f"until {run.due.astimezone():%H:%M:%S}"))
    if run.error is not None and run.state is not State.SUCCESS:
        parts.append(dim(_first_line(run.error)))
    return "  ".join(parts)


def _first_line(text: str) -> str:
    line = printable(text.strip().partition("\n")[0])
    return line if len(line) <= _TITLE_WIDTH else line[: _TITLE_WIDTH - 3] + "..."
