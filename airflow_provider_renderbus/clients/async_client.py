"""The client for code that must not block: triggers, asynchronous tasks."""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Self, TypeVar

import httpx
import tenacity

from airflow_provider_renderbus.api.errors import NoResponse, NotSent, RenderbusError, TransportError
from airflow_provider_renderbus.clients.flows import MAX_CONCURRENCY
from airflow_provider_renderbus.clients.request_flow import Request, Response, SigningSession
from airflow_provider_renderbus.clients.retry import RequestRetryPolicy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from types import TracebackType

    from airflow_provider_renderbus.api.call import Call
    from airflow_provider_renderbus.clients.flows import Flow
    from airflow_provider_renderbus.clients.settings import Settings

T = TypeVar("T")

# The connection never stood, so nothing of the request can have reached the farm.
_NEVER_CONNECTED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_log_of_httpx = logging.getLogger("httpx")


class BaseAsyncClient(ABC):
    """Whatever sends calls without blocking: single ones, and with them batches and sequences."""

    @abstractmethod
    async def send(self, call: Call[T]) -> T:
        """Send a call and return its result.

        :raises RenderbusError: what went wrong; see :mod:`airflow_provider_renderbus.api.errors`.
        """

    async def send_all(self, batch: Sequence[Call[Any]]) -> list[Any]:
        """Send calls that do not depend on each other, several at once, and return their results in order.

        :raises RenderbusError: the first error that comes; the calls that are still under way are given up.
        """
        free = asyncio.Semaphore(MAX_CONCURRENCY)

        async def send(call: Call[Any]) -> Any:
            async with free:
                return await self.send(call)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(send(call)) for call in batch]
        except* RenderbusError as errors:
            raise errors.exceptions[0] from None
        return [task.result() for task in tasks]

    async def run(self, flow: Flow[T]) -> T:
        """Carry a sequence of calls out, which may be none, and return its result.

        :param flow: one of :mod:`airflow_provider_renderbus.clients.flows`.
        """
        answered: Any = None
        while True:
            try:
                batch = flow.send(answered)
            except StopIteration as end:
                result: T = end.value
                return result
            answered = await self.send_all(batch)


class AsyncClient(BaseAsyncClient):
    """Sends calls to the farm without blocking; an asynchronous context manager over pooled connections.

    Proxies and authorities from the environment count as users of httpx expect.

    :param settings: the farm and the account.
    :param retry_policy: how often a call is tried.
    :param clock: tells the seconds since 1970.
    :param sleep: waits a number of seconds without blocking.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        retry_policy: RequestRetryPolicy | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._policy = retry_policy or RequestRetryPolicy()
        self._sleep = sleep
        self._exchange = SigningSession(settings, clock=clock)
        # It has a line at INFO for each request, which would bury the log of those who wait for hours.
        # Airflow 3 raises it likewise; a level that somebody has set stays.
        if _log_of_httpx.level == logging.NOTSET:
            _log_of_httpx.setLevel(logging.WARNING)
        self._tls = settings.ssl_context()
        self._pool = self._open()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the pooled connections."""
        await self._pool.aclose()

    async def send(self, call: Call[T]) -> T:
        """Send a call and return its result.

        :raises RenderbusError: what went wrong; see :mod:`airflow_provider_renderbus.api.errors`.
        """
        retrying = tenacity.AsyncRetrying(sleep=self._sleep, **self._policy.tenacity_kwargs(call))
        return await retrying(self._try, call)

    async def _try(self, call: Call[T]) -> T:
        if call.replay_safe:
            return await self._attempt(call, self._pool)
        # A pooled connection may have gone stale, which would leave open whether the call arrived.
        async with self._open() as fresh:
            return await self._attempt(call, fresh)

    async def _attempt(self, call: Call[T], pool: httpx.AsyncClient) -> T:
        attempt = self._exchange.request_flow(call)
        request = next(attempt)
        while True:
            response = await self._post(request, pool)
            try:
                request = attempt.send(response)
            except StopIteration as end:
                result: T = end.value
                return result

    async def _post(self, request: Request, pool: httpx.AsyncClient) -> Response:
        domain = self._settings.domain
        failure: TransportError
        try:
            async with asyncio.timeout(self._policy.max_elapsed):
                response = await pool.post(request.url, content=request.body, headers=request.headers)
        except _NEVER_CONNECTED as error:
            failure = NotSent(request.call, f"no connection to {domain} ({type(error).__name__})")
        except (httpx.HTTPError, OSError) as error:
            failure = NoResponse(request.call, f"no answer from {domain} ({type(error).__name__})")
        else:
            return Response(response.status_code, response.content, response.headers.get("Retry-After"))
        # Outside of the handler, so that the error does not carry the request with its signature along.
        raise failure

    def _open(self) -> httpx.AsyncClient:
        settings = self._settings
        return httpx.AsyncClient(
            timeout=httpx.Timeout(settings.read_timeout, connect=settings.connect_timeout),
            verify=self._tls,
            follow_redirects=False,
        )
