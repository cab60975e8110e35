"""How text reaches a person: colours, tables, times, errors. Costs nothing but click.

Always true: colour only on a terminal and never under NO_COLOR; no output encoding can make a command fail; control
characters from a flow's own text cannot steer the terminal.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import click

#: State name -> colour, for click and rich alike.
STATE_COLOURS = {
    "CREATED": "bright_black",
    "QUEUED": "bright_black",
    "RUNNING": "cyan",
    "PAUSED": "magenta",
    "RESTARTED": "cyan",
    "RETRYING": "yellow",
    "KILLING": "yellow",
    "SUCCESS": "green",
    "WARNING": "yellow",
    "FAILED": "red",
    "KILLED": "red",
    "CANCELLED": "bright_black",
    "RETRIED": "bright_black",
    "SKIPPED": "bright_black",
}
LEVEL_COLOURS = {"ERROR": "red", "WARN": "yellow", "INFO": "green", "DEBUG": "bright_black", "TRACE": "bright_black"}

_COLOUR_CODE = r"\x1b\[[0-9;]*m"
_CONTROL = re.compile(_COLOUR_CODE + r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def mend_streams() -> None:
    """Let characters that the output's encoding lacks be written escaped, instead of failing the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def abandon_stdout() -> None:
    """Whoever read our output went away (`| head`): from now on write to nowhere, also when Python flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def wants_colour() -> bool:
    """Whether colours are welcome at all; whether there is a terminal to show them is another question."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def is_terminal() -> bool:
    """Whether a person reads stdout, on a terminal that can move its cursor."""
    return sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def speaks_unicode() -> bool:
    """Whether stdout can show more than ASCII."""
    return (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "").startswith("utf")


def say_error(message: str, hint: str | None = None) -> None:
    """An error, and what to do about it, on stderr."""
    tell(f"{click.style('Error:', fg='red', bold=True)} {printable(message)}")
    if hint:
        say_hint(hint)


def say_hint(hint: str) -> None:
    """What to do next, on stderr."""
    tell(f"{click.style('Hint:', fg='cyan')}  {printable(hint)}")


def tell(text: str) -> None:
    """Text on stderr, also when no command is running any more whose context knows about colours."""
    click.echo(text, err=True, color=None if wants_colour() else False)


def say_json(value: Any) -> None:
    """A value as JSON on stdout."""
    click.echo(as_json(value))


def as_json(value: Any) -> str:
    """A value as indented JSON, readable where the output's encoding allows it."""
    return json.dumps(value, indent=2, ensure_ascii=not speaks_unicode(), default=_as_text)


def _as_text(value: Any) -> str:
    """What JSON has no word for; instants as the rest of what is printed has them."""
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)


def printable(text: str) -> str:
    """The text with control characters shown instead of sent; colours stay, and end with the text."""

    def show(found: re.Match[str]) -> str:
        code = found.group()
        return code if len(code) > 1 else f"\\x{ord(code):02x}" if ord(code) < 256 else f"\\u{ord(code):04x}"

    if not _CONTROL.search(text):
        return text
    shown = _CONTROL.sub(show, text)
    return shown + "\x1b[0m" if "\x1b" in shown else shown


def state(name: str) -> str:
    """A state's name in its colour."""
    return click.style(name, fg=STATE_COLOURS.get(name))


def level(name: str) -> str:
    """A log level in its colour, five wide."""
    return click.style(f"{name:<5}", fg=LEVEL_COLOURS.get(name))


def dim(text: str) -> str:
    """Text that matters less."""
    return click.style(text, fg="bright_black")


def human_duration(span: timedelta) -> str:
    """`12 ms`, `3.4 s`, `2 min 5 s`, `3 h 20 min`, `2 d 4 h`."""
    seconds = max(span.total_seconds(), 0.0)
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, unit, smaller, smaller_unit in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit}" + (f" {rest} {smaller_unit}" if rest else "")
    return f"{whole} s"


def relative_time(at: datetime, now: datetime) -> str:
    """`just now`, `5 min ago`, `in 2 h`."""
    seconds = round((now - at).total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if abs(seconds) >= size:
            amount = f"{abs(seconds) // size} {unit}"
            return f"{amount} ago" if seconds > 0 else f"in {amount}"
    return "just now"


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns under dim headers; cells may be coloured."""
    widths = [max(map(text_width, column)) for column in zip(headers, *rows, strict=True)]
    heads = "  ".join(head.ljust(width) for head, width in zip(headers, widths, strict=True))
    lines = [dim(heads.rstrip())]
    for row in rows:
        cells = [cell + " " * (width - text_width(cell)) for cell, width in zip(row, widths, strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def text_width(text: str) -> int:
    """How many columns of a terminal the text takes."""
    bare = click.unstyle(text)
    if bare.isascii():
        return len(bare)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in bare
    )
