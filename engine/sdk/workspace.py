"""Files in a folder that a task works in: names that flows choose, and globs that pick from what is there.

Always true: no name and no glob reaches out of the folder, and links are left alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

from engine.errors import TaskFailed

_TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|\[!?[^\]/]+\]|\\.|.", re.DOTALL)
_MEANING = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]", "{": "(?:", "}": ")"}


def inside(folder: Path, name: str) -> Path:
    """The path of a file below a folder; the folders between are made. Raises TaskFailed for a name that leads out."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith(("/", "./")) or ".." in parts or "\\" in name or "\0" in name:
        raise TaskFailed(
            f"`{name}` cannot name a file here", hint="write a relative path such as data/x.csv, without `..`"
        )
    path = folder.joinpath(*parts)
    if not path.parent.resolve().is_relative_to(folder.resolve()) or path.is_symlink():
        raise TaskFailed(f"`{name}` leads through a symbolic link")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def matching(folder: Path, globs: Iterable[str]) -> list[str]:
    """The relative paths of the files below a folder that any of the globs matches, sorted."""
    fits = matcher(globs)
    found = []
    for at, _, files in os.walk(folder):
        paths = (Path(at, file) for file in files)
        found += [path.relative_to(folder).as_posix() for path in paths if path.is_file() and not path.is_symlink()]
    return sorted(path for path in found if fits(path))


def matcher(globs: Iterable[str]) -> Callable[[str], bool]:
    """Whether any of the globs matches a relative path as a whole. Raises TaskFailed for what is no glob.

    `*` and `?` stay within a name, `**` crosses folders, `**/` may also stand for none; `{a,b}` and `[a-z]` choose.
    """
    patterns = [_pattern(glob) for glob in globs]
    return lambda path: any(pattern.fullmatch(path) for pattern in patterns)


def _pattern(glob: str) -> re.Pattern[str]:
    built, braces = "", 0
    for part in _TOKEN.findall(glob.removeprefix("glob:").removeprefix("/")):
        braces += (part == "{") - (part == "}")
        if part in _MEANING:
            built += _MEANING[part]
        elif part == "," and braces:
            built += "|"
        elif part[0] == "[" and len(part) > 1:
            built += part.replace("\\", "\\\\").replace("[!", "[^", 1)
        else:
            built += re.escape(part[-1])
    try:
        return re.compile(built, re.DOTALL)
    except re.error:
        raise TaskFailed(f"`{glob}` is not a glob", hint="globs are like `data/*.csv` or `**/*.{py,sql}`") from None
