"""While there is no room on the disk: what is under way waits for some, and nothing new is taken.

Always true: whoever asks for something new hears at once that there is no room; what was acknowledged is in memory and
on the disk as it was, and goes on by itself as soon as a commit succeeds.
"""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable
from time import monotonic

from engine.errors import StoreFull
from engine.runtime.messages import Message, Request, Stop, Submit

#: Seconds between two tries to commit.
PAUSE = 1.0

log = logging.getLogger(__name__)


class Room:
    """Belongs to the loop's thread. `keep` takes what is for later."""

    def __init__(self, inbox: queue.SimpleQueue[Message], keep: Callable[[Message], None]) -> None:
        self._inbox = inbox
        self._keep = keep
        self._is_full = False

    def wait(self, error: StoreFull) -> bool:
        """Wait a little before the next try; False when the loop is to end."""
        if not self._is_full:
            log.error("%s; nothing new is taken, and what is under way waits for room", error.message)
        self._is_full = True
        until = monotonic() + PAUSE
        while (left := until - monotonic()) > 0:
            try:
                message = self._inbox.get(timeout=left)
            except queue.Empty:
                break
            match message:
                case Submit():
                    message.stored.set_exception(error)
                case Request():
                    message.done.set_exception(error)
                case Stop():
                    self._keep(message)
                    return False
                case _:
                    self._keep(message)
        return True

    def found(self) -> None:
        """A commit has succeeded."""
        if self._is_full:
            log.warning("there is room again, and everything goes on")
        self._is_full = False
