"""Looking at renders until they change."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Protocol, TypeVar

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import RenderbusError, is_refusal, unknown_task
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    from airflow_provider_renderbus.api.call import Call
    from airflow_provider_renderbus.api.models.tasks import TaskInfo
T = TypeVar("T")

log = logging.getLogger(__name__)


class Sender(Protocol):
    """Whatever sends calls without blocking."""

    async def send(self, call: Call[T]) -> T:
        """Send a call and return its result."""


class DeadlinePassed(Exception):
    """The moment until which somebody wanted to wait is over."""


class Poller:
    """Looks at tasks for those who wait for them.

    :param client: the farm's client.
    :param clock: tells the seconds since 1970.
    :param sleep: waits a number of seconds without blocking.
    """

    def __init__(
        self,
        client: Sender,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._clock = clock
        self._sleep = sleep

    async def watch(self, number: int, interval: float, deadline: float) -> AsyncGenerator[TaskInfo]:
        """Yield a task as it is now, and again whenever its state, its frames or its cost have changed.

        A farm that cannot be reached is asked again until the deadline: not to know is not to have failed.

        :param number: the task's number.
        :param interval: seconds between two looks.
        :param deadline: the moment until which to wait, in seconds since 1970.
        :raises DeadlinePassed: the deadline is over; there has been a look at it or after.
        :raises RenderbusError: the farm refused for good, or knows no such task.
        """
        seen = None
        reachable = True
        while True:
            late = self._clock() >= deadline
            try:
                task = await self._look(number)
            except RenderbusError as error:
                if is_refusal(error):
                    raise
                if reachable:
                    log.warning("The farm cannot be asked; asking on until it answers: %s", error)
                reachable = False
            else:
                reachable = True
                news = (task.status, task.progress, task.cost)
                if news != seen:
                    seen = news
                    yield task
            if late:
                raise DeadlinePassed
            await self._sleep(max(0.0, min(interval, deadline - self._clock())))

    async def _look(self, number: int) -> TaskInfo:
        found = await self._client.send(calls.query_task_info([number]))
        if number not in found:
            raise unknown_task(number)
        return found[number]


@contextlib.asynccontextmanager
async def poller_of(renderbus_conn_id: str) -> AsyncIterator[Poller]:
    """Lend a poller of a connection.

    :param renderbus_conn_id: id of the connection.
    :raises ValueError: fields of the connection are wrong or missing.
    """
    async with await RenderbusHook(renderbus_conn_id).async_client() as client:
        yield Poller(client)
