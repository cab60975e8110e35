"""A file that a command writes to, and its lines as they come.

The command writes by itself, so it never waits for a reader, and a reader never hangs on a process that keeps the file
open. Always true: lines are text without the line's end, whatever bytes were written; a line is never longer than it
may be, and no more is held in memory than one of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from tempfile import TemporaryFile
from types import TracebackType
from typing import BinaryIO, Self

_CHUNK = 256 * 1024


class Spool:
    """One stream of one command. To be used as a context; the file goes with it."""

    def __init__(self, line_limit: int) -> None:
        """`line_limit` is in bytes; what a line has beyond it is left out."""
        self._limit = line_limit
        self._offset = 0  #: up to where it has been read
        self._rest = b""  #: a line whose end has not been read
        self._dropped = 0  #: how many bytes of that line are left out
        self.file: BinaryIO = TemporaryFile()  # noqa: SIM115  # closed by __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()

    @property
    def size(self) -> int:
        """How much has been written, in bytes."""
        return os.fstat(self.file.fileno()).st_size

    @property
    def is_read(self) -> bool:
        """Whether all that has been written so far has been read."""
        return self._offset >= self.size

    def lines(self) -> Iterator[str]:
        """The lines that have been ended since the last call, but no more than a chunk of them."""
        chunk = os.pread(self.file.fileno(), _CHUNK, self._offset)
        self._offset += len(chunk)
        *ended, rest = chunk.split(b"\n")
        for line in ended:
            self._hold(line)
            yield self._take()
        self._hold(rest)

    def last_line(self) -> Iterator[str]:
        """What stands behind the last line's end, if anything: when nothing more will be written."""
        if self._rest:
            yield self._take()

    def _hold(self, part: bytes) -> None:
        kept = part[: max(self._limit - len(self._rest), 0)]
        self._rest += kept
        self._dropped += len(part) - len(kept)

    def _take(self) -> str:
        line, dropped = self._rest, self._dropped
        self._rest, self._dropped = b"", 0
        text = line.decode("utf-8", "replace").rstrip("\r").replace("\0", "\N{REPLACEMENT CHARACTER}")
        return f"{text} ... ({dropped:,} more bytes)" if dropped else text
