"""How far something is that takes long, on one line of stderr that is written again and again.

Always true: nothing is shown in a pipe, nor of what takes less than a second; the line is gone when it is over.
"""

from __future__ import annotations

import sys
import time
from typing import Self

import click

_AFTER = 1.0  #: seconds until there is something to show
_EVERY = 0.1


class Progress:
    """`with Progress("copied") as progress: progress.show(3, 10)` tells `copied 30 %`."""

    def __init__(self, done: str) -> None:
        self._done = done
        self._next = time.monotonic() + _AFTER
        self._shown = False
        self._welcome = sys.stderr is not None and sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def clear(self) -> None:
        """Take the line away, so that something else can be written."""
        if self._shown:
            click.echo("\r\x1b[K", nl=False, err=True)
            self._shown = False

    def show(self, part: int, whole: int) -> None:
        """So much of it is done. Cheap enough to be called often."""
        if not self._welcome or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _EVERY
        self._shown = True
        share = f"{min(100 * part // whole, 100)} %" if whole else f"{part:,}"
        click.echo(f"\r\x1b[K{self._done} {share}", nl=False, err=True)
