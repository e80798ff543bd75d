"""Polls what does not fit into a page of tasks, e.g. files and funds; equal queries share their requests."""

from __future__ import annotations

import asyncio
import logging
import zlib
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from weakref import WeakValueDictionary

from airflow_provider_renderbus.api.errors import RenderbusError
from airflow_provider_renderbus.polling.error_tolerance import PollErrorHandler
from airflow_provider_renderbus.polling.loop_logger import LoopLogger
from airflow_provider_renderbus.polling.watchers import FINAL_POLL_TIMEOUT, DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from airflow_provider_renderbus.api.call import Call
    from airflow_provider_renderbus.clients.flows import Flow
    from airflow_provider_renderbus.polling.circuit_breaker import CircuitBreaker

log = LoopLogger(logging.getLogger(__name__))

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
    """A query of several waits: one of them sends the requests, all get the result.

    :ivar result: the result or the error while it is shared.
    :ivar has_failed: whether the last result was an error.
    """

    __slots__ = ("__weakref__", "has_failed", "lock", "result")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.result: tuple[Any, Exception | None] | None = None
        self.has_failed = False

    def invalidate(self) -> None:
        """Drop the result, so that the next wait sends requests again."""
        self.result = None


class SharedQueries:
    """Polls flows of calls, at most :data:`MAX_CONCURRENCY` at once.

    Waits with the same key poll at the same moments and share the requests. Different keys have different
    moments, so that the farm gets no bursts. The circuit breaker is that of the poller: an outage blocks
    queries and pages together.

    :param client: sends each call once.
    :param breaker: decides when requests may be sent.
    :param clock: returns the seconds since 1970.
    """

    def __init__(self, client: Client, breaker: CircuitBreaker, clock: Callable[[], float]) -> None:
        self._client = client
        self._breaker = breaker
        self._clock = clock
        self._slots = asyncio.Semaphore(MAX_CONCURRENCY)
        self._queries: WeakValueDictionary[str, _CachedQuery] = WeakValueDictionary()

    def __len__(self) -> int:
        """Return the number of different keys."""
        return len(self._queries)

    async def poll(
        self,
        make_flow: Callable[[], Flow[Any]],
        interval: float,
        deadline: float,
        key: str | None = None,
        evaluate: Callable[[Any], T] = lambda result: result,
    ) -> AsyncGenerator[T]:
        """Run a flow again and again and yield what its results mean. Failed polls are tolerated.

        :param make_flow: returns the flow.
        :param interval: seconds between two polls; with a key, the first two are closer together.
        :param deadline: when to end, in seconds since 1970.
        :param key: what is polled, in words: equal for flows that send the same calls and may share a result;
            None if they change something on the farm.
        :param evaluate: returns what to yield for a result; if it raises, the poll has failed.
        :raises DeadlineExceeded: the deadline has passed; there was one more poll if the farm answered.
        :raises RenderbusError: the farm refused in a way that a later poll would meet too.
        """
        errors = PollErrorHandler(log, key or "Renders", asyncio.get_running_loop().time)
        query = None if key is None else self._queries.setdefault(key, _CachedQuery())
        while True:
            left = deadline - self._clock()
            timeout = asyncio.timeout(max(left, 0.0) + FINAL_POLL_TIMEOUT)
            try:
                async with timeout:
                    result = evaluate(await self._run(query, make_flow, errors))
            except Exception as error:  # noqa: BLE001 - see error_tolerance
                if timeout.expired():
                    raise DeadlineExceeded from None
                errors.on_error(error)
            else:
                errors.on_success()
                yield result
            if left <= 0:
                raise DeadlineExceeded
            pause = interval if key is None else _seconds_to_slot(key, interval)
            await asyncio.sleep(max(0.0, min(pause, deadline - self._clock())))

    async def _run(
        self, query: _CachedQuery | None, make_flow: Callable[[], Flow[Any]], errors: PollErrorHandler
    ) -> Any:
        if query is None:
            # A stop, whose time is short: neither the circuit breaker nor other queries delay it.
            return await self._client.run(make_flow())
        self._note_outage(errors)
        async with query.lock:
            if query.result is None:
                query.result = await self._run_when_allowed(query, make_flow, errors)
                asyncio.get_running_loop().call_later(_CACHE_SECONDS, query.invalidate)
            result, error = query.result
        if error:
            raise error.with_traceback(None) if isinstance(error, RenderbusError) else error
        return result

    async def _run_when_allowed(
        self, query: _CachedQuery, make_flow: Callable[[], Flow[Any]], errors: PollErrorHandler
    ) -> tuple[Any, Exception | None]:
        while True:
            await self._breaker.wait_turn()
            async with self._slots:
                # The breaker may have opened while this waited for a slot.
                if not self._breaker.allows_requests:
                    self._note_outage(errors)
                    continue
                request = self._client.run(make_flow())
                try:
                    result = await self._breaker.call(request, is_suspect=query.has_failed)
                except Exception as error:  # noqa: BLE001 - see error_tolerance
                    query.has_failed = True
                    return None, error
                query.has_failed = False
                return result, None

    def _note_outage(self, errors: PollErrorHandler) -> None:
        """Count it as a failed poll that the circuit breaker lets no request through."""
        if self._breaker.error:
            errors.on_error(self._breaker.error)


def _seconds_to_slot(key: str, interval: float) -> float:
    """Return the seconds until the next moment at which a key is polled."""
    offset = zlib.crc32(key.encode()) % 1000 / 1000 * interval
    return interval - (asyncio.get_running_loop().time() - offset) % interval
