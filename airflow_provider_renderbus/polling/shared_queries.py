"""Asking the same again and again, for those whose questions do not fit into a page of tasks."""

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
    from airflow_provider_renderbus.clients.flows import Sequence
    from airflow_provider_renderbus.polling.circuit_breaker import CircuitBreaker
    from airflow_provider_renderbus.polling.error_tolerance import WarnOnce

T = TypeVar("T")

MAX_CONCURRENCY = 4
# Seconds for which an answer is as good as a new one, to those who ask the same.
_CACHE_SECONDS = 0.5


class Client(Protocol):
    """Whatever sends calls without blocking."""

    async def send(self, call: Call[T]) -> T:
        """Send a call and return its result."""

    async def run(self, sequence: Sequence[T]) -> T:
        """Carry a sequence of calls out and return its result."""


class _Question:
    """What some ask at the same time: the first sends the requests, the answer is everybody's.

    :ivar answer: the result or the error, for a moment.
    """

    __slots__ = ("__weakref__", "answer", "lock")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.answer: tuple[Any, RenderbusError | None] | None = None

    def forget(self) -> None:
        """Drop the answer: who comes now asks anew."""
        self.answer = None


class SharedQueries:
    """Carries sequences of calls out, a few at once; those who ask the same share the requests.

    Who asks the same has its rounds at the same moments, an interval apart. Different questions have
    different moments, so that the farm sees no burst. While it does not answer, questions wait for it
    together with all else that the poller asks.

    :param client: the farm's client.
    :param voice: says once for all that there is no answer.
    :param back_off: tells when the farm may be asked.
    :param clock: tells the seconds since 1970.
    """

    def __init__(
        self, client: Client, voice: WarnOnce, back_off: CircuitBreaker, clock: Callable[[], float]
    ) -> None:
        self._client = client
        self._voice = voice
        self._back_off = back_off
        self._clock = clock
        self._free = asyncio.Semaphore(MAX_CONCURRENCY)
        self._questions: WeakValueDictionary[str, _Question] = WeakValueDictionary()

    def __len__(self) -> int:
        """Return how many different questions are asked."""
        return len(self._questions)

    async def poll(
        self,
        make_flow: Callable[[], Sequence[T]],
        interval: float,
        deadline: float,
        key: str | None = None,
    ) -> AsyncGenerator[T]:
        """Carry a sequence of calls out again and again, and yield what it returns.

        A farm that cannot be reached is asked again until the deadline: not to know is not to have failed.

        :param make_flow: makes the sequence.
        :param interval: seconds between two rounds; the first two are nearer together where they are shared.
        :param deadline: the moment until which to go on, in seconds since 1970.
        :param key: the same text wherever the sequence would send the same calls, whose answer may be
            shared; left out where it may not, e.g. because the calls do something.
        :raises DeadlinePassed: the deadline is over; there was one more round, if the farm answered.
        :raises RenderbusError: the farm refused for good.
        """
        patience = PollErrorHandler(self._voice)
        shared = None if key is None else self._questions.setdefault(key, _Question())
        while True:
            left = deadline - self._clock()
            try:
                async with asyncio.timeout(max(left, 0.0) + FINAL_POLL_TIMEOUT):
                    result = await self._ask(shared, make_flow)
            except TimeoutError:
                raise DeadlineExceeded from None
            except RenderbusError as error:
                patience.on_error(error)
            else:
                patience.on_success()
                self._voice.reset()
                yield result
            if left <= 0:
                raise DeadlineExceeded
            pause = interval if key is None else _until_turn(key, interval)
            await asyncio.sleep(max(0.0, min(pause, deadline - self._clock())))

    async def _ask(self, question: _Question | None, sequence: Callable[[], Sequence[T]]) -> T:
        if question is None:
            # It is a stop, whose time is short: it waits for nobody's back-off, nor for others' answers.
            return await self._client.run(sequence())
        async with question.lock:
            if question.answer is None:
                question.answer = await self._answer(sequence)
                asyncio.get_running_loop().call_later(_CACHE_SECONDS, question.forget)
            result, error = question.answer
        if error:
            raise error.with_traceback(None)
        answer: T = result
        return answer

    async def _answer(self, sequence: Callable[[], Sequence[T]]) -> tuple[T | None, RenderbusError | None]:
        while True:
            await self._back_off.wait_turn()
            async with self._free:
                # The farm may have failed while this waited for others.
                if not self._back_off.allows_requests:
                    continue
                try:
                    return await self._back_off.call(self._client.run(sequence())), None
                except RenderbusError as error:
                    return None, error


def _until_turn(question: str, interval: float) -> float:
    """Return the seconds until the next of a question's moments."""
    shift = zlib.crc32(question.encode()) % 1000 / 1000 * interval
    return interval - (asyncio.get_running_loop().time() - shift) % interval
