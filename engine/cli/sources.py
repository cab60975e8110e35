"""Files that a command line names. Always true: what cannot be read is refused before a byte of it is read."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from engine.errors import UsageError

MAX_FLOW_BYTES = 1024 * 1024
MAX_INPUT_BYTES = 16 * 1024 * 1024
_SETTINGS_FILE = "penstock.yaml"
_SUFFIXES = (".yaml", ".yml")


def looks_like_file(name: str) -> bool:
    """Whether a flow is named by its file, rather than by NAMESPACE/ID."""
    return name.endswith(_SUFFIXES) or name.startswith((".", "/", "~")) or os.path.exists(name)


def check_file(path: str, limit: int = MAX_FLOW_BYTES) -> None:
    """Raise UsageError unless this is a file that can be read and is not larger than `limit` bytes."""
    try:
        found = os.stat(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"cannot find {path}: {reason}", hint=_nearby(path)) from None
    if stat.S_ISDIR(found.st_mode):
        raise UsageError(f"{path} is a folder, not a file")
    if not stat.S_ISREG(found.st_mode):
        raise UsageError(f"{path} is not a regular file")
    if found.st_size > limit:
        raise UsageError(f"{path} has {found.st_size:,} bytes; the limit is {limit:,}")
    if not os.access(path, os.R_OK):
        raise UsageError(f"{path} cannot be read: permission denied")


def read_file(path: str, limit: int = MAX_FLOW_BYTES) -> bytes:
    """The bytes of a file; `-` is stdin."""
    if path == "-":
        content = sys.stdin.buffer.read(limit + 1) if sys.stdin else b""
        if len(content) > limit:
            raise UsageError(f"stdin has more than {limit:,} bytes")
        return content
    check_file(path, limit)
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None


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
                if name.endswith(_SUFFIXES) and name != _SETTINGS_FILE and not name.startswith("."):
                    found = True
                    yield os.path.join(folder, name)
        if not found:
            raise UsageError(f"there is no flow in {path}", hint="flows are files that end in .yaml or .yml")


def _nearby(path: str) -> str | None:
    """A did-you-mean among the files in the same folder."""
    folder, name = os.path.split(path)
    try:
        close = get_close_matches(name, os.listdir(folder or "."), n=1)
    except (OSError, ValueError):
        return None
    return f"did you mean {os.path.join(folder, close[0])}?" if close else None
