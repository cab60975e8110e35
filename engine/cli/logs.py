"""What the engine logs about itself: errors in one line; under PENSTOCK_DEBUG=1 everything, tracebacks too."""

from __future__ import annotations

import logging
import os

import click

from engine.cli.terminal import say_error


class _OneLine(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say_error(record.getMessage())


def show_engine_logs() -> None:
    """Let the engine's log reach stderr until the command ends. May be called again."""
    engine = logging.getLogger("engine")
    if engine.handlers:
        return
    debug = os.environ.get("PENSTOCK_DEBUG") == "1"
    handler = logging.StreamHandler() if debug else _OneLine(logging.ERROR)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    before = engine.level, engine.propagate
    engine.addHandler(handler)
    engine.setLevel(logging.DEBUG if debug else logging.ERROR)
    engine.propagate = False

    def leave_as_found() -> None:
        engine.removeHandler(handler)
        engine.setLevel(before[0])
        engine.propagate = before[1]

    click.get_current_context().call_on_close(leave_as_found)
