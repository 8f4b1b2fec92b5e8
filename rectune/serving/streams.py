"""Work of a thread whose client may leave: as one answer, or as a stream of events."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from rectune.serving.problems import problem_of
from rectune.serving.turn import Turn

Told = tuple[str, Mapping[str, Any]]
"""The name of an event, and what it says."""
Emit = Callable[[str, Mapping[str, Any]], None]
Encode = Callable[[Told], bytes]
T = TypeVar("T")

_LOOK = 0.25  # seconds between looks whether the client is there, and which place it has
_PING = 15.0  # seconds of silence after which a comment goes out
MEDIA_TYPE = "text/event-stream"
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def watched(request: Request, turn: Turn, work: Callable[[], T], limiter: CapacityLimiter) -> T:
    """What work in a thread gives; it is cancelled when the client leaves.

    Raises:
        CallCancelled: the client has gone, and the work has noticed.
        Exception: what the work raises.
    """
    watcher = asyncio.ensure_future(_cancel_when_gone(request, turn))
    try:
        return await run_sync(work, limiter=limiter)
    finally:
        watcher.cancel()


async def streamed(
    request: Request,
    turn: Turn,
    work: Callable[[Emit], Mapping[str, Any]],
    limiter: CapacityLimiter,
    encode: Encode | None = None,
    with_status: bool = True,
) -> Response:
    """The events of work in a thread; the last one, `done`, is what it returns.

    What goes wrong before the first event is raised, so that it gets its status; what goes wrong later is an
    event `error`. `encode` is called in the order of the events; `status` says how many wait before this
    request, where it is told.
    """
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[Told | None]()

    def emit(name: str, told: Mapping[str, Any]) -> None:
        turn.check()
        loop.call_soon_threadsafe(queue.put_nowait, (name, told))

    task = asyncio.ensure_future(run_sync(lambda: work(emit), limiter=limiter))

    def ended(task: asyncio.Future[Mapping[str, Any]]) -> None:
        _ = task.cancelled() or task.exception()  # it is looked at here, whoever has gone
        queue.put_nowait(None)

    task.add_done_callback(ended)
    watcher = asyncio.ensure_future(_cancel_when_gone(request, turn))
    try:
        first = await queue.get()
    finally:
        watcher.cancel()
    if first is None and task.exception():
        await task
    events = _events(first, queue, task, turn, encode or as_event, with_status)
    return _Stream(events, task, turn)


class _Stream(StreamingResponse):
    """A stream of events; when it ends before the work does, its client has gone."""

    def __init__(
        self, events: AsyncIterator[bytes], task: asyncio.Future[Mapping[str, Any]], turn: Turn
    ) -> None:
        super().__init__(events, media_type=MEDIA_TYPE, headers=_HEADERS)
        self._task, self._turn = task, turn

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            if not self._task.done():
                self._turn.cancel()


async def _events(
    first: Told | None,
    queue: asyncio.Queue[Told | None],
    task: asyncio.Future[Mapping[str, Any]],
    turn: Turn,
    encode: Encode,
    with_status: bool,
) -> AsyncIterator[bytes]:
    place, heard, told = turn.place, time.monotonic(), first
    if with_status:
        yield encode(("status", {"place": place}))
    while told is not None:
        yield encode(told)
        heard = time.monotonic()
        while True:
            try:
                told = await asyncio.wait_for(queue.get(), _LOOK)
                break
            except TimeoutError:
                if with_status and turn.place != place:
                    place, heard = turn.place, time.monotonic()
                    yield encode(("status", {"place": place}))
                elif time.monotonic() - heard > _PING:
                    heard = time.monotonic()
                    yield KEEPALIVE_COMMENT
    error = task.exception()
    yield encode(("error", problem_of(error).body()["error"]) if error else ("done", task.result()))


def as_event(told: Told) -> bytes:
    """An event of the API: its name, and JSON."""
    name, data = told
    return format_sse_event(event=name, data_str=as_json(data))


def as_json(data: object) -> str:
    """JSON in one line, letters of all languages as they are."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


async def _cancel_when_gone(request: Request, turn: Turn) -> None:
    while not await request.is_disconnected():
        await asyncio.sleep(_LOOK)
    turn.cancel()
