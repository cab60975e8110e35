"""Tasks that make, cut, join and remove files of internal storage."""

from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Annotated, BinaryIO

from pydantic import BeforeValidator, Field

from engine import sdk
from engine.sdk.workspace import inside, matching

_CHUNK = 1024 * 1024
_UNITS = {"B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}


def _bytes(size: object) -> object:
    """`10MB` as a number of bytes."""
    if not isinstance(size, str):
        return size
    text = size.strip().upper()
    unit = next((unit for unit in sorted(_UNITS, key=len, reverse=True) if text.endswith(unit)), "")
    number = text.removesuffix(unit).strip()
    if not number.isascii() or not number.isdigit():
        raise ValueError("expected a size such as 500, 64KB or 10MB")
    return int(number) * _UNITS.get(unit, 1)


ByteSize = Annotated[int, BeforeValidator(_bytes), Field(ge=1)]


def copy(source: BinaryIO, target: BinaryIO, ctx: sdk.RunContext) -> None:
    """Copy a stream; stops when the task should."""
    while chunk := source.read(_CHUNK):
        ctx.check_cancelled()
        target.write(chunk)


def rows_of(source: BinaryIO, separator: bytes) -> Iterator[bytes]:
    """The rows of a stream, without their separators. A separator at the very end begins no row."""
    rest = b""
    while chunk := source.read(_CHUNK):
        *rows, rest = (rest + chunk).split(separator)
        yield from rows
    if rest:
        yield rest


class Write(sdk.Task, type="io.kestra.plugin.core.storage.Write", effect="idempotent"):
    """Write a text to a file of internal storage."""

    EXAMPLES = (
        sdk.Example(
            "Keep a text as a file.",
            """
            id: write_file
            namespace: company.team
            tasks:
              - id: write
                type: io.kestra.plugin.core.storage.Write
                content: "Hello {{ flow.id }}"
                extension: .txt
            """,
        ),
    )

    content: str
    """The text of the file."""
    extension: str | None = None
    """What the name of the file ends with, such as `.txt`."""

    class Output(sdk.Output):
        uri: str
        """The URI of the file."""

    def run(self, ctx: sdk.RunContext) -> Output:
        name = f"{ctx.task_id}.{self.extension.removeprefix('.')}" if self.extension else ctx.task_id
        return self.Output(uri=ctx.put_file(self.content.encode(), name))


class Concat(
    sdk.Task,
    type="io.kestra.plugin.core.storage.Concat",
    aliases=("io.kestra.core.tasks.storages.Concat",),
    effect="idempotent",
):
    """Join files to one."""

    EXAMPLES = (
        sdk.Example(
            "Join the files of two tasks.",
            """
            id: concat_files
            namespace: company.team
            tasks:
              - {id: first, type: io.kestra.plugin.core.storage.Write, content: a}
              - {id: second, type: io.kestra.plugin.core.storage.Write, content: b}
              - id: concat
                type: io.kestra.plugin.core.storage.Concat
                files:
                  - "{{ outputs.first.uri }}"
                  - "{{ outputs.second.uri }}"
                separator: "\\n"
            """,
        ),
    )

    files: list[str]
    """The URIs of the files, in order."""
    separator: str | None = None
    """What to write after each file, the last one too."""
    extension: str = ".tmp"
    """What the name of the new file ends with."""

    class Output(sdk.Output):
        uri: str
        """The URI of the new file."""

    def run(self, ctx: sdk.RunContext) -> Output:
        whole = ctx.working_dir / "whole"
        with whole.open("wb") as target:
            for uri in self.files:
                with ctx.open_file(uri) as source:
                    copy(source, target, ctx)
                target.write((self.separator or "").encode())
        return self.Output(uri=ctx.put_file(whole, f"{ctx.task_id}{self.extension}"))


class Split(
    sdk.Task,
    type="io.kestra.plugin.core.storage.Split",
    aliases=("io.kestra.core.tasks.storages.Split",),
    effect="idempotent",
):
    """Cut a file into several, always between rows.

    One of `bytes`, `partitions` and `rows` says how; should there be several, the first of these counts.
    """

    EXAMPLES = (
        sdk.Example(
            "Split a file into parts of at most 1,000 rows.",
            """
            id: split_file
            namespace: company.team
            inputs:
              - {id: data, type: FILE}
            tasks:
              - id: split
                type: io.kestra.plugin.core.storage.Split
                from: "{{ inputs.data }}"
                rows: 1000
            """,
        ),
    )

    from_: str = Field(alias="from")
    """The URI of the file."""
    bytes: ByteSize | None = None
    """How large a part may get, such as `10MB`; a longer row makes a part of its own."""
    partitions: int | None = Field(default=None, ge=1, le=10_000)
    """Into how many parts to deal the rows, one after the other."""
    rows: int | None = Field(default=None, ge=1)
    """How many rows a part has."""
    separator: str = Field(default="\n", min_length=1)
    """What stands between two rows."""

    class Output(sdk.Output):
        uris: list[str]
        """The URIs of the parts, in order. An empty file has none."""

    def run(self, ctx: sdk.RunContext) -> Output:
        if self.bytes is None and self.partitions is None and self.rows is None:
            raise sdk.TaskFailed("nothing says how to split", hint="set `bytes`, `partitions` or `rows`")
        separator = self.separator.encode()
        with ctx.open_file(self.from_) as source:
            rows = (row + separator for row in rows_of(source, separator))
            if self.bytes is None and self.partitions is not None:
                parts = _dealt(ctx, rows, self.partitions)
            else:
                parts = _cut(ctx, rows, most_rows=self.rows, most_bytes=self.bytes)
        suffix = Path(self.from_).suffix
        return self.Output(uris=[ctx.put_file(part, f"{part.name}{suffix}") for part in parts])


def _cut(ctx: sdk.RunContext, rows: Iterator[bytes], *, most_rows: int | None, most_bytes: int | None) -> list[Path]:
    """Parts that are as long as they may be; a row that is too long gets one of its own."""
    parts: list[Path] = []
    target, count, size = None, 0, 0
    try:
        for row in rows:
            full = size + len(row) > most_bytes if most_bytes is not None else count == most_rows
            if target is None or full:
                ctx.check_cancelled()
                if target is not None:
                    target.close()
                parts.append(_part(ctx, len(parts)))
                target, count, size = parts[-1].open("wb"), 0, 0
            target.write(row)
            count, size = count + 1, size + len(row)
    finally:
        if target is not None:
            target.close()
    return parts


def _dealt(ctx: sdk.RunContext, rows: Iterator[bytes], partitions: int) -> list[Path]:
    """As many parts as there should be, or as there are rows."""
    parts = [_part(ctx, number) for number in range(partitions)]
    for part, row in zip(cycle(parts), rows, strict=False):
        ctx.check_cancelled()
        with part.open("ab") as target:
            target.write(row)
    return [part for part in parts if part.exists()]


def _part(ctx: sdk.RunContext, number: int) -> Path:
    return ctx.working_dir / f"part-{number + 1:05}"


class Reverse(
    sdk.Task,
    type="io.kestra.plugin.core.storage.Reverse",
    aliases=("io.kestra.core.tasks.storages.Reverse",),
    effect="idempotent",
):
    """Write the rows of a file in the reverse order."""

    EXAMPLES = (
        sdk.Example(
            "Put the newest line first.",
            """
            id: reverse_file
            namespace: company.team
            inputs:
              - {id: log, type: FILE}
            tasks:
              - id: reverse
                type: io.kestra.plugin.core.storage.Reverse
                from: "{{ inputs.log }}"
            """,
        ),
    )

    from_: str = Field(alias="from")
    """The URI of the file."""
    separator: str = Field(default="\n", min_length=1)
    """What stands between two rows."""
    charset: str = "UTF-8"
    """The encoding of the file."""

    class Output(sdk.Output):
        uri: str
        """The URI of the new file."""

    def run(self, ctx: sdk.RunContext) -> Output:
        try:
            separator = self.separator.encode(self.charset)
        except LookupError:
            raise sdk.TaskFailed(f"there is no encoding `{self.charset}`", hint="such as UTF-8") from None
        turned = ctx.working_dir / "turned"
        with ctx.open_file(self.from_) as source, turned.open("wb") as target:
            places, start = [], 0
            for row in rows_of(source, separator):
                places.append((start, len(row)))
                start += len(row) + len(separator)
            for start, length in reversed(places):
                ctx.check_cancelled()
                source.seek(start)
                target.write(source.read(length) + separator)
        return self.Output(uri=ctx.put_file(turned, f"{ctx.task_id}{Path(self.from_).suffix}"))


class LocalFiles(
    sdk.Task,
    type="io.kestra.plugin.core.storage.LocalFiles",
    aliases=("io.kestra.core.tasks.storages.LocalFiles",),
    effect="idempotent",
):
    """Put files into the working folder, and store those that are there."""

    DEPRECATED = "io.kestra.plugin.core.flow.WorkingDirectory"
    EXAMPLES = (
        sdk.Example(
            "Make a file and store it.",
            """
            id: local_files
            namespace: company.team
            tasks:
              - id: files
                type: io.kestra.plugin.core.storage.LocalFiles
                inputs:
                  greeting.txt: "Hello {{ flow.id }}"
                outputs:
                  - "*.txt"
            """,
        ),
    )

    inputs: dict[str, str | None] = Field(default_factory=dict)
    """The files to make, by name: each a text, or the URI of a stored file."""
    outputs: list[str] = Field(default_factory=list)
    """Globs of the files to store."""

    class Output(sdk.Output):
        uris: dict[str, str]
        """The URIs of the stored files, by name."""

    def run(self, ctx: sdk.RunContext) -> Output:
        for name, content in self.inputs.items():
            with inside(ctx.working_dir, name).open("wb") as target:
                if content is not None and content.startswith(("kestra://", "nsfile://", "file://")):
                    with ctx.open_file(content) as source:
                        copy(source, target, ctx)
                else:
                    target.write((content or "").encode())
        found = matching(ctx.working_dir, self.outputs)
        return self.Output(uris={name: ctx.put_file(ctx.working_dir / name, name) for name in found})
