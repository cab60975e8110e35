"""Compiled templates on disk, so that a command that starts anew need neither compile them nor import what compiles.

Always true: what cannot be read, or is not ours, counts as not there, and what cannot be written is not written.
Loading code is executing it, so nothing is read from a folder or file that anybody else could have written.
"""

from __future__ import annotations

import hashlib
import marshal
import os
import stat
import sys
import tempfile
from functools import cached_property
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from types import CodeType

from msgspec import Struct

#: Files in the folder; beyond that the oldest half goes. One has some 4 kB.
MAX_ENTRIES = 4096
_DIGEST = hashlib.sha256().digest_size


class Unit(Struct, frozen=True):
    """A compiled template. `single` is which chunk its value is (None: only text)."""

    code: CodeType
    single: int | None
    pure: bool


class Cache:
    """Units in a folder, by their template."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._usable: bool | None = None
        self._made = False

    def get(self, template: str) -> Unit | None:
        """The unit of a template, if there is one that can be trusted."""
        if not self._is_ours():
            return None
        try:
            descriptor = os.open(self._path(template), os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
            with open(descriptor, "rb") as file:
                if not _only_mine(os.fstat(descriptor)):
                    return None
                content = file.read()
            if hashlib.sha256(content[_DIGEST:]).digest() != content[:_DIGEST]:
                return None
            return Unit(*marshal.loads(content[_DIGEST:]))  # noqa: S302  # by nobody else, see above
        except (OSError, ValueError, EOFError, TypeError):
            return None

    def put(self, template: str, unit: Unit) -> None:
        """Keep a unit. One that is half written is never seen."""
        if os.name != "posix":
            return  # whose a file is cannot be told there
        try:
            if not self._made:
                for folder in (self._folder.parent, self._folder):  # what is above them is not ours to make
                    folder.mkdir(mode=0o700, exist_ok=True)
                self._made, self._usable = True, None
                self._tidy()
            if not self._is_ours():
                return
            content = marshal.dumps((unit.code, unit.single, unit.pure))
            descriptor, name = tempfile.mkstemp(dir=self._folder)  # mode 0600
            with open(descriptor, "wb") as file:
                file.write(hashlib.sha256(content).digest() + content)
            os.replace(name, self._path(template))
        except OSError:
            return

    def _path(self, template: str) -> Path:
        return self._folder / hashlib.sha256(self._maker + template.encode("utf-8", "surrogatepass")).hexdigest()

    @cached_property
    def _maker(self) -> bytes:
        """What compiled it: this Python, and the files of this package and of Jinja as they are now."""
        from importlib.util import find_spec

        here, jinja = Path(__file__).parent, find_spec("jinja2")
        files = [file.path for folder in (here, here / "library") for file in os.scandir(folder) if file.is_file()]
        if jinja is not None and jinja.origin is not None:
            files.append(str(Path(jinja.origin).with_name("compiler.py")))
        stamps = [(file, (state := os.stat(file)).st_mtime_ns, state.st_size) for file in sorted(files)]
        return MAGIC_NUMBER + repr((sys.version, stamps)).encode()

    def _is_ours(self) -> bool:
        if self._usable is None:
            try:
                self._usable = os.name == "posix" and _only_mine(os.lstat(self._folder))
            except OSError:
                self._usable = False
        return self._usable

    def _tidy(self) -> None:
        """Throw the oldest away when there are too many."""
        with os.scandir(self._folder) as entries:
            found = sorted((entry.stat(follow_symlinks=False).st_mtime, entry.path) for entry in entries)
        if len(found) > MAX_ENTRIES:
            for _, path in found[: len(found) - MAX_ENTRIES // 2]:
                os.unlink(path)


def _only_mine(state: os.stat_result) -> bool:
    return state.st_uid == os.geteuid() and not state.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
