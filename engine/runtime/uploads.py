"""The local files among the inputs of an execution, from being named to being stored with it.

Always true: nothing is stored before all inputs are accepted, and what was stored for an execution that did not begin
is removed.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

from engine.core.coercion import check_file_name, is_file_uri
from engine.errors import FileRefused, UsageError
from engine.model.file_uri import join
from engine.model.inputs import FileInput
from engine.ports import Files
from engine.sources import check_file

_NAMELESS = ".upl"  #: what ends the name of a file that comes without one


class Uploads:
    """The files for one execution. `folder` gives the URI of the folder for an input's file, by the input's id."""

    def __init__(self, files: Callable[[], Files], folder: Callable[[str], str]) -> None:
        self._files = files
        self._folder = folder
        self._contents: dict[str, str | bytes | BinaryIO] = {}  #: URI -> where the content is
        self.by_input: dict[str, str] = {}  #: input id -> URI

    def attach(self, declared: FileInput, value: Any) -> Any:
        """The URI that a file will have once it is stored; what is stored already keeps its own.

        `value` is a path, an open binary file or bytes. Raises ValueError with the reason why it is none of these.
        """
        if isinstance(value, str) and is_file_uri(value):
            return value
        content, name = _content(declared, value)
        try:
            check_file_name(declared, name)
            uri = join(self._folder(declared.id), name)
        except FileRefused as error:
            raise ValueError(error.message) from None
        self._contents[uri] = content
        self.by_input[declared.id] = uri
        return uri

    def put(self) -> None:
        """Store them all, or none. Raises UsageError for what cannot be read."""
        try:
            for uri, content in self._contents.items():
                self._put(uri, content)
        except BaseException:
            self.discard()
            raise

    def _put(self, uri: str, content: str | bytes | BinaryIO) -> None:
        try:
            if isinstance(content, str):
                with open(content, "rb") as file:
                    self._files().put(uri, file)
            else:
                self._files().put(uri, io.BytesIO(content) if isinstance(content, bytes) else content)
        except (OSError, ValueError) as error:
            raise UsageError(f"the file for {uri} cannot be read: {error}") from None

    def discard(self) -> None:
        """Remove what was stored."""
        for uri in self._contents:
            self._files().delete(uri)


def _content(declared: FileInput, value: Any) -> tuple[str | bytes | BinaryIO, str]:
    """Where the content of a file is, and what it is called."""
    nameless = declared.id + (declared.extension or _NAMELESS)
    if isinstance(value, bytes):
        return value, nameless
    if isinstance(value, io.TextIOBase):
        raise ValueError("it must be a file that is open in binary mode")
    if hasattr(value, "read"):
        named = getattr(value, "name", None)
        return value, os.path.basename(named) if isinstance(named, str) and not named.startswith("<") else nameless
    if not isinstance(value, (str, os.PathLike)):
        raise ValueError("it must be a file: its path, or the URI of a stored one")
    path = os.path.abspath(os.path.expanduser(os.fspath(value)))
    try:
        check_file(path, sys.maxsize)
    except UsageError as error:
        raise ValueError(f"{error.message}{f' ({error.hint})' if error.hint else ''}") from None
    return path, os.path.basename(path)
