"""What becomes of an execution, told while it happens: as server-sent events, or by waiting for its end.

Always true: nobody who follows holds a thread; what is told has been committed; a follower that is slow gets the
newest state, not every one; a stream ends when its execution does, or the server.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress

from anyio.to_thread import run_sync as in_thread
from starlette.requests import Request
from starlette.responses import StreamingResponse

from engine.api.answers import as_json
from engine.api.reading import engine_of
from engine.app import Engine
from engine.errors import InvariantBroken, PenstockError
from engine.model.execution import Execution
from engine.ports import LogLine
from engine.present import execution_json, log_json
from engine.runtime.followers import News

#: Seconds after which a stream says that it is still there.
KEEP_ALIVE = 15.0
#: Seconds between two looks at an execution that another engine moves: nobody here hears of it.
LOOK_EVERY = 1.0
_STILL_THERE = b": still there\n\n"
_LINES = 1000

log = logging.getLogger(__name__)


async def ended(engine: Engine, execution_id: str) -> Execution:
    """The execution, as soon as it has ended. Raises NotFound, and why the engine gave it up."""
    async with aclosing(_states(engine, execution_id)) as states:
        async for execution in states:
            if execution is not None and execution.is_over:
                return execution
    raise InvariantBroken(f"execution {execution_id} was followed, but not to its end")


async def follow(request: Request, execution_id: str) -> StreamingResponse:
    """Follow an execution: its state now, one event for each change, and the end."""
    engine = engine_of(request)
    await in_thread(engine.execution, execution_id)  # an unknown one is a 404, not an empty stream
    return _stream(_execution_events(engine, execution_id))


async def follow_logs(request: Request, execution_id: str, minLevel: str | None = None) -> StreamingResponse:  # noqa: N803
    """Follow the log of an execution: the lines there are, and each new one, up to its end."""
    engine = engine_of(request)
    await in_thread(engine.execution, execution_id)
    await in_thread(_lines, engine, execution_id, minLevel, 0)  # so is an unknown level
    return _stream(_log_events(engine, execution_id, minLevel))


async def _states(engine: Engine, execution_id: str) -> AsyncGenerator[Execution | None]:
    """The execution as it is and as it becomes, up to its end; None now and then, while nothing happens."""
    queue: asyncio.Queue[News] = asyncio.Queue()
    here = asyncio.get_running_loop()

    def hear(news: News) -> None:
        with suppress(RuntimeError):  # the server has ended
            here.call_soon_threadsafe(queue.put_nowait, news)

    leave = engine.loop.followers.listen(execution_id, hear)
    try:
        execution = await in_thread(engine.execution, execution_id)
        yield execution
        while not execution.is_over:
            try:
                news = await asyncio.wait_for(queue.get(), KEEP_ALIVE if engine.runs(execution_id) else LOOK_EVERY)
            except TimeoutError:
                before, execution = execution, await in_thread(engine.execution, execution_id)
                yield execution if execution != before else None
                continue
            while not (queue.empty() or isinstance(news, BaseException)):
                news = queue.get_nowait()
            if isinstance(news, BaseException):
                raise news
            execution = news.after
            yield execution
    finally:
        leave()


async def _execution_events(engine: Engine, execution_id: str) -> AsyncIterator[bytes]:
    try:
        async with aclosing(_states(engine, execution_id)) as states:
            has_begun = False
            async for execution in states:
                if execution is None:
                    yield _STILL_THERE
                elif execution.is_over:
                    yield _event("end", execution_json(execution))
                else:
                    if not has_begun:
                        yield _event("start", {"id": execution_id})
                    has_begun = True
                    yield _event("progress", execution_json(execution))
    except PenstockError as error:
        log.error("execution %s cannot be followed any more: %s", execution_id, error.message)


async def _log_events(engine: Engine, execution_id: str, min_level: str | None) -> AsyncIterator[bytes]:
    last, of_flow = 0, dict[str, str]()
    try:
        async with aclosing(_states(engine, execution_id)) as states:
            async for execution in states:
                if execution is None:
                    yield _STILL_THERE
                else:
                    of_flow = {"namespace": execution.namespace, "flowId": execution.flow_id}
                while lines := await in_thread(_lines, engine, execution_id, min_level, last):
                    for line in lines:
                        yield _event("progress", {**log_json(line), **of_flow})
                    last = lines[-1].id or last
    except PenstockError as error:
        log.error("the log of execution %s cannot be followed any more: %s", execution_id, error.message)


def _lines(engine: Engine, execution_id: str, min_level: str | None, after: int) -> list[LogLine]:
    return engine.store.logs(execution_id, after=after, limit=_LINES, min_level=min_level)


def _stream(events: AsyncIterator[bytes]) -> StreamingResponse:
    return StreamingResponse(events, media_type="text/event-stream")


def _event(marker: str, data: object) -> bytes:
    return b"id: %b\ndata: %b\n\n" % (marker.encode(), as_json(data))


ROUTES = (
    ("GET", "/executions/{execution_id}/follow", follow),
    ("GET", "/logs/{execution_id}/follow", follow_logs),
)
