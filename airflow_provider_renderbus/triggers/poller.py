"""Looking at renders until they change."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Protocol, TypeVar

from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_renderbus.api.errors import RenderbusError
from airflow_provider_renderbus.clients import sequences
from airflow_provider_renderbus.clients.policy import RetryPolicy
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.triggers.patience import Patience

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.clients.asynchronous import AsyncClient
    from airflow_provider_renderbus.clients.sequences import Sequence
T = TypeVar("T")

log = logging.getLogger(__name__)


class Runner(Protocol):
    """Whatever carries sequences of calls out without blocking."""

    async def run(self, sequence: Sequence[T]) -> T:
        """Carry a sequence out and return its result."""


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
        client: Runner,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._clock = clock
        self._sleep = sleep

    async def watch(self, number: int, interval: float, deadline: float) -> AsyncGenerator[TaskInfo]:
        """Yield a task as it is now, and again whenever its state, its frames or its cost have changed.

        :param number: the task's number.
        :param interval: seconds between two looks.
        :param deadline: the moment until which to wait, in seconds since 1970.
        :raises DeadlinePassed: the deadline is over; there has been a look at it or after.
        :raises RenderbusError: the farm refused for good, or knows no such task.
        """
        seen = None
        looks = self.repeat(lambda: sequences.task_info(number), interval, deadline)
        async with contextlib.aclosing(looks) as tasks:
            async for task in tasks:
                news = (task.status, task.progress, task.cost)
                if news != seen:
                    seen = news
                    yield task

    async def repeat(
        self, sequence: Callable[[], Sequence[T]], interval: float, deadline: float
    ) -> AsyncGenerator[T]:
        """Carry a sequence of calls out again and again, and yield what it returns.

        A farm that cannot be reached is asked again until the deadline: not to know is not to have failed.

        :param sequence: makes the sequence.
        :param interval: seconds between two rounds.
        :param deadline: the moment until which to go on, in seconds since 1970.
        :raises DeadlinePassed: the deadline is over; there has been a round at it or after.
        :raises RenderbusError: the farm refused for good.
        """
        patience = Patience(log)
        while True:
            late = self._clock() >= deadline
            try:
                result = await self._client.run(sequence())
            except RenderbusError as error:
                patience.bear(error)
            else:
                patience.relax()
                yield result
            if late:
                raise DeadlinePassed
            await self._sleep(max(0.0, min(interval, deadline - self._clock())))


@contextlib.asynccontextmanager
async def poller_of(renderbus_conn_id: str, interval: float, deadline: float) -> AsyncIterator[Poller]:
    """Lend a poller of a connection.

    A connection that cannot be looked up, e.g. because Airflow's API server is restarted, is looked up again
    until the deadline: the render goes on all the while.

    :param renderbus_conn_id: id of the connection.
    :param interval: seconds between two looks.
    :param deadline: the moment until which to wait, in seconds since 1970.
    :raises ValueError: fields of the connection are wrong or missing.
    :raises DeadlinePassed: the deadline is over, and the connection could not be looked up.
    """
    async with await _client(RenderbusHook(renderbus_conn_id), interval, deadline) as client:
        yield Poller(client)


async def _client(hook: RenderbusHook, interval: float, deadline: float) -> AsyncClient:
    failing = False
    while True:
        try:
            # The poller itself looks again: tries within a look would only hold up its deadline.
            return await hook.async_client(RetryPolicy(tries=1))
        except AirflowException as problem:
            if not failing:
                log.warning("The connection %s cannot be looked up yet: %s", hook.renderbus_conn_id, problem)
            failing = True
        if time.time() >= deadline:
            raise DeadlinePassed
        await asyncio.sleep(max(0.0, min(interval, deadline - time.time())))
