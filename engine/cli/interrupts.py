"""Ctrl-C and SIGTERM while an execution is followed.

The first one asks the execution to stop, and the following goes on until it has. A second Ctrl-C leaves at once:
everything that was acknowledged is in the database, so nothing is lost by that.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SHOW_CURSOR = b"\x1b[?25h"


@contextmanager
def interrupts_ask(stop: Callable[[], None], farewell: Callable[[], str]) -> Iterator[None]:
    """Call `stop` at the first signal; say `farewell()` and end the process at a second Ctrl-C.

    `stop` runs inside a signal handler: it must neither wait nor print.
    """
    asked = False

    def handle(number: int, _: FrameType | None) -> None:
        nonlocal asked
        if not asked:
            asked = True
            stop()
        elif number == signal.SIGINT:
            _leave(farewell())

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(farewell: str) -> None:
    """End this process by SIGINT, as its parent expects after Ctrl-C."""
    cursor = _SHOW_CURSOR if sys.stdout is not None and sys.stdout.isatty() else b""
    os.write(2, cursor + f"\n{farewell}\n".encode(errors="backslashreplace"))
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)
