"""What else the engine needs: files, time, and a cipher."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import BinaryIO, Protocol


class Files(Protocol):
    """Internal storage: what is under the URIs of `engine.model.file_uri`. Good for many threads at once.

    Contents are streams and may be larger than the memory. Every verb raises FileRefused for a URI that cannot name a
    file, and StoreError when the storage fails.
    """

    def put(self, uri: str, content: BinaryIO) -> None:
        """Store all that can be read from `content`, in place of what is there; all of it or nothing. It lasts."""

    def open(self, uri: str) -> BinaryIO:
        """The content, to be read and closed. Raises NotFound."""

    def size(self, uri: str) -> int:
        """In bytes. Raises NotFound."""

    def exists(self, uri: str) -> bool:
        """Whether there is such a file; a folder is none."""

    def delete(self, uri: str) -> bool:
        """Remove a file. Returns whether it was there."""

    def delete_tree(self, folder: str) -> list[str]:
        """Remove a folder with all that is below it. Returns the URIs of the files that were there."""

    def list(self, folder: str) -> list[str]:
        """The URIs of all files below a folder, sorted; none when there is no such folder."""

    def executions(self) -> Iterator[tuple[str, datetime]]:
        """The folders of executions that there are, each with when it was last changed, in no order."""


class Clock(Protocol):
    """Time. `now` is aware UTC; `monotonic` is in seconds and never goes back."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...


class Cipher(Protocol):
    """Seals texts with the key of this instance."""

    def encrypt(self, text: str) -> str:
        """The text, sealed. Twice the same text gives two different answers."""

    def decrypt(self, sealed: str) -> str:
        """The text behind what `encrypt` gave. Raises UsageError when another key sealed it, or it was changed."""
