"""What the engine logs about itself: errors in one line; under PENSTOCK_DEBUG=1 everything, tracebacks too."""

from __future__ import annotations

import logging
import os

from engine.cli.terminal import say_error


class _OneLine(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say_error(record.getMessage())


def show_engine_logs() -> None:
    """Let the engine's log reach stderr. May be called again."""
    engine = logging.getLogger("engine")
    if engine.handlers:
        return
    debug = os.environ.get("PENSTOCK_DEBUG") == "1"
    handler = logging.StreamHandler() if debug else _OneLine(logging.ERROR)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    engine.addHandler(handler)
    engine.setLevel(logging.DEBUG if debug else logging.ERROR)
    engine.propagate = False
