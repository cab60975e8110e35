"""Sees to the end of a process whose attempt can do so no more: its engine died, or its thread hangs.

Always true: a process is told from another one with the same pid by its start, which no other machine or boot shares;
so what was started on another machine, or before this one was started, is nowhere to be found here, and counts as gone.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from time import monotonic, sleep

from engine.model.execution import StartedProcess
from engine.sdk.process import supervisor

#: Seconds that a supervisor has to end what it supervises: the grace of a command, and a little more.
PATIENCE = 7.0
_TICK = 0.02


def end(process: StartedProcess, patience: float = PATIENCE) -> set[int]:
    """End a supervisor and all that came of its attempt. Returns the pids of what cannot be ended.

    First it is asked to do so itself, since it also knows of processes that have dropped their marker.
    """
    until = monotonic() + patience
    if _lives(process):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, signal.SIGTERM)
    while _lives(process) and monotonic() < until:
        sleep(_TICK)
    attempt, _, _ = process.marker.rpartition("/")
    return supervisor.kill_marked(f"{attempt}/", patience=3.0)


def _lives(process: StartedProcess) -> bool:
    return supervisor.start_of(process.pid) == process.started_at
