"""Files in a folder that a task works in: names that flows choose, and globs that pick from what is there.

Always true: no name and no glob reaches out of the folder, and links are left alone.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from engine.errors import TaskFailed
from engine.sdk.files import FileAccess

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


def fill(folder: Path, files: Mapping[str, Any], access: FileAccess) -> None:
    """Make files in a folder, by name: each a text, or the URI of a stored file; null makes none."""
    for name, content in files.items():
        target = inside(folder, str(name))
        if isinstance(content, str) and content.startswith(("kestra://", "nsfile://", "file://")):
            with access.open(content.strip()) as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy)
        elif content is not None:
            text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False, default=str)
            target.write_text(text, encoding="utf-8", newline="")


def fill_from_namespaces(
    folder: Path,
    access: FileAccess,
    namespaces: Sequence[str] = (),
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
) -> None:
    """Put files of namespaces (none: the flow's own) into a folder, under their paths; a later one wins.

    `include` (none: all) and `exclude` are globs.
    """
    wanted, unwanted = matcher(include or ["**"]), matcher(exclude)
    for namespace in namespaces or (None,):
        for path in access.namespace_files(namespace):
            if wanted(path) and not unwanted(path):
                with (
                    access.open(access.namespace_uri(path, namespace)) as source,
                    inside(folder, path).open("wb") as to,
                ):
                    shutil.copyfileobj(source, to)


def gather(folder: Path, globs: Iterable[str], access: FileAccess) -> dict[str, str]:
    """Store the files of a folder that any of the globs matches; their URIs by their relative paths."""
    return {name: access.put(folder / name, name) for name in matching(folder, globs)}


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
