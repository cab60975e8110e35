"""What the engine logs about itself: errors in one line; under PENSTOCK_DEBUG=1 everything, tracebacks too."""

from __future__ import annotations

import logging
import os

import click

from engine.cli.terminal import printable, say_error


class _OneLine(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say_error(record.getMessage())


class _Printable(logging.Formatter):
    """What flows and clients say cannot steer the terminal."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        return printable(super().formatMessage(record))


def show_engine_logs() -> None:
    """Let the engine's errors reach stderr until the command ends. May be called again."""
    debug = _debug()
    _show(logging.StreamHandler() if debug else _OneLine(logging.ERROR), logging.DEBUG if debug else logging.ERROR)


def show_server_logs() -> None:
    """Let all that a server tells of itself reach stderr, with times, until the command ends."""
    _show(logging.StreamHandler(), logging.DEBUG if _debug() else logging.INFO)


def _debug() -> bool:
    return os.environ.get("PENSTOCK_DEBUG") == "1"


def _show(handler: logging.Handler, level: int) -> None:
    engine = logging.getLogger("engine")
    if engine.handlers:
        return
    handler.setFormatter(_Printable("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    before = engine.level, engine.propagate
    engine.addHandler(handler)
    engine.setLevel(level)
    engine.propagate = False

    def leave_as_found() -> None:
        engine.removeHandler(handler)
        engine.setLevel(before[0])
        engine.propagate = before[1]

    click.get_current_context().call_on_close(leave_as_found)
