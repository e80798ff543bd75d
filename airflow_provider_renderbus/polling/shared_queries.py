"""Asking the same again and again, for those whose questions do not fit into a page of tasks."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from weakref import WeakValueDictionary

from airflow_provider_renderbus.api.errors import RenderbusError
from airflow_provider_renderbus.polling.error_tolerance import Patience
from airflow_provider_renderbus.polling.watchers import LAST_LOOK, DeadlinePassed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from airflow_provider_renderbus.api.call import Call
    from airflow_provider_renderbus.clients.flows import Sequence
    from airflow_provider_renderbus.polling.circuit_breaker import BackOff
    from airflow_provider_renderbus.polling.error_tolerance import OneVoice

T = TypeVar("T")

AT_ONCE = 4
# Seconds for which an answer is as good as a new one, to those who ask the same.
_A_MOMENT = 0.5


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


class Rounds:
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
        self, client: Client, voice: OneVoice, back_off: BackOff, clock: Callable[[], float]
    ) -> None:
        self._client = client
        self._voice = voice
        self._back_off = back_off
        self._clock = clock
        self._free = asyncio.Semaphore(AT_ONCE)
        self._questions: WeakValueDictionary[str, _Question] = WeakValueDictionary()

    def __len__(self) -> int:
        """Return how many different questions are asked."""
        return len(self._questions)

    async def repeat(
        self,
        sequence: Callable[[], Sequence[T]],
        interval: float,
        deadline: float,
        question: str | None = None,
    ) -> AsyncGenerator[T]:
        """Carry a sequence of calls out again and again, and yield what it returns.

        A farm that cannot be reached is asked again until the deadline: not to know is not to have failed.

        :param sequence: makes the sequence.
        :param interval: seconds between two rounds; the first two are nearer together where they are shared.
        :param deadline: the moment until which to go on, in seconds since 1970.
        :param question: the same text wherever the sequence would send the same calls, whose answer may be
            shared; left out where it may not, e.g. because the calls do something.
        :raises DeadlinePassed: the deadline is over; there was one more round, if the farm answered.
        :raises RenderbusError: the farm refused for good.
        """
        patience = Patience(self._voice)
        shared = None if question is None else self._questions.setdefault(question, _Question())
        while True:
            left = deadline - self._clock()
            try:
                async with asyncio.timeout(max(left, 0.0) + LAST_LOOK):
                    result = await self._ask(shared, sequence)
            except TimeoutError:
                raise DeadlinePassed from None
            except RenderbusError as error:
                patience.bear(error)
            else:
                patience.relax()
                self._voice.relax()
                yield result
            if left <= 0:
                raise DeadlinePassed
            pause = interval if question is None else _until_turn(question, interval)
            await asyncio.sleep(max(0.0, min(pause, deadline - self._clock())))

    async def _ask(self, question: _Question | None, sequence: Callable[[], Sequence[T]]) -> T:
        if question is None:
            # It is a stop, whose time is short: it waits for nobody's back-off, nor for others' answers.
            return await self._client.run(sequence())
        async with question.lock:
            if question.answer is None:
                question.answer = await self._answer(sequence)
                asyncio.get_running_loop().call_later(_A_MOMENT, question.forget)
            result, error = question.answer
        if error:
            raise error.with_traceback(None)
        answer: T = result
        return answer

    async def _answer(self, sequence: Callable[[], Sequence[T]]) -> tuple[T | None, RenderbusError | None]:
        while True:
            await self._back_off.turn()
            async with self._free:
                # The farm may have failed while this waited for others.
                if not self._back_off.is_open:
                    continue
                try:
                    return await self._back_off.ask(self._client.run(sequence())), None
                except RenderbusError as error:
                    return None, error


def _until_turn(question: str, interval: float) -> float:
    """Return the seconds until the next of a question's moments."""
    shift = zlib.crc32(question.encode()) % 1000 / 1000 * interval
    return interval - (asyncio.get_running_loop().time() - shift) % interval
