"""Internal storage in memory, for tests of tasks. The same contract suite runs on it as on the real one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from typing import BinaryIO

from engine.errors import NotFound
from engine.model import file_uri


class MemoryFiles:
    """Fulfils engine.ports.Files."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}  #: by URI

    def put(self, uri: str, content: BinaryIO) -> None:
        self.contents[_spelled(uri)] = content.read()

    def open(self, uri: str) -> BinaryIO:
        return BytesIO(self._content(uri))

    def size(self, uri: str) -> int:
        return len(self._content(uri))

    def exists(self, uri: str) -> bool:
        return _spelled(uri) in self.contents

    def delete(self, uri: str) -> bool:
        return self.contents.pop(_spelled(uri), None) is not None

    def delete_tree(self, folder: str) -> list[str]:
        found = self.list(folder)
        for uri in found:
            del self.contents[uri]
        return found

    def list(self, folder: str) -> list[str]:
        above = f"{_spelled(folder)}/"
        return sorted(uri for uri in self.contents if uri.startswith(above))

    def executions(self) -> Iterator[tuple[str, datetime]]:
        folders = {folder for uri in self.contents if (folder := file_uri.execution_folder_of(uri)) is not None}
        return ((folder, datetime.now(UTC)) for folder in folders)

    def _content(self, uri: str) -> bytes:
        content = self.contents.get(_spelled(uri))
        if content is None:
            raise NotFound(f"there is no file `{file_uri.shown(uri)}`")
        return content


def _spelled(uri: str) -> str:
    return file_uri.build(file_uri.segments(uri))
