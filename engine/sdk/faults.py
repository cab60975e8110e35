"""How an exception of somebody else's code is told in one line. Never fails, whatever the exception does."""

from __future__ import annotations

from engine.errors import PenstockError


def told(error: BaseException) -> str:
    """An error of the engine's own speaks for itself; any other is told with its class."""
    if isinstance(error, PenstockError):
        return error.message
    try:
        text = error.msg if isinstance(error, SyntaxError) else str(error)
    except Exception:  # noqa: BLE001  even the text of an exception may raise
        text = "(its text cannot be shown)"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
