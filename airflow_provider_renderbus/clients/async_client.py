"""The asynchronous client, for triggers and other code that must not block."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Self, TypeVar

import tenacity

from airflow_provider_renderbus.api.errors import RenderbusError
from airflow_provider_renderbus.clients.flows import MAX_CONCURRENCY
from airflow_provider_renderbus.clients.http import HttpTransport
from airflow_provider_renderbus.clients.request_flow import SigningSession
from airflow_provider_renderbus.clients.retry import RequestRetryPolicy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from types import TracebackType

    from airflow_provider_renderbus.api.call import Call
    from airflow_provider_renderbus.clients.flows import Flow
    from airflow_provider_renderbus.clients.settings import Settings

T = TypeVar("T")


class BaseAsyncClient(ABC):
    """Base of asynchronous clients: sends batches and flows with the `send` of a subclass."""

    @abstractmethod
    async def send(self, call: Call[T]) -> T:
        """Send a call and return its result.

        :raises RenderbusError: see :mod:`airflow_provider_renderbus.api.errors`.
        """

    async def send_all(self, batch: Sequence[Call[Any]]) -> list[Any]:
        """Send independent calls concurrently and return their results in order.

        :raises RenderbusError: the first error; the calls in progress are cancelled.
        """
        slots = asyncio.Semaphore(MAX_CONCURRENCY)

        async def send(call: Call[Any]) -> Any:
            async with slots:
                return await self.send(call)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(send(call)) for call in batch]
        except* RenderbusError as errors:
            raise errors.exceptions[0] from None
        return [task.result() for task in tasks]

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow of calls, which may be none, and return its result.

        :param flow: one of :mod:`airflow_provider_renderbus.clients.flows`.
        """
        results: Any = None
        while True:
            try:
                batch = flow.send(results)
            except StopIteration as stop:
                result: T = stop.value
                return result
            results = await self.send_all(batch)


class AsyncClient(BaseAsyncClient):
    """Sends calls to the farm without blocking; an asynchronous context manager over pooled connections.

    Proxies and certificate authorities from the environment are used.

    :param settings: settings of the client.
    :param retry_policy: how often and for how long a call is attempted.
    :param clock: returns the seconds since 1970.
    :param sleep: sleeps for a number of seconds without blocking.
    :raises ValueError: ``ca_bundle`` or the environment's proxy cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        retry_policy: RequestRetryPolicy | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._retry_policy = retry_policy or RequestRetryPolicy()
        self._sleep = sleep
        self._signing = SigningSession(settings, clock=clock)
        self._transport = HttpTransport(settings)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the pooled connections. A later call opens new ones."""
        await self._transport.close()

    async def send(self, call: Call[T]) -> T:
        """Send a call and return its result.

        :raises RenderbusError: see :mod:`airflow_provider_renderbus.api.errors`.
        """
        retrying = tenacity.AsyncRetrying(sleep=self._sleep, **self._retry_policy.tenacity_kwargs(call))
        return await retrying(self._attempt, call, time.monotonic() + self._retry_policy.max_elapsed)

    async def _attempt(self, call: Call[T], deadline: float) -> T:
        post = self._transport.post if call.replay_safe else self._transport.post_on_new_connection
        request_flow = self._signing.request_flow(call)
        request = next(request_flow)
        while True:
            response = await post(request, deadline - time.monotonic())
            try:
                request = request_flow.send(response)
            except StopIteration as stop:
                result: T = stop.value
                return result
