"""What a command line names as its source: files, folders of flows, stdin."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

from engine.errors import UsageError
from engine.sources import MAX_FLOW_BYTES, flows_below, read_file

MAX_INPUT_BYTES = 16 * 1024 * 1024


def read_source(path: str, limit: int = MAX_FLOW_BYTES) -> bytes:
    """The bytes of a file; `-` is stdin."""
    if path != "-":
        return read_file(path, limit)
    content = sys.stdin.buffer.read(limit + 1) if sys.stdin else b""
    if len(content) > limit:
        raise UsageError(f"stdin has more than {limit:,} bytes")
    return content


def stdin_text() -> str:
    """A value on stdin, without the end of its last line. Raises UsageError."""
    try:
        text = read_source("-").decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError("stdin is not valid UTF-8") from None
    return text.removesuffix("\n").removesuffix("\r")


def flow_files(paths: tuple[str, ...]) -> Iterator[str]:
    """The files that the paths mean: folders stand for all flows below them, hidden folders left out."""
    for path in paths:
        if not os.path.isdir(path):
            yield path
            continue
        found = list(flows_below(path))
        if not found:
            raise UsageError(f"there is no flow in {path}", hint="flows are files that end in .yaml or .yml")
        yield from found
