"""The process that serves: it listens, answers until it is told to end, and ends in order.

Always true: the port is taken before anything else is begun, so one that is not free leaves nothing half-started. The
first signal has no more work taken and what runs finished; a second one ends the process at once, which loses nothing
that anybody was told.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import uvicorn
from anyio.to_thread import run_sync as in_thread

from engine.api.gate import Gate
from engine.errors import UsageError

SIGNALS = (signal.SIGINT, signal.SIGTERM)
#: Seconds that answers which are under way may take once the engine has ended its work.
LAST_ANSWERS = 2
_BACKLOG = 1024


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; who connects waits until something answers. Raises UsageError."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        door = socket.socket(family, kind)
    except OSError as error:
        raise UsageError(f"there is no host {host} to listen on: {error.strerror}", hint="see --host") from None
    try:
        if os.name == "posix":
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(address)
        door.listen(_BACKLOG)
    except OSError as error:
        door.close()
        raise UsageError(
            f"cannot listen on {host}:{port}: {error.strerror}",
            hint="--host names an address of this machine, such as 127.0.0.1 or 0.0.0.0"
            if error.errno == errno.EADDRNOTAVAIL
            else "another program may do so already; --port chooses another port, and 0 any that is free",
        ) from None
    return door


def url_of(door: socket.socket) -> str:
    """Where clients find it."""
    host, port = door.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(gate: Gate, door: socket.socket, on_ready: Callable[[], None], end: Callable[[], None]) -> None:
    """Answer until a signal comes. Then `end` is called, in a thread, while what only looks is still answered."""
    asyncio.run(_serve(gate, door, on_ready, end))


async def _serve(gate: Gate, door: socket.socket, on_ready: Callable[[], None], end: Callable[[], None]) -> None:
    server = _Server(
        uvicorn.Config(
            gate,
            access_log=False,
            log_config=None,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=LAST_ANSWERS,
        )
    )
    asked = asyncio.Event()
    with _signals(asked):
        serving = asyncio.create_task(server.serve(sockets=[door]))
        while not (server.started or serving.done()):
            await asyncio.sleep(0.005)
        on_ready()
        waiting = asyncio.create_task(asked.wait())
        await asyncio.wait((serving, waiting), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        gate.is_ending = True
        try:
            await in_thread(end)
        finally:
            server.should_exit = True
            with suppress(asyncio.CancelledError):
                await serving


class _Server(uvicorn.Server):
    """Leaves the signals to us."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextmanager
def _signals(asked: asyncio.Event) -> Iterator[None]:
    """The first one is passed on; at the second the process ends."""
    here = asyncio.get_running_loop()

    def handle(number: int, _: object) -> None:
        if asked.is_set():
            os._exit(128 + number)
        asked.set()  # at once, as a second one may come before the loop turns
        here.call_soon_threadsafe(lambda: None)

    before = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
