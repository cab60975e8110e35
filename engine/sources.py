"""Files that a person names, on the command line or in a call: one check for both.

Always true: what cannot be read, or is too large, is refused before a byte of it is read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from engine.errors import UsageError

MAX_FLOW_BYTES = 1024 * 1024
FLOW_SUFFIXES = (".yaml", ".yml")
_SETTINGS_FILE = "penstock.yaml"


def looks_like_file(name: str) -> bool:
    """Whether a flow is named by its file, rather than by NAMESPACE/ID."""
    return name.endswith(FLOW_SUFFIXES) or name.startswith((".", "/", "~")) or os.path.exists(name)


def flows_below(folder: str) -> Iterator[str]:
    """The files of flows below a folder, in order; hidden ones and settings left out. None where there is no folder."""
    for place, below, names in os.walk(folder):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(names):
            if name.endswith(FLOW_SUFFIXES) and name != _SETTINGS_FILE and not name.startswith("."):
                yield os.path.join(place, name)


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
    """The bytes of a file. Raises UsageError."""
    check_file(path, limit)
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None


def _nearby(path: str) -> str | None:
    """A did-you-mean among the files in the same folder."""
    folder, name = os.path.split(path)
    try:
        close = get_close_matches(name, os.listdir(folder or "."), n=1)
    except (OSError, ValueError):
        return None
    return f"did you mean {os.path.join(folder, close[0])}?" if close else None
