"""Looking at many tasks again and again, with a hundredth of the requests."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

from airflow_provider_renderbus.api import validation as arguments
from airflow_provider_renderbus.api.errors import BadRequest, NotFound, RenderbusError
from airflow_provider_renderbus.polling.circuit_breaker import CircuitBreaker
from airflow_provider_renderbus.polling.error_tolerance import PollErrorHandler, WarnOnce
from airflow_provider_renderbus.polling.page_schedule import PageSchedule
from airflow_provider_renderbus.polling.shared_queries import MAX_CONCURRENCY, SharedQueries
from airflow_provider_renderbus.polling.watched_task import WatchedTask, query_snapshots
from airflow_provider_renderbus.polling.watchers import FINAL_POLL_TIMEOUT, DeadlineExceeded, Watcher

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.polling.shared_queries import Client
    from airflow_provider_renderbus.polling.watched_task import TaskSnapshot

log = logging.getLogger(__name__)

# So many tasks are read before the event loop has its turn.
_READ_AT_ONCE = 10


class Poller:
    """Looks at tasks for all who wait for them; works while :meth:`serve` runs.

    :param client: the farm's client. It tries once: what fails is asked again in the next look.
    :param interval: seconds between two looks at a task.
    :param clock: tells the seconds since 1970.
    :ivar rounds: asks what is not about one task's state, frames or cost.
    """

    def __init__(self, client: Client, interval: float, *, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._interval = interval
        self._clock = clock
        self._pages = PageSchedule(interval)
        self._watched: dict[int, WatchedTask] = {}
        self._free = asyncio.Semaphore(MAX_CONCURRENCY)
        self._woken = asyncio.Event()
        self._voice = WarnOnce(log)
        self._patience = PollErrorHandler(self._voice)
        self._back_off = CircuitBreaker(interval, self._distance)
        self.queries = SharedQueries(client, self._voice, self._back_off, clock)
        self._looks = 0
        self._broken: Exception | None = None

    async def watch(self, task_id: int, interval: float, deadline: float) -> AsyncGenerator[TaskInfo]:
        """Yield a task as it is now, and again whenever its state, its frames or its cost have changed.

        :param task_id: the task's number.
        :param interval: seconds between two looks: those of this poller.
        :param deadline: the moment until which to wait, in seconds since 1970.
        :raises DeadlinePassed: the deadline is over; the farm was looked at once more, if it answered.
        :raises RenderbusError: the farm refused for good, or knows no such task.
        :raises ValueError: an argument is wrong.
        """
        if interval != self._interval:
            raise ValueError(f"interval: this poller looks every {self._interval:g} s, not {interval:g} s")
        # A number that is none would take its whole page down.
        watcher = Watcher(arguments.task_number("number", task_id))
        self._join(watcher, deadline)
        try:
            while True:
                yield await watcher.next_update()
        finally:
            self._leave(watcher)

    async def run(self) -> None:
        """Look at what is watched, until cancelled."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as looks:
            while True:
                await self._page_due()
                await self._back_off.wait_for_probe()
                await self._free.acquire()
                page = self._pages.pop_due(loop.time()) if self._back_off.allows_requests else None
                look = looks.create_task(self._look(page or []))
                look.add_done_callback(lambda _: self._free.release())
                if self._back_off.failures:
                    # While the farm is down, one request at a time finds out whether it is back.
                    await asyncio.wait([look])

    async def _page_due(self) -> None:
        loop = asyncio.get_running_loop()
        while loop.time() < (due := max(self._pages.next_due(), self._back_off.retry_at)):
            self._woken.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._woken.wait()

    def _distance(self) -> float:
        """Return the seconds between two requests in good times, pages and questions together."""
        return self._interval / max(1, self._pages.page_count + len(self.queries))

    def fail(self, reason: Exception) -> None:
        """End the waiting of all, of those too that are still to come."""
        self._broken = reason
        self._end_all(reason)

    def _join(self, watcher: Watcher, deadline: float) -> None:
        self._watched.setdefault(watcher.task_id, WatchedTask(watcher.task_id)).watchers.append(watcher)
        self._pages.add(watcher.task_id, asyncio.get_running_loop().time())
        self._woken.set()
        self._set_timer(watcher, deadline)
        if self._broken:
            watcher.close(self._broken)

    def _leave(self, watcher: Watcher) -> None:
        if watcher.timer:
            watcher.timer.cancel()
        watched = self._watched[watcher.task_id]
        watched.watchers.remove(watcher)
        if not watched.watchers:
            del self._watched[watcher.task_id]
            self._pages.remove(watcher.task_id)
            self._woken.set()

    def _set_timer(self, watcher: Watcher, deadline: float) -> None:
        """Wake a watcher for its last look; anew where this machine's clock was set back meanwhile."""
        loop = asyncio.get_running_loop()
        left = deadline - self._clock()
        if left > 0:
            watcher.timer = loop.call_later(left, self._set_timer, watcher, deadline)
            return
        watcher.awaits_final_poll = True
        watcher.timer = loop.call_later(FINAL_POLL_TIMEOUT, watcher.close, DeadlineExceeded())
        self._pages.expedite(watcher.task_id, loop.time())
        self._woken.set()

    async def _look(self, numbers: list[int]) -> None:
        numbers = [number for number in numbers if number in self._watched]
        if not numbers:
            return
        self._looks += 1
        look = self._looks
        try:
            found = await self._back_off.call(self._client.send(query_snapshots(numbers)))
        except (BadRequest, NotFound) as refusal:
            await self._divide(numbers, refusal)
        except RenderbusError as error:
            self._fall_back(numbers, error)
        else:
            self._patience.on_success()
            self._voice.reset()
            await self._tell(numbers, look, found)

    async def _divide(self, numbers: list[int], refusal: RenderbusError) -> None:
        """Find the number for which a page was refused: it concerns nobody else."""
        if len(numbers) == 1:
            for watched in self._still_watched(numbers):
                watched.close(refusal)
            return
        middle = len(numbers) // 2
        await self._look(numbers[:middle])
        await self._look(numbers[middle:])

    def _fall_back(self, numbers: list[int], error: RenderbusError) -> None:
        """Bear that a look failed: its numbers are the first to be asked for again."""
        try:
            self._patience.on_error(error)
        except RenderbusError as refusal:
            self._end_all(refusal)
            return
        self._pages.requeue(numbers)
        for watched in self._still_watched(numbers):
            watched.close_final()

    async def _tell(self, numbers: list[int], look: int, found: dict[int, TaskSnapshot]) -> None:
        missing = []
        read = 0
        for number in numbers:
            watched = self._watched.get(number)
            # It may have been left, or a later look may have overtaken this one.
            if watched is None or watched.poll_id > look:
                continue
            watched.poll_id = look
            read += watched.update(found.get(number))
            if watched.misses:
                missing.append(watched)
            if read == _READ_AT_ONCE:
                read = 0
                await asyncio.sleep(0)
        if any(watched.misses == 1 for watched in missing):
            short_of = [watched.task_id for watched in missing]
            log.warning("The farm's answer is short of %s; they will be asked for again", short_of)

    def _still_watched(self, numbers: list[int]) -> list[WatchedTask]:
        return [self._watched[number] for number in numbers if number in self._watched]

    def _end_all(self, reason: Exception) -> None:
        for watched in self._watched.values():
            watched.close(reason)
