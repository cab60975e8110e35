"""What the owner of a database does for other commands: it begins, takes over and kills executions for them.

Always true: an execution that was taken is in the database before the answer, and is seen to its end before this
engine ends by its own will; asking twice for the same changes nothing.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial

from msgspec import ValidationError, convert

from engine import __version__
from engine.errors import IllegalState, UsageError
from engine.model.events import Event, KillRequested
from engine.model.execution import Execution
from engine.runtime.followers import News
from engine.runtime.loop import Loop
from engine.runtime.wire import Message, Replay, Submission, event_from
from engine.runtime.writes import Write

ENDING: Message = {"ending": True}


class Host:
    """Answers the messages of a `Listener`, from any thread.

    `begin` stores and begins an execution unless it is stored already; `resume` has the loop go on with a stored one,
    and says whether there was anything left to do; `ask` asks something of one and gives it as it is then; `replay`
    begins one that does another one again; `write` makes a small write. They raise what the other side should hear.
    """

    def __init__(
        self,
        loop: Loop,
        begin: Callable[[Submission], bool],
        resume: Callable[[str], bool],
        ask: Callable[[str, Event], Execution],
        replay: Callable[[Replay], bool],
        write: Callable[[Write], int],
        now: Callable[[], datetime],
    ) -> None:
        self._loop = loop
        self._begin = begin
        self._resume = resume
        self._ask = ask
        self._replay = replay
        self._write = write
        self._now = now
        self._taking = threading.Lock()  #: an execution is taken once, however many ask
        self._changed = threading.Condition()
        #: The executions that were taken and have not ended, and how to stop listening to each.
        self._guests: dict[str, Callable[[], None] | None] = {}
        self._failures: dict[str, BaseException] = {}  #: why some were given up, until somebody asks
        self._ending = False

    def answer(self, message: Message) -> Message:
        """The reply to one message. Raises PenstockError."""
        verb, id_ = message.get("verb"), message.get("id")
        if verb == "ping":
            return {"pid": os.getpid(), "version": __version__}
        if verb == "write":
            return {"done": self._write(_write(message))}
        if not isinstance(id_, str):
            raise UsageError("a message between engines names an execution by its id")
        match verb:
            case "runs":
                return {"runs": self._loop.runs(id_)}
            case "submit":
                return self._take(id_, partial(self._begin, _submission(message)))
            case "adopt":
                return self._take(id_, partial(self._resume, id_))
            case "replay":
                return self._take(id_, partial(self._replay, _replay(message)))
            case "ask":
                return self._ask_of(id_, event_from(message.get("event")))
            case "kill":
                return self._kill(id_, str(message.get("reason")))
        raise UsageError(f"process {os.getpid()} (Penstock {__version__}) does not know the verb {verb!r}")

    def finish(self, on_wait: Callable[[str], None]) -> None:
        """Take nothing more, and wait for the end of what was taken. `on_wait` hears what there is to wait for."""
        with self._changed:
            self._ending = True
            count = len(self._guests)
        if count:
            them = "an execution" if count == 1 else f"{count} executions"
            on_wait(f"this engine still runs {them} for other commands; Ctrl-C leaves the rest to them")
        with self._changed:
            self._changed.wait_for(lambda: not self._guests)

    def _take(self, id_: str, start: Callable[[], bool]) -> Message:
        """Run an execution for somebody else, unless it runs already: `taken` says which."""
        with self._taking:
            failure = self._failures.pop(id_, None)
            if failure is not None:
                raise failure
            if id_ in self._guests or self._loop.runs(id_):
                return {"taken": False}
            with self._changed:
                if self._ending:
                    return ENDING
                self._guests[id_] = None
            started = False
            self._listen(id_)
            try:
                started = start()
            finally:
                if not started:
                    self._forget(id_)
            return {"taken": started}

    def _ask_of(self, id_: str, event: Event) -> Message:
        """Ask something of an execution, and see to its end one that goes on because of it."""
        with self._taking:
            with self._changed:
                if self._ending and not self._loop.runs(id_):
                    return ENDING
                known = id_ in self._guests
                if not known:
                    self._guests[id_] = None
            if not known:
                self._listen(id_)
            goes_on = False
            try:
                after = self._ask(id_, event)
                goes_on = not (after.is_over or after.awaits_decision)
            finally:
                if not known and not goes_on:
                    self._forget(id_)
            return {}

    def _listen(self, id_: str) -> None:
        leave = self._loop.followers.listen(id_, partial(self._hear, id_))
        with self._changed:
            if id_ in self._guests:
                self._guests[id_] = leave
                return
        leave()  # there was nothing to hear any more

    def _forget(self, id_: str) -> None:
        self._see_off(id_)
        self._failures.pop(id_, None)  # whoever asks hears it now

    def _hear(self, id_: str, news: News) -> None:
        if isinstance(news, BaseException):
            self._failures[id_] = news
            self._see_off(id_)
        elif news.after.is_over or news.after.awaits_decision:
            self._see_off(id_)

    def _see_off(self, id_: str) -> None:
        with self._changed:
            leave = self._guests.pop(id_, None)
            self._changed.notify_all()
        if leave is not None:
            leave()

    def _kill(self, id_: str, reason: str) -> Message:
        if id_ not in self._guests and not self._loop.runs(id_):
            raise IllegalState(f"execution {id_} does not run", hint=f"see `penstock executions show {id_}`")
        self._loop.post(id_, KillRequested(at=self._now(), reason=reason))
        return {}


def _write(message: Message) -> Write:
    try:
        write: Write = convert(message.get("write"), Write)
    except ValidationError as error:
        raise UsageError(f"this write is not known to Penstock {__version__}: {error}") from None
    return write


def _replay(message: Message) -> Replay:
    try:
        return convert(message.get("replay"), Replay)
    except ValidationError as error:
        raise UsageError(f"this replay is not known to Penstock {__version__}: {error}") from None


def _submission(message: Message) -> Submission:
    texts = {name: message.get(name) for name in ("id", "source", "file")}
    maps = {name: message.get(name) for name in ("inputs", "labels")}
    if not all(isinstance(text, str) for text in texts.values()) or not all(isinstance(m, dict) for m in maps.values()):
        raise UsageError("an execution is handed over with its id, source, file, inputs and labels")
    return Submission(**texts, **maps)  # type: ignore[arg-type]
