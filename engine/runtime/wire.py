"""What two engines say to each other over a socket: one JSON object a line, and errors that arrive as they were raised.

Always true: a line is bounded, whoever sends it; what comes from the other side is data, never code; an error that is
not one of ours travels as a sentence, without its traceback.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from time import monotonic
from typing import Any

from msgspec import Struct, ValidationError, convert, to_builtins

from engine import errors
from engine.errors import FlowInvalid, InputsInvalid, InvariantBroken, PenstockError, UsageError
from engine.model.diagnostic import Diagnostic, Edit, Severity
from engine.model.duration import format_duration
from engine.model.events import (
    Event,
    KillRequested,
    LabelsSet,
    PauseRequested,
    RestartRequested,
    ResumeRequested,
    StartForced,
    StatusChanged,
    TaskRunChanged,
)

#: The longest line, in bytes: a flow of 1 MiB with inputs from files of 16 MiB fits.
MAX_LINE = 48 * 1024 * 1024
_CHUNK = 256 * 1024

Message = Mapping[str, Any]


class Submission(Struct, frozen=True, kw_only=True):
    """An execution to begin. Its id is made by whoever asks, so that asking twice begins it once."""

    id: str
    source: str
    file: str  #: the flow's name in messages about it
    inputs: Mapping[str, Any]
    labels: Mapping[str, str]


class Replay(Struct, frozen=True, kw_only=True):
    """An execution that does again what another one did. Its id is made by whoever asks, as that of a submission."""

    id: str
    of: str  #: the execution that is done again
    revision: int | None = None  #: None is the one that it ran
    failed_only: bool = False  #: what did not end well, rather than from `task_runs` on
    task_runs: tuple[str, ...] = ()  #: where it begins; none is the start
    inputs: Mapping[str, Any] = {}  #: those that are other than before
    outputs: Mapping[str, Mapping[str, Any]] = {}  #: by task run: what it is to have given


#: What a person may ask of an execution, by its name in a message.
EVENTS: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        KillRequested, PauseRequested, ResumeRequested, RestartRequested, TaskRunChanged, StatusChanged, StartForced,
        LabelsSet,
    )
}  # fmt: skip


def event_message(event: Event) -> Message:
    """An event as it is told."""
    return {"kind": type(event).__name__, "fields": to_builtins(event)}


def event_from(message: Any) -> Event:
    """The event that a message tells of. Raises UsageError."""
    try:
        return convert(message["fields"], EVENTS[message["kind"]])
    except (KeyError, TypeError, ValidationError) as error:
        raise UsageError(f"this is nothing that can be asked of an execution: {error}") from None


class Connection:
    """One side of a conversation. A message takes at most `patience` seconds, to be sent or to arrive."""

    def __init__(self, link: socket.socket, *, patience: float, max_line: int = MAX_LINE) -> None:
        self._link = link
        self.patience = patience
        self._max_line = max_line
        self._received = bytearray()

    def send(self, message: Message) -> None:
        """Raises UsageError for a message that is too long or cannot be written, OSError for a broken link."""
        line = encoded(message)
        if len(line) > self._max_line:
            raise UsageError(
                f"{len(line):,} bytes are too much to hand over to another engine; the limit is {self._max_line:,}",
                hint="Wait until that engine has ended, or give large inputs as files that the flow reads.",
            )
        self._link.settimeout(self.patience)
        self._link.sendall(line)

    def receive(self) -> Message | None:
        """The next message; None when the other side has hung up.

        Raises UsageError for what is no message, OSError (TimeoutError) for a broken or silent link.
        """
        searched = 0
        until = monotonic() + self.patience
        while (end := self._received.find(b"\n", searched)) < 0:
            searched = len(self._received)
            if searched > self._max_line:
                raise UsageError(f"a message of more than {self._max_line:,} bytes was refused")
            self._link.settimeout(max(until - monotonic(), 0.001))
            chunk = self._link.recv(_CHUNK)
            if not chunk:
                return None
            self._received += chunk
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            raise UsageError("a message between engines is a JSON object on one line")
        return message


def encoded(message: Message) -> bytes:
    """A message as a line. Raises UsageError for a value that JSON has no form for."""
    try:
        return json.dumps(message, default=_plain, separators=(",", ":")).encode() + b"\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"this cannot be handed over to another engine: {error}") from None


def _plain(value: object) -> object:
    """What Python calls may give as an input, as an input may be written."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return list(value)
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return format_duration(value)
    raise TypeError(f"a {type(value).__name__} has no form in JSON")


def error_message(error: BaseException) -> Message:
    """An error as a message."""
    if not isinstance(error, PenstockError):
        error = InvariantBroken(f"this is a bug in penstock: {type(error).__name__}: {error}")
    told: dict[str, Any] = {"error": type(error).__name__, "message": error.message, "hint": error.hint}
    if isinstance(error, FlowInvalid):
        told["diagnostics"] = to_builtins(error.diagnostics)
    if isinstance(error, InputsInvalid):
        told["problems"] = list(error.problems)
    return told


def error_from(message: Message) -> PenstockError:
    """The error that a message tells of; of a kind that this version does not know, the nearest it does."""
    text, hint = str(message.get("message")), message.get("hint")
    kind = getattr(errors, str(message["error"]), None)
    try:
        if kind is FlowInvalid:
            return FlowInvalid(text, [_finding(each) for each in message["diagnostics"]], hint=hint)
        if kind is InputsInvalid:
            return InputsInvalid([str(problem) for problem in message["problems"]])
        if isinstance(kind, type) and issubclass(kind, PenstockError):
            return kind(text, hint=hint)
    except (KeyError, TypeError, ValueError):
        pass
    return PenstockError(text, hint=hint)


def _finding(told: Mapping[str, Any]) -> Diagnostic:
    edit = Edit(**told["edit"]) if told.get("edit") else None
    return Diagnostic(**{**told, "severity": Severity(told["severity"]), "edit": edit})
