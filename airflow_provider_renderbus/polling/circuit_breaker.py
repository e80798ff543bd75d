"""How long the farm is left alone while it does not answer, by all who ask it through one poller."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_renderbus.api.errors import RenderbusError, TransportError, is_refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

T = TypeVar("T")

# Between two tries while the farm is down: doubled so often from 1 s on, but no more than a quarter of an
# interval. What has piled up is caught up with in half an interval, so all are served within one.
MAX_DOUBLINGS, MAX_INTERVAL_SHARE = 5, 0.25
# Seconds between two tries where the farm asks for longer ones, at most.
MAX_RETRY_AFTER = 300.0


class CircuitBreaker:
    """Lets requests through while the farm answers, and one at a time, ever less often, while not.

    :param interval: seconds in which each has its turn.
    :param request_interval: returns the seconds between two requests while the farm answers; the lower limit.
    :ivar retry_at: the moment of the event loop until which nothing is asked.
    :ivar failures: how often in a row there was no answer.
    """

    def __init__(self, interval: float, request_interval: Callable[[], float]) -> None:
        self._interval = interval
        self._distance = request_interval
        self.retry_at = -math.inf
        self.failures = 0
        self._tries = 0
        self._tries_at_failure = 0
        self._turn = -math.inf
        self._probe: asyncio.Future[None] | None = None

    @property
    def allows_requests(self) -> bool:
        """Whether the farm may be asked now."""
        return asyncio.get_running_loop().time() >= self.retry_at and self._probe is None

    async def wait_turn(self) -> None:
        """Wait until the farm may be asked: those who wait come one by one, at double speed at most."""
        now = asyncio.get_running_loop().time
        while not self.allows_requests:
            if now() < self.retry_at:
                self._turn = max(self._turn + self._distance() / 2, self.retry_at)
                await asyncio.sleep(self._turn - now())
            else:
                await self.wait_for_probe()

    async def wait_for_probe(self) -> None:
        """Wait until it is known whether the farm is back, where somebody is finding out."""
        if self._probe:
            await asyncio.wait([self._probe])

    async def call(self, request: Coroutine[Any, Any, T]) -> T:
        """Carry a request out, and take note of whether there was an answer.

        :param request: the request.
        :raises RenderbusError: its error.
        """
        self._tries += 1
        this = self._tries
        probe = None
        if self.failures and self._probe is None:
            probe = self._probe = asyncio.get_running_loop().create_future()
        try:
            answer = await request
        except RenderbusError as error:
            if not is_refusal(error):
                self._fail(this, error)
            raise
        finally:
            if probe:
                self._probe = None
                probe.set_result(None)
        self.failures = 0
        return answer

    def _fail(self, this: int, error: RenderbusError) -> None:
        # Requests that were under way together fail together; that counts once.
        if this <= self._tries_at_failure:
            return
        self._tries_at_failure = self._tries
        self.failures += 1
        wait = min(2.0 ** min(self.failures - 1, MAX_DOUBLINGS), self._interval * MAX_INTERVAL_SHARE)
        wanted = (error.retry_after if isinstance(error, TransportError) else None) or 0.0
        pause = max(wait, self._distance(), min(wanted, MAX_RETRY_AFTER))
        self.retry_at = max(self.retry_at, asyncio.get_running_loop().time() + pause)
