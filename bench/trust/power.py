"""What a disk holds after a power cut, made from a trace of all that a process wrote and flushed.

What was flushed is there; of what was written later, any part may be. The order of writes between two flushes is the
disk's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random

from msgspec import Struct

_CALLS = "pwrite64,write,fsync,fdatasync,ftruncate"
_LINE = re.compile(r"(?P<pid>\d+) +(?P<rest>.*)")
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>")
_CALL = re.compile(
    r'(?P<call>\w+)\(\d+<(?P<path>[^>]*)>(?:, "(?P<data>[^"]*)")?(?P<numbers>[^)]*)\) += (?P<result>-?\d+)'
)


class Operation(Struct, frozen=True):
    """A write (`data` at `offset`), a change of size (`offset`), or a flush (neither)."""

    file: str
    data: bytes | None = None
    offset: int | None = None

    def do(self, content: bytearray) -> None:
        if self.offset is None:
            return
        if self.data is None:
            del content[self.offset :]
        content.extend(b"\0" * (self.offset - len(content)))
        if self.data is not None:
            content[self.offset : self.offset + len(self.data)] = self.data


def traced(trace: Path, *command: str) -> tuple[str, ...]:
    """The command, with all its writes traced."""
    return ("strace", "-f", "-y", "-xx", "-s", "1000000", "-e", f"trace={_CALLS}", "-o", str(trace), *command)


def operations(trace: Path, names: Mapping[str, int]) -> Iterator[Operation]:
    """What was done to the files of these names, in order; with how long each was before."""
    begun: dict[str, str] = {}
    ends = dict(names)
    with trace.open(encoding="latin-1") as lines:
        for line in lines:
            found = _LINE.match(line)
            if found is None:
                continue
            pid, rest = found["pid"], found["rest"]
            if rest.endswith("<unfinished ...>"):
                begun[pid] = rest.removesuffix("<unfinished ...>").rstrip()
                continue
            if _RESUMED.match(rest):
                rest = begun.pop(pid, "") + _RESUMED.sub("", rest)
            call = _CALL.match(rest)
            if call is None or call["result"].startswith("-"):
                continue
            name = Path(_bytes(call["path"]).decode()).name
            if name not in ends:
                continue
            numbers = [int(number) for number in re.findall(r"\d+", call["numbers"])]
            match call["call"]:
                case "pwrite64":
                    yield Operation(name, _bytes(call["data"]), numbers[-1])
                case "write":  # to the end of the file
                    yield Operation(name, _bytes(call["data"]), ends[name])
                    ends[name] += int(call["result"])
                case "ftruncate":
                    yield Operation(name, None, numbers[-1])
                case _:
                    yield Operation(name)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", "")) if "\\x" in text else text.encode("latin-1")


class Disk:
    """The files as they were, and what was done to them since."""

    def __init__(self, before: Mapping[str, bytes], done: list[Operation]) -> None:
        self.before = before
        self.operations = done

    def cut(self, at: int, chance: Random | None) -> dict[str, bytes]:
        """The files if the power had gone before operation `at`; without chance nothing unflushed has arrived."""
        flushed = dict.fromkeys(self.before, -1)
        for place, operation in enumerate(self.operations[:at]):
            if operation.offset is None:
                flushed[operation.file] = place
        contents = {name: bytearray(content) for name, content in self.before.items()}
        for place, operation in enumerate(self.operations[:at]):
            if place <= flushed[operation.file] or (chance is not None and chance.random() < 0.5):
                operation.do(contents[operation.file])
        return {name: bytes(content) for name, content in contents.items()}

    def written(self, name: str, at: int) -> bytes:
        """What was written to a file before operation `at`, flushed or not."""
        content = bytearray(self.before[name])
        for operation in self.operations[:at]:
            if operation.file == name:
                operation.do(content)
        return bytes(content)
