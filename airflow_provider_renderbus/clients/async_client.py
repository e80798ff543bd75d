"""The asynchronous client, for triggers and other code that must not block."""

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

# No connection was established, so nothing of the request can have reached the farm.
_CONNECT_ERRORS = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_httpx_logger = logging.getLogger("httpx")


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

    Proxies and certificate authorities from the environment are used as users of httpx expect.

    :param settings: settings of the client.
    :param retry_policy: how often and for how long a call is attempted.
    :param clock: returns the seconds since 1970.
    :param sleep: sleeps for a number of seconds without blocking.
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
        self._retry_policy = retry_policy or RequestRetryPolicy()
        self._sleep = sleep
        self._signing = SigningSession(settings, clock=clock)
        # httpx logs a line at INFO for each request, too many in the log of a task that waits for hours.
        # Airflow 3 raises the level in the same way. A level that was set explicitly stays.
        if _httpx_logger.level == logging.NOTSET:
            _httpx_logger.setLevel(logging.WARNING)
        self._ssl_context = settings.ssl_context()
        self._session = self._open()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the pooled connections."""
        await self._session.aclose()

    async def send(self, call: Call[T]) -> T:
        """Send a call and return its result.

        :raises RenderbusError: see :mod:`airflow_provider_renderbus.api.errors`.
        """
        retrying = tenacity.AsyncRetrying(sleep=self._sleep, **self._retry_policy.tenacity_kwargs(call))
        return await retrying(self._attempt, call)

    async def _attempt(self, call: Call[T]) -> T:
        if call.replay_safe:
            return await self._drive(call, self._session)
        # A pooled connection may be stale, and then it would be unknown whether the call arrived.
        async with self._open() as session:
            return await self._drive(call, session)

    async def _drive(self, call: Call[T], session: httpx.AsyncClient) -> T:
        request_flow = self._signing.request_flow(call)
        request = next(request_flow)
        while True:
            response = await self._post(request, session)
            try:
                request = request_flow.send(response)
            except StopIteration as stop:
                result: T = stop.value
                return result

    async def _post(self, request: Request, session: httpx.AsyncClient) -> Response:
        domain = self._settings.domain
        transport_error: TransportError
        try:
            async with asyncio.timeout(self._retry_policy.max_elapsed):
                response = await session.post(request.url, content=request.body, headers=request.headers)
        except _CONNECT_ERRORS as error:
            transport_error = NotSent(request.call, f"no connection to {domain} ({type(error).__name__})")
        except (httpx.HTTPError, OSError) as error:
            transport_error = NoResponse(request.call, f"no response from {domain} ({type(error).__name__})")
        else:
            return Response(response.status_code, response.content, response.headers.get("Retry-After"))
        # Outside of the handler, so that the error does not hold the request with its signature.
        raise transport_error

    def _open(self) -> httpx.AsyncClient:
        settings = self._settings
        return httpx.AsyncClient(
            timeout=httpx.Timeout(settings.read_timeout, connect=settings.connect_timeout),
            verify=self._ssl_context,
            follow_redirects=False,
        )
