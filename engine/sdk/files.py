"""Files on somebody's behalf: what a task, or an expression, can reach by any kind of URI, and what it may not.

    kestra:///...        a stored file: of this execution, of those that called it or that it called, or of a namespace
    nsfile:///path       a file of the own namespace; nsfile://company.team/path of another
    file:///path         a file of this machine, to be read, below the folders of the setting `files.allowedPaths`
    path                 the same as nsfile:///path

Always true: a file outside these is refused before it is looked for, so an error never tells whether it is there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO
from uuid import uuid4

from engine.errors import FileRefused, IllegalState, NotFound, UsageError
from engine.model import file_uri
from engine.ports import Files

_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):/")
_KINDS = "a file is named by kestra:///..., nsfile:///path, nsfile://namespace/path, file:///path, or a path"


def _none(execution_id: str) -> bool:
    """For whoever belongs to no execution."""
    return False


class FileAccess:
    """What one asker can do with files. Every verb raises FileRefused for what is not the asker's to touch."""

    def __init__(
        self,
        files: Files,
        *,
        namespace: str,
        folder: str | None = None,
        related: Callable[[str], bool] = _none,
        allowed_paths: Sequence[str] = (),
    ) -> None:
        """`folder` is where a task run's files go; `related` tells whether an execution's files may be touched."""
        self._files = files
        self._namespace = namespace
        self._folder = folder
        self._related = related
        self._allowed_paths = allowed_paths

    # -- any file

    def open(self, uri: str) -> BinaryIO:
        """The content, to be read and closed. Raises NotFound."""
        found = self._find(uri)
        if isinstance(found, str):
            return self._files.open(found)
        try:
            return found.open("rb")
        except OSError as error:
            raise NotFound(f"cannot read `{file_uri.shown(uri)}`: {error.strerror}") from None

    def size(self, uri: str) -> int:
        """In bytes. Raises NotFound."""
        found = self._find(uri)
        if isinstance(found, str):
            return self._files.size(found)
        if not found.is_file():
            raise NotFound(f"there is no file `{file_uri.shown(uri)}`")
        return found.stat().st_size

    def exists(self, uri: str) -> bool:
        """Whether there is such a file."""
        found = self._find(uri)
        return self._files.exists(found) if isinstance(found, str) else found.is_file()

    def is_empty(self, uri: str) -> bool:
        """Whether a file has no content. Raises NotFound."""
        return self.size(uri) == 0

    def uri(self, path: str) -> str:
        """The full URI of what a path or a shorter URI names; it need not be there."""
        found = self._find(path)
        return found if isinstance(found, str) else found.as_uri()

    def read_text(self, uri: str, *, version: Any = None) -> str:
        """The content as text, for expressions. Raises ExpressionError for more than a text may hold."""
        from engine.expressions.faults import limit
        from engine.expressions.limits import MAX_TEXT

        if version is not None:
            raise UsageError("read() knows no `version`", hint="a namespace file has one version here: the newest")
        with self.open(uri) as file:
            content = file.read(MAX_TEXT + 1)
        if len(content) > MAX_TEXT:
            raise limit(f"`{file_uri.shown(uri)}` is larger than the {MAX_TEXT:,} bytes that read() takes,")
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            hint = "hand the URI itself to a task that reads such files"
            raise UsageError(f"`{file_uri.shown(uri)}` is not UTF-8 text", hint=hint) from None

    def read_rows(self, uri: str) -> list[Any]:
        """All rows of a file of ION (`.ion`), or else all its lines of text, without the empty ones."""
        from engine.sdk.ion import read_rows

        with self.open(uri) as file:
            if uri.endswith(".ion"):
                return list(read_rows(file))
            try:
                lines = (line.decode("utf-8").rstrip("\r\n") for line in file)
                return [line for line in lines if line]
            except UnicodeDecodeError:
                raise UsageError(f"`{file_uri.shown(uri)}` is not UTF-8 text, and not named .ion") from None

    def delete(self, uri: str) -> bool:
        """Remove a stored file. Returns whether it was there."""
        found = self._find(uri)
        if isinstance(found, Path):
            raise FileRefused(f"`{file_uri.shown(uri)}` is a file of this machine; those are only read")
        return self._files.delete(found)

    # -- what a task stores

    def put(self, source: Path | bytes | BinaryIO, name: str | None = None) -> str:
        """Store a file under the task run and return its URI. `name` may have folders in it.

        A name that was used before is used anew. Without one, a path keeps its own, and content gets one by chance.
        """
        if self._folder is None:
            raise IllegalState("only a running task stores files")
        if name is None:
            name = source.name if isinstance(source, Path) else uuid4().hex
        return self._put(file_uri.join(self._folder, name), source)

    def write_rows(self, rows: Iterable[Any]) -> str:
        """Store rows as a file of ION under the task run and return its URI."""
        from engine.sdk.ion import write_rows

        with TemporaryFile() as file:
            write_rows(rows, file)
            file.seek(0)
            return self.put(file, f"{uuid4().hex}.ion")

    # -- what a task keeps for later executions of its flow

    def open_kept(self, name: str) -> BinaryIO:
        """What an earlier run of this task has kept, to be read and closed. Raises NotFound."""
        return self._files.open(self._kept(name))

    def keep(self, name: str, source: BinaryIO) -> None:
        """Keep this in place of what was kept under the name."""
        self._files.put(self._kept(name), source)

    def forget_kept(self, name: str) -> None:
        """Remove what was kept."""
        self._files.delete(self._kept(name))

    def _kept(self, name: str) -> str:
        if self._folder is None:
            raise IllegalState("only a running task keeps files")
        return file_uri.kept_file(self._folder, name)

    def purge(self) -> list[str]:
        """Remove all files of the execution. Returns their URIs."""
        folder = file_uri.execution_folder_of(self._folder) if self._folder is not None else None
        return self._files.delete_tree(folder) if folder is not None else []

    # -- the files of a namespace; by default the flow's own

    def namespace_uri(self, path: str, namespace: str | None = None) -> str:
        """The URI of a namespace file by its path, which may begin with a slash."""
        return file_uri.join(file_uri.namespace_folder(namespace or self._namespace), path.removeprefix("/"))

    def put_namespace_file(self, source: Path | bytes | BinaryIO, path: str, namespace: str | None = None) -> str:
        """Store a namespace file and return its URI."""
        return self._put(self.namespace_uri(path, namespace), source)

    def namespace_files(self, namespace: str | None = None) -> list[str]:
        """The paths of all files of a namespace, sorted."""
        folder = file_uri.namespace_folder(namespace or self._namespace)
        depth = len(file_uri.segments(folder))
        return ["/".join(file_uri.segments(uri)[depth:]) for uri in self._files.list(folder)]

    def _put(self, uri: str, source: Path | bytes | BinaryIO) -> str:
        if isinstance(source, Path):
            with source.open("rb") as content:
                self._files.put(uri, content)
        else:
            self._files.put(uri, BytesIO(source) if isinstance(source, bytes) else source)
        return uri

    # -- who may touch what

    def _find(self, uri: str) -> str | Path:
        """The stored file, or the file of this machine, that a URI of any kind names. Raises FileRefused."""
        if not isinstance(uri, str):
            raise UsageError(f"a file is named by a text, not by {type(uri).__name__}", hint=_KINDS)
        scheme = _SCHEME.match(uri)
        if scheme is None:
            return self.namespace_uri(uri)
        if uri.startswith("nsfile://"):
            namespace, _, path = uri.removeprefix("nsfile://").partition("/")
            folder = file_uri.namespace_folder(namespace or self._namespace)
            return file_uri.build((*file_uri.segments(folder), *file_uri.decoded(path, uri)))
        if uri.startswith("file:///"):
            return self._on_this_machine(uri)
        if scheme[1] != "kestra":
            raise FileRefused(f"`{file_uri.shown(uri)}` is not a file's URI", hint=_KINDS)
        found = file_uri.build(file_uri.segments(uri))
        owner = file_uri.execution_of(found)
        if not (self._related(owner) if owner is not None else file_uri.is_namespace_file(found)):
            raise FileRefused(
                f"`{file_uri.shown(uri)}` does not belong to this execution",
                hint="an execution reads its own files, those of executions that called it or that it called, and "
                "namespace files; have the other flow store it as a namespace file",
            )
        return found

    def _on_this_machine(self, uri: str) -> Path:
        path = Path("/", *file_uri.decoded(uri.removeprefix("file:///"), uri)).resolve()
        if not any(path.is_relative_to(Path(allowed).resolve()) for allowed in self._allowed_paths):
            raise FileRefused(
                f"`{file_uri.shown(uri)}` is not below an allowed path",
                hint="name its folder in the setting `files.allowedPaths`",
            )
        return path
