"""Polls what does not fit into a page of tasks, e.g. files and funds; equal queries share their requests."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from weakref import WeakValueDictionary

from airflow_provider_renderbus.api.errors import RenderbusError
from airflow_provider_renderbus.polling.error_tolerance import PollErrorHandler
from airflow_provider_renderbus.polling.watchers import FINAL_POLL_TIMEOUT, DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from airflow_provider_renderbus.api.call import Call
    from airflow_provider_renderbus.clients.flows import Flow
    from airflow_provider_renderbus.polling.circuit_breaker import CircuitBreaker
    from airflow_provider_renderbus.polling.error_tolerance import WarnOnce

T = TypeVar("T")

MAX_CONCURRENCY = 4
# Seconds for which a result is shared with those who poll the same.
_CACHE_SECONDS = 0.5


class Client(Protocol):
    """Sends calls without blocking."""

    async def send(self, call: Call[T], /) -> T:
        """Send a call and return its result."""

    async def run(self, flow: Flow[T], /) -> T:
        """Send the calls of a flow and return its result."""


class _CachedQuery:
    """A query of several waits: one of them sends the requests, all get the result or the error."""

    __slots__ = ("__weakref__", "lock", "result")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.result: tuple[Any, RenderbusError | None] | None = None

    def invalidate(self) -> None:
        """Drop the result, so that the next wait sends requests again."""
        self.result = None


class SharedQueries:
    """Polls flows of calls, at most :data:`MAX_CONCURRENCY` at once.

    Waits with the same key poll at the same moments and share the requests. Different keys have different
    moments, so that the farm gets no bursts. The circuit breaker is that of the poller: an outage blocks
    queries and pages together. The client sends each call once.
    """

    def __init__(
        self,
        client: Client,
        warn_once: WarnOnce,
        subject: str,
        breaker: CircuitBreaker,
        clock: Callable[[], float],
    ) -> None:
        self._client = client
        self._warn_once = warn_once
        self._subject = subject
        self._breaker = breaker
        self._clock = clock
        self._slots = asyncio.Semaphore(MAX_CONCURRENCY)
        self._queries: WeakValueDictionary[str, _CachedQuery] = WeakValueDictionary()

    def __len__(self) -> int:
        """Return the number of different keys."""
        return len(self._queries)

    async def poll(
        self,
        make_flow: Callable[[], Flow[T]],
        interval: float,
        deadline: float,
        key: str | None = None,
    ) -> AsyncGenerator[T]:
        """Run a flow again and again and yield its results. Failed polls are tolerated until the deadline.

        :param interval: seconds between two polls; with a key, the first two are closer together.
        :param key: equal for flows that send the same calls and may share a result; None if they change
            something on the farm.
        :raises DeadlineExceeded: the deadline has passed; there was one more poll if the farm answered.
        :raises RenderbusError: the farm refused in a way that a later poll would meet too.
        """
        errors = PollErrorHandler(self._warn_once, self._subject)
        query = None if key is None else self._queries.setdefault(key, _CachedQuery())
        while True:
            left = deadline - self._clock()
            try:
                async with asyncio.timeout(max(left, 0.0) + FINAL_POLL_TIMEOUT):
                    result = await self._run(query, make_flow)
            except TimeoutError:
                raise DeadlineExceeded from None
            except RenderbusError as error:
                errors.on_error(error)
            else:
                errors.on_success()
                self._warn_once.reset()
                yield result
            if left <= 0:
                raise DeadlineExceeded
            pause = interval if key is None else _seconds_to_slot(key, interval)
            await asyncio.sleep(max(0.0, min(pause, deadline - self._clock())))

    async def _run(self, query: _CachedQuery | None, make_flow: Callable[[], Flow[T]]) -> T:
        if query is None:
            # A stop, whose time is short: neither the circuit breaker nor other queries delay it.
            return await self._client.run(make_flow())
        async with query.lock:
            if query.result is None:
                query.result = await self._run_when_allowed(make_flow)
                asyncio.get_running_loop().call_later(_CACHE_SECONDS, query.invalidate)
            result, error = query.result
        if error:
            raise error.with_traceback(None)
        value: T = result
        return value

    async def _run_when_allowed(
        self, make_flow: Callable[[], Flow[T]]
    ) -> tuple[T | None, RenderbusError | None]:
        while True:
            await self._breaker.wait_turn()
            async with self._slots:
                # The breaker may have opened while this waited for a slot.
                if not self._breaker.allows_requests:
                    continue
                try:
                    return await self._breaker.call(self._client.run(make_flow())), None
                except RenderbusError as error:
                    return None, error


def _seconds_to_slot(key: str, interval: float) -> float:
    """Return the seconds until the next moment at which a key is polled."""
    offset = zlib.crc32(key.encode()) % 1000 / 1000 * interval
    return interval - (asyncio.get_running_loop().time() - offset) % interval
