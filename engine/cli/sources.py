"""What a command line names as its source: files, folders of flows, stdin."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

from engine.errors import UsageError
from engine.sources import FLOW_SUFFIXES, MAX_FLOW_BYTES, read_file

MAX_INPUT_BYTES = 16 * 1024 * 1024
_SETTINGS_FILE = "penstock.yaml"


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
        found = False
        for folder, below, names in os.walk(path):
            below[:] = sorted(name for name in below if not name.startswith("."))
            for name in sorted(names):
                if name.endswith(FLOW_SUFFIXES) and name != _SETTINGS_FILE and not name.startswith("."):
                    found = True
                    yield os.path.join(folder, name)
        if not found:
            raise UsageError(f"there is no flow in {path}", hint="flows are files that end in .yaml or .yml")
