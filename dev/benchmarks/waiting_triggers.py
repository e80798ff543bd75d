"""Runs thousands of triggers that wait, and counts what they do."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator
from typing import Self

import httpx

from airflow_provider_renderbus.triggers.tasks import RenderbusTaskTrigger
from dev.harness.embedded_farm import CONNECTION_ID

_FINISHED = [25]
TIMEOUT = 60.0
"""Seconds after which what should be over long before counts as never happening."""


class RequestCounter:
    """Counts what httpx sends, and keeps the time of each response with the body of its request."""

    def __init__(self) -> None:
        self.count = 0
        self.answered: list[tuple[float, bytes]] = []
        send = httpx.AsyncHTTPTransport.handle_async_request

        async def counting_send(
            transport: httpx.AsyncHTTPTransport, request: httpx.Request
        ) -> httpx.Response:
            self.count += 1
            response = await send(transport, request)
            self.answered.append((time.perf_counter(), request.content))
            return response

        httpx.AsyncHTTPTransport.handle_async_request = counting_send  # type: ignore[assignment,method-assign]  # httpx has no hook there


class LogCounter(logging.Handler):
    """Counts the records of a logger from a level on, while its ``with`` block lasts, and drops them."""

    def __init__(self, name: str, level: int) -> None:
        super().__init__(level)
        self.count = 0
        self._log = logging.getLogger(name)

    def emit(self, _: logging.LogRecord) -> None:
        self.count += 1

    def __enter__(self) -> Self:
        self._level = self._log.level
        self._log.setLevel(self.level)
        self._log.propagate = False
        self._log.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._log.removeHandler(self)
        self._log.setLevel(self._level)
        self._log.propagate = True


async def _event_time(trigger: RenderbusTaskTrigger) -> float:
    """Run a trigger, stored and rebuilt as in a triggerer, and return the time of its event."""
    stored = json.loads(json.dumps(trigger.serialize()[1]))
    async for _ in type(trigger)(**stored).run():
        return time.perf_counter()
    raise AssertionError("a trigger ended without an event")


@contextlib.asynccontextmanager
async def run_triggers(
    kind: type[RenderbusTaskTrigger], ids: list[int], interval: float
) -> AsyncIterator[dict[int, asyncio.Task[float]]]:
    """Run triggers while the block lasts, and yield the times of their events by task id."""
    deadline = time.time() + 86_400
    tasks = {
        task_id: asyncio.create_task(
            _event_time(kind(CONNECTION_ID, [task_id], _FINISHED, None, interval, deadline))
        )
        for task_id in ids
    }
    try:
        yield tasks
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


@contextlib.asynccontextmanager
async def run_settled_triggers(
    ids: list[int], interval: float
) -> AsyncIterator[dict[int, asyncio.Task[float]]]:
    """Run triggers that have all joined and seen their task: each logs one line then."""
    async with contextlib.AsyncExitStack() as stack:
        with LogCounter(RenderbusTaskTrigger.__module__, logging.INFO) as first_updates:
            tasks = await stack.enter_async_context(run_triggers(RenderbusTaskTrigger, ids, interval))
            deadline = time.perf_counter() + TIMEOUT
            while first_updates.count < len(ids):
                if time.perf_counter() > deadline:
                    raise SystemExit(
                        f"only {first_updates.count} of {len(ids)} triggers have seen their task"
                    )
                await asyncio.sleep(0.1)
        # The requests of those that joined last are over too.
        await asyncio.sleep(1)
        yield tasks
