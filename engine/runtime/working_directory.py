"""What a worker does with the folder of a WorkingDirectory: fills it before its first task, and looks through it after.

What the cache keeps is one archive in internal storage for each task of a flow, and each value of the loops around it.
It is written anew when the files in it have changed, and forgotten when its `ttl` is over.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from engine.core.context import Context
from engine.core.flowable.working_directory import FolderWork
from engine.core.rendering import Asked, deep
from engine.errors import NotFound, StoreError, TaskFailed
from engine.expressions import Functions, Language
from engine.model.duration import parse_duration
from engine.model.flow import WorkingDirectory
from engine.model.state import State
from engine.sdk.files import FileAccess
from engine.sdk.workspace import fill, fill_from_namespaces, gather, inside, matching

#: Files in an archive have the time at which the calendar of archives begins: the same files are the same archive.
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


class Errand(Asked, frozen=True):
    """The work, with what a worker needs for it. The answer at the end is the container's outputs."""

    work: FolderWork
    folder: Callable[[], Path]
    files: FileAccess
    now: datetime

    def answer(self, context: Context, functions: Functions, written_in: Language) -> Mapping[str, Any] | None:
        task, state = self.work.task, self.work.state
        try:
            opened = _Opened(
                self.folder(),
                self.files,
                context,
                partial(deep, context=context, functions=functions, written_in=written_in),
                self.now,
            )
            if state is not None:
                return opened.close(task, state)
            opened.fill(task)
        except OSError as error:
            raise StoreError(f"the working folder of `{task.id}` cannot be used: {error.strerror or error}") from error
        return None


class _Opened:
    """A folder that is being worked in. All paths and globs stay within it."""

    def __init__(
        self, folder: Path, files: FileAccess, context: Context, evaluate: Callable[[Any], Any], now: datetime
    ) -> None:
        self._folder, self._files = folder, files
        self._context, self._evaluated, self._now = context, evaluate, now

    # -- before the first task

    def fill(self, task: WorkingDirectory) -> None:
        """Put everything in. Raises PenstockError."""
        if task.cache is not None:
            self._restore(task)
        if task.namespace_files is not None and task.namespace_files.enabled:
            given = task.namespace_files
            include, exclude = self._rendered(given.include), self._rendered(given.exclude)
            namespaces = self._rendered(given.namespaces)
            fill_from_namespaces(self._folder, self._files, namespaces, include=include, exclude=exclude)
        if task.input_files:
            fill(self._folder, self._input_files(task.input_files), self._files)

    def _input_files(self, written: Any) -> Mapping[str, Any]:
        value = self._evaluated(written)
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError as error:
                raise TaskFailed(f"`inputFiles` is neither a map nor JSON text of one: {error}") from None
        if not isinstance(value, Mapping):
            raise TaskFailed("`inputFiles` must be a map of names and contents")
        return value

    # -- at the end

    def close(self, task: WorkingDirectory, state: State) -> Mapping[str, Any] | None:
        """Store what is to outlast the folder, and tell where it is."""
        globs = self._rendered(task.output_files)
        outputs = {"outputFiles": gather(self._folder, globs, self._files)} if globs else None
        if task.cache is not None and state is not State.FAILED:
            self._keep(task)
        return outputs

    # -- the cache

    @property
    def _archive(self) -> str:
        run = self._context.run
        assert run is not None
        values = "\0".join(self._context.values_of(run))
        return f"{hashlib.sha256(values.encode()).hexdigest()[:16]}.zip"

    def _restore(self, task: WorkingDirectory) -> None:
        assert task.cache is not None
        ttl = self._evaluated(task.cache.ttl)
        try:
            with self._files.open_kept(self._archive) as stored, zipfile.ZipFile(stored) as archive:
                made = datetime.fromisoformat(archive.comment.decode())
                if ttl is None or self._now < made + parse_duration(str(ttl)):
                    for name in archive.namelist():
                        inside(self._folder, name).write_bytes(archive.read(name))
                    return
        except NotFound:
            return
        except (zipfile.BadZipFile, zlib.error, UnicodeDecodeError) as error:
            raise TaskFailed(f"what the cache of `{task.id}` kept is damaged: {error}") from None
        except ValueError as error:
            raise TaskFailed(f"the `ttl` of the cache of `{task.id}` cannot be used: {error}") from None
        self._files.forget_kept(self._archive)

    def _keep(self, task: WorkingDirectory) -> None:
        assert task.cache is not None
        names = matching(self._folder, self._rendered(task.cache.patterns))
        if not names or {name: _checksum(self._folder / name) for name in names} == self._kept():
            return
        with TemporaryFile() as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.comment = self._now.isoformat().encode()
                for name in names:
                    entry = zipfile.ZipInfo(name, _LONG_AGO)
                    entry.compress_type = zipfile.ZIP_DEFLATED
                    archive.writestr(entry, (self._folder / name).read_bytes())
            file.seek(0)
            self._files.keep(self._archive, file)

    def _kept(self) -> dict[str, int] | None:
        """The checksums of the files in the cache; None when there is none."""
        try:
            with self._files.open_kept(self._archive) as stored, zipfile.ZipFile(stored) as archive:
                return {entry.filename: entry.CRC for entry in archive.infolist()}
        except (NotFound, zipfile.BadZipFile):
            return None

    # -- expressions

    def _rendered(self, globs: str | tuple[str, ...]) -> list[str]:
        """A list of texts; one text stands for a list of one."""
        value = self._evaluated([globs] if isinstance(globs, str) else list(globs))
        return [str(each) for each in value]


def _checksum(path: Path) -> int:
    return zlib.crc32(path.read_bytes())
