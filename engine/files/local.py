"""Internal storage in a folder: a file's path is its URI.

Always true: whoever opens a file finds all of it or nothing, also after a crash, because it is written elsewhere,
synced, and renamed; nothing outside the folder is ever read, written or removed, because no symbolic link is followed;
folders are closed to other users.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from engine.errors import FileRefused, NotFound, StoreError
from engine.model import file_uri

_INCOMING = ".incoming"  #: where files are written until they are whole; no URI of a flow's leads there
_FORGOTTEN = 24 * 3600  #: seconds after which what is incoming was left by a crash
_CHUNK = 1024 * 1024
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_MISNAMED = {errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY, errno.EEXIST}


class LocalFiles:
    """Fulfils engine.ports.Files with a folder of this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._swept = False

    def put(self, uri: str, content: BinaryIO) -> None:
        target = self._path(uri)
        with _told("write", uri):
            folder = self._incoming()
            handle, name = tempfile.mkstemp(dir=folder)
            try:
                with open(handle, "wb") as file:
                    shutil.copyfileobj(content, file, _CHUNK)
                    file.flush()
                    os.fsync(file.fileno())
                _make_folder(target.parent)
                os.replace(name, target)
            except BaseException:
                with suppress(OSError):
                    os.unlink(name)
                raise
            _sync(target.parent)

    def open(self, uri: str) -> BinaryIO:
        path = self._existing(uri)
        with _told("read", uri):
            return open(os.open(path, _READ), "rb")

    def size(self, uri: str) -> int:
        path = self._existing(uri)
        with _told("read", uri):
            return path.stat().st_size

    def exists(self, uri: str) -> bool:
        return self._path(uri).is_file()

    def delete(self, uri: str) -> bool:
        path = self._path(uri)
        if not path.is_file():
            return False
        with _told("delete", uri):
            path.unlink(missing_ok=True)
            _sync(path.parent)
        return True

    def delete_tree(self, folder: str) -> list[str]:
        found = self.list(folder)
        path = self._path(folder)
        with _told("delete", folder), suppress(FileNotFoundError):
            shutil.rmtree(path)
            _sync(path.parent)
        return found

    def list(self, folder: str) -> list[str]:
        top, names = self._path(folder), file_uri.segments(folder)
        found = []
        for at, _, files in os.walk(top):
            here = Path(at)
            inner = here.relative_to(top).parts
            found += [file_uri.build((*names, *inner, file)) for file in files if not (here / file).is_symlink()]
        return sorted(found)

    def executions(self) -> Iterator[tuple[str, datetime]]:
        for at, folders, _ in os.walk(self._root):
            inner = Path(at).relative_to(self._root).parts
            marker = file_uri.build((*inner, "-", "-"))
            if file_uri.execution_folder_of(marker) is None:
                folders[:] = [name for name in folders if name != _INCOMING]
                continue
            for name in folders:
                with suppress(FileNotFoundError, FileRefused):  # it has just gone, or is nothing of ours
                    changed = os.stat(os.path.join(at, name), follow_symlinks=False).st_mtime
                    yield file_uri.join(file_uri.build(inner), name), datetime.fromtimestamp(changed, UTC)
            folders.clear()

    def _path(self, uri: str) -> Path:
        """Where a file is, or would be. Raises FileRefused for a way that leads out of the folder."""
        path = self._root.joinpath(*file_uri.segments(uri))
        inside = [path, *path.parents]
        if self._root not in inside:
            raise FileRefused(f"`{file_uri.shown(uri)}` cannot name a file on this machine")
        if any(step.is_symlink() for step in inside[: inside.index(self._root)]):
            raise FileRefused(f"`{file_uri.shown(uri)}` leads through a symbolic link; storage follows none")
        return path

    def _existing(self, uri: str) -> Path:
        path = self._path(uri)
        if not path.is_file():
            raise NotFound(f"there is no file `{file_uri.shown(uri)}`")
        return path

    def _incoming(self) -> Path:
        folder = self._root / _INCOMING
        _make_folder(folder)
        if not self._swept:
            self._swept = True
            for left in folder.iterdir():
                with suppress(OSError):
                    if time.time() - left.stat().st_mtime > _FORGOTTEN:
                        left.unlink()
        return folder


def _make_folder(folder: Path) -> None:
    """Make a folder and what is above it, so that they last like the files in them."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return  # another task just made it; should it be a file, the next step says so
    _sync(folder.parent)


def _sync(folder: Path) -> None:
    """Have the names in a folder outlast a power failure."""
    if os.name == "nt":
        return  # where folders cannot be synced
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _told(verb: str, uri: str) -> Iterator[None]:
    """Says of a failing disk what could not be done, and of a name that cannot be a file's whose fault it is."""
    try:
        yield
    except OSError as error:
        message = f"cannot {verb} `{file_uri.shown(uri)}`: {error.strerror or error}"
        if error.errno in _MISNAMED:
            raise FileRefused(message, hint="choose a shorter name that no folder has") from None
        raise StoreError(message) from error
