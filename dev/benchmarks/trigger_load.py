"""Triggers that wait, and what counts while they do."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from typing import TYPE_CHECKING, Any

import httpx

from airflow_provider_renderbus.triggers.tasks import RenderbusTaskTrigger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Sequence

CONN_ID = "renderbus_default"
FINISHED = [25]
# Seconds in which it must be over what should be over long before: a benchmark that hangs tells nothing.
PATIENCE = 60.0


class Idle(RenderbusTaskTrigger):
    """A trigger that does nothing."""

    async def run(self) -> AsyncIterator[Any]:
        await asyncio.get_running_loop().create_future()
        yield None


class Requests:
    """Counts what httpx posts, and keeps the moment of each answer with what was asked."""

    def __init__(self) -> None:
        self.count = 0
        self.answered: list[tuple[float, bytes]] = []
        post = httpx.AsyncClient.post

        async def counted(client: httpx.AsyncClient, url: Any, *, content: bytes, **more: Any) -> Any:
            self.count += 1
            answer = await post(client, url, content=content, **more)
            self.answered.append((time.perf_counter(), content))
            return answer

        httpx.AsyncClient.post = counted  # type: ignore[assignment,method-assign]  # httpx has no hook there


class Warnings(logging.Handler):
    """Counts warnings."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.count = 0

    def emit(self, _: logging.LogRecord) -> None:
        self.count += 1


class Heard(logging.Filter):
    """Counts the triggers that have heard of their task: each has its line in the log."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self._log = logging.getLogger(RenderbusTaskTrigger.__module__)

    def filter(self, _: logging.LogRecord) -> bool:
        self.count += 1
        return False

    @contextlib.asynccontextmanager
    async def all_of(self, count: int) -> AsyncIterator[None]:
        """Leave the block when so many have heard; that begins in it."""
        self.count = 0
        self._log.setLevel(logging.INFO)
        self._log.addFilter(self)
        try:
            yield
            deadline = time.perf_counter() + PATIENCE
            while self.count < count:
                if time.perf_counter() > deadline:
                    raise SystemExit(f"only {self.count} of {count} triggers have heard of their task")
                await asyncio.sleep(0.1)
        finally:
            self._log.removeFilter(self)
            self._log.setLevel(logging.WARNING)


def trigger(kind: type[RenderbusTaskTrigger], number: int, interval: float) -> RenderbusTaskTrigger:
    """Return a trigger as a triggerer gets it: stored and built anew."""
    made = kind(CONN_ID, [number], FINISHED, None, interval, time.time() + 86_400)
    return kind(**json.loads(json.dumps(made.serialize()[1])))


async def event_of(waiting: RenderbusTaskTrigger) -> float:
    """Run a trigger to its event, and return the moment at which it came."""
    async for _ in waiting.run():
        return time.perf_counter()
    raise AssertionError("a trigger ended without an event")


@contextlib.asynccontextmanager
async def running(waits: Sequence[Awaitable[Any]]) -> AsyncIterator[list[asyncio.Future[Any]]]:
    tasks: list[asyncio.Future[Any]] = [asyncio.ensure_future(wait) for wait in waits]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def waits(kind: type[RenderbusTaskTrigger], numbers: list[int], interval: float) -> list[Awaitable[float]]:
    return [event_of(trigger(kind, number, interval)) for number in numbers]


@contextlib.asynccontextmanager
async def settled(numbers: list[int], interval: float) -> AsyncIterator[dict[int, asyncio.Future[Any]]]:
    """Run triggers that have all joined and heard, and yield their events by number."""
    async with contextlib.AsyncExitStack() as stack:
        async with Heard().all_of(len(numbers)):
            tasks = await stack.enter_async_context(running(waits(RenderbusTaskTrigger, numbers, interval)))
        # The requests of those who joined last are over too.
        await asyncio.sleep(1)
        yield dict(zip(numbers, tasks, strict=True))
