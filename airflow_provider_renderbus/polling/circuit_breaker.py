"""The circuit breaker of a poller: after a failure it blocks requests for a while, then admits one probe."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_renderbus.api.errors import TransportError
from airflow_provider_renderbus.polling.error_tolerance import ends_wait

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

T = TypeVar("T")

# The back-off is doubled from 1 s on up to this often, and is at most this share of the poll interval. The
# backlog is worked off in half an interval, so every task is polled within an interval after the outage.
MAX_DOUBLINGS, MAX_INTERVAL_SHARE = 5, 0.25
# Seconds of back-off that the farm may ask for (Retry-After).
MAX_RETRY_AFTER = 300.0


class CircuitBreaker:
    """Closed while the farm answers. A failure opens it; after the back-off single probes decide.

    :param request_interval: returns the seconds between two requests in normal operation, the shortest
        back-off.
    :ivar retry_at: time of the event loop until which the breaker is open.
    :ivar failures: failures in a row.
    :ivar error: the last of them, or None if the last request was answered.
    """

    def __init__(self, interval: float, request_interval: Callable[[], float]) -> None:
        self._interval = interval
        self._request_interval = request_interval
        self.retry_at = -math.inf
        self.failures = 0
        self.error: Exception | None = None
        self._attempts = 0
        self._attempts_at_failure = 0
        self._next_slot = -math.inf
        self._probe: asyncio.Future[None] | None = None

    @property
    def allows_requests(self) -> bool:
        """Whether a request may be sent now: the breaker is not open and no probe is in flight."""
        return asyncio.get_running_loop().time() >= self.retry_at and self._probe is None

    async def wait_turn(self) -> None:
        """Wait until a request may be sent; callers are admitted one by one, at double speed at most."""
        now = asyncio.get_running_loop().time
        while not self.allows_requests:
            if now() < self.retry_at:
                self._next_slot = max(self._next_slot + self._request_interval() / 2, self.retry_at)
                await asyncio.sleep(self._next_slot - now())
            else:
                await self.wait_for_probe()

    async def wait_for_probe(self) -> None:
        """Wait for the end of the probe in flight, if there is one."""
        if self._probe:
            await asyncio.wait([self._probe])

    async def call(self, request: Coroutine[Any, Any, T], *, is_suspect: bool = False) -> T:
        """Await a request and record whether the farm answered.

        :param is_suspect: whether the request has failed while others did not: as long as the farm answers
            those, another failure of this one says nothing about the farm.
        :raises Exception: the error of the request. A refusal counts as an answer, but resets nothing.
        """
        self._attempts += 1
        attempt = self._attempts
        probe = None
        if self.failures and self._probe is None:
            probe = self._probe = asyncio.get_running_loop().create_future()
        try:
            result = await request
        except Exception as error:
            if not ends_wait(error) and not (is_suspect and not self.failures):
                self._record_failure(attempt, error)
            raise
        finally:
            if probe:
                self._probe = None
                probe.set_result(None)
        self.failures = 0
        self.error = None
        return result

    def _record_failure(self, attempt: int, error: Exception) -> None:
        # Requests that were in flight together fail together; that counts once.
        if attempt <= self._attempts_at_failure:
            return
        self._attempts_at_failure = self._attempts
        self.failures += 1
        self.error = error
        backoff = min(2.0 ** min(self.failures - 1, MAX_DOUBLINGS), self._interval * MAX_INTERVAL_SHARE)
        retry_after = (error.retry_after if isinstance(error, TransportError) else None) or 0.0
        pause = max(backoff, self._request_interval(), min(retry_after, MAX_RETRY_AFTER))
        self.retry_at = max(self.retry_at, asyncio.get_running_loop().time() + pause)
