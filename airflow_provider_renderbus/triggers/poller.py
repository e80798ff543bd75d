"""Looking at many tasks again and again, with a hundredth of the requests."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from airflow_provider_renderbus.api import arguments
from airflow_provider_renderbus.api.errors import (
    BadAnswer,
    BadRequest,
    NotFound,
    RenderbusError,
    TransportError,
    UnknownTask,
)
from airflow_provider_renderbus.api.models.tasks import read_task
from airflow_provider_renderbus.api.reading import Unreadable
from airflow_provider_renderbus.triggers.glance import glances
from airflow_provider_renderbus.triggers.pages import Pages
from airflow_provider_renderbus.triggers.patience import LOOKS_WITHOUT_IT, OneVoice, Patience
from airflow_provider_renderbus.triggers.watcher import DeadlinePassed, Watcher

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from airflow_provider_renderbus.api.call import Call
    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.clients.sequences import Sequence
    from airflow_provider_renderbus.triggers.glance import Glance

T = TypeVar("T")

log = logging.getLogger(__name__)

AT_ONCE = 4
# Seconds that the look at the deadline may take. A farm that hangs holds nobody up for longer.
LAST_LOOK = 5.0
# Seconds between two tries while the farm is down, at most; and where the farm asks for longer ones.
_DOUBLINGS, _LONGEST_WAIT = 5, 30.0
_LONGEST_WAIT_WANTED = 300.0
# So many tasks are told of before the event loop has its turn.
_TOLD_AT_ONCE = 10


class Client(Protocol):
    """Whatever sends calls without blocking."""

    async def send(self, call: Call[T]) -> T:
        """Send a call and return its result."""

    async def run(self, sequence: Sequence[T]) -> T:
        """Carry a sequence of calls out and return its result."""


class _Watched:
    """A task that somebody watches.

    `look` is the number of the look that was taken in last, `missing` counts the looks in a row without it.
    """

    __slots__ = ("fingerprint", "look", "missing", "watchers")

    def __init__(self) -> None:
        self.watchers: list[Watcher] = []
        self.fingerprint: Any = None
        self.look = 0
        self.missing = 0


class Poller:
    """Looks at tasks for all who wait for them; works while :meth:`serve` runs.

    :param client: the farm's client. It tries once: what fails is asked again in the next look.
    :param interval: seconds between two looks at a task.
    :param clock: tells the seconds since 1970.
    """

    def __init__(self, client: Client, interval: float, *, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._interval = interval
        self._clock = clock
        self._pages = Pages(interval)
        self._watched: dict[int, _Watched] = {}
        self._free = asyncio.Semaphore(AT_ONCE)
        self._free_for_rounds = asyncio.Semaphore(AT_ONCE)
        self._woken = asyncio.Event()
        self._voice = OneVoice(log)
        self._patience = Patience(self._voice)
        self._looks = 0
        self._failures = 0
        self._looks_at_failure = 0
        self._broken: Exception | None = None

    async def watch(self, number: int, interval: float, deadline: float) -> AsyncGenerator[TaskInfo]:
        """Yield a task as it is now, and again whenever its state, its frames or its cost have changed.

        :param number: the task's number.
        :param interval: seconds between two looks: those of this poller.
        :param deadline: the moment until which to wait, in seconds since 1970.
        :raises DeadlinePassed: the deadline is over; the farm was looked at once more, if it answered.
        :raises RenderbusError: the farm refused for good, or knows no such task.
        :raises ValueError: an argument is wrong.
        """
        if interval != self._interval:
            raise ValueError(f"interval: this poller looks every {self._interval:g} s, not {interval:g} s")
        # A number that is none would take its whole page down.
        watcher = Watcher(arguments.task_number("number", number))
        self._join(watcher, deadline)
        try:
            while True:
                yield await watcher.next()
        finally:
            self._leave(watcher)

    async def repeat(
        self, sequence: Callable[[], Sequence[T]], interval: float, deadline: float
    ) -> AsyncGenerator[T]:
        """Carry a sequence of calls out again and again, and yield what it returns.

        A farm that cannot be reached is asked again until the deadline: not to know is not to have failed.

        :param sequence: makes the sequence.
        :param interval: seconds between two rounds.
        :param deadline: the moment until which to go on, in seconds since 1970.
        :raises DeadlinePassed: the deadline is over; there was one more round, if the farm answered.
        :raises RenderbusError: the farm refused for good.
        """
        patience = Patience(self._voice)
        while True:
            left = deadline - self._clock()
            try:
                async with asyncio.timeout(max(left, 0.0) + LAST_LOOK), self._free_for_rounds:
                    result = await self._client.run(sequence())
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
            await asyncio.sleep(max(0.0, min(interval, deadline - self._clock())))

    async def serve(self) -> None:
        """Look at what is watched, until cancelled."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as looks:
            while True:
                await self._page_due()
                await self._free.acquire()
                look = looks.create_task(self._look(self._pages.take(loop.time()) or []))
                look.add_done_callback(lambda _: self._free.release())
                if self._failures:
                    # While the farm is down, one request at a time finds out whether it is back.
                    await asyncio.wait([look])

    async def _page_due(self) -> None:
        loop = asyncio.get_running_loop()
        while loop.time() < self._pages.next_time():
            self._woken.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._pages.next_time()):
                    await self._woken.wait()

    def fail(self, reason: Exception) -> None:
        """End the waiting of all, of those too that are still to come."""
        self._broken = reason
        self._end_all(reason)

    def _join(self, watcher: Watcher, deadline: float) -> None:
        self._watched.setdefault(watcher.number, _Watched()).watchers.append(watcher)
        self._pages.join(watcher.number, asyncio.get_running_loop().time())
        self._woken.set()
        self._set_timer(watcher, deadline)
        if self._broken:
            watcher.end(self._broken)

    def _leave(self, watcher: Watcher) -> None:
        if watcher.timer:
            watcher.timer.cancel()
        watched = self._watched[watcher.number]
        watched.watchers.remove(watcher)
        if not watched.watchers:
            del self._watched[watcher.number]
            self._pages.leave(watcher.number)
            self._woken.set()

    def _set_timer(self, watcher: Watcher, deadline: float) -> None:
        """Wake a watcher for its last look; anew where this machine's clock was set back meanwhile."""
        loop = asyncio.get_running_loop()
        left = deadline - self._clock()
        if left > 0:
            watcher.timer = loop.call_later(left, self._set_timer, watcher, deadline)
            return
        watcher.urgent = True
        watcher.timer = loop.call_later(LAST_LOOK, watcher.end, DeadlinePassed())
        self._pages.hurry(watcher.number, loop.time())
        self._woken.set()

    async def _look(self, numbers: list[int]) -> None:
        numbers = [number for number in numbers if number in self._watched]
        if not numbers:
            return
        self._looks += 1
        look = self._looks
        try:
            found = await self._client.send(glances(numbers))
        except (BadRequest, NotFound) as refusal:
            await self._divide(numbers, refusal)
        except RenderbusError as error:
            self._fall_back(numbers, look, error)
        else:
            self._patience.relax()
            self._voice.relax()
            if self._failures:
                self._failures = 0
                self._pages.resume()
                self._woken.set()
            await self._tell(numbers, look, found)

    async def _divide(self, numbers: list[int], refusal: RenderbusError) -> None:
        """Find the number for which a page was refused: it concerns nobody else."""
        if len(numbers) == 1:
            self._end_of(numbers[0], refusal)
            return
        middle = len(numbers) // 2
        await self._look(numbers[:middle])
        await self._look(numbers[middle:])

    def _fall_back(self, numbers: list[int], look: int, error: RenderbusError) -> None:
        """Bear that a look failed, and wait longer before the next one, all together."""
        try:
            self._patience.bear(error)
        except RenderbusError as refusal:
            self._end_all(refusal)
            return
        now = asyncio.get_running_loop().time()
        # Requests that were under way together fail together; that counts once.
        if look > self._looks_at_failure:
            self._looks_at_failure = self._looks
            self._failures += 1
            wait = min(2.0 ** min(self._failures - 1, _DOUBLINGS), self._interval / 2, _LONGEST_WAIT)
            wanted = (error.retry_after if isinstance(error, TransportError) else None) or 0.0
            self._pages.hold(now + max(wait, self._pages.distance, min(wanted, _LONGEST_WAIT_WANTED)))
        self._pages.retry(numbers)
        for number in numbers:
            for watcher in self._watchers(number):
                if watcher.urgent:
                    watcher.end(DeadlinePassed())
                elif watcher.eager:
                    self._pages.hurry(number, now)

    async def _tell(self, numbers: list[int], look: int, found: dict[int, Glance]) -> None:
        missing = []
        for place, number in enumerate(numbers, 1):
            watched = self._watched.get(number)
            # It may have been left, or a later look may have overtaken this one.
            if watched and watched.look < look:
                watched.look = look
                if number in found:
                    self._take_in(number, watched, found[number])
                else:
                    missing.append(number)
                    watched.missing += 1
                    if watched.missing >= LOOKS_WITHOUT_IT:
                        self._end_of(number, UnknownTask(number))
                for watcher in watched.watchers:
                    if watcher.urgent:
                        watcher.end(DeadlinePassed())
            if not place % _TOLD_AT_ONCE:
                await asyncio.sleep(0)
        if any(self._watched[number].missing == 1 for number in missing if number in self._watched):
            log.warning("The farm's answer is short of %s; they will be asked for again", missing)

    def _take_in(self, number: int, watched: _Watched, glance: Glance) -> None:
        watched.missing = 0
        if glance.fingerprint == watched.fingerprint and not any(
            watcher.eager for watcher in watched.watchers
        ):
            return
        try:
            task = read_task(glance.item)
        except Unreadable as problem:
            if glance.fingerprint != watched.fingerprint:
                log.warning("%s", BadAnswer("query_task_info", f"task {number}: {problem}"))
        else:
            for watcher in watched.watchers:
                watcher.hear(task)
        watched.fingerprint = glance.fingerprint

    def _watchers(self, number: int) -> list[Watcher]:
        watched = self._watched.get(number)
        return watched.watchers if watched else []

    def _end_of(self, number: int, reason: Exception) -> None:
        for watcher in self._watchers(number):
            watcher.end(reason)

    def _end_all(self, reason: Exception) -> None:
        for number in self._watched:
            self._end_of(number, reason)
