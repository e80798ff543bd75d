"""Polls the tasks of many waits with a hundredth of the requests."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

from airflow_provider_renderbus.api.errors import BadRequest, NotFound, RenderbusError
from airflow_provider_renderbus.api.validation import parse_task_id
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

# Tasks that are parsed before the event loop may do something else.
_PARSE_BATCH = 10


class Poller:
    """Polls tasks while :meth:`run` runs, and notifies those who wait for them of changes.

    :param client: sends each call once: what fails is part of the next poll.
    :param subject: whose renders these are, for the log.
    :ivar queries: polls what is not the status, frames or cost of a task.
    """

    def __init__(
        self,
        client: Client,
        interval: float,
        *,
        subject: str = "Renders",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._interval = interval
        self._subject = subject
        self._clock = clock
        self._schedule = PageSchedule(interval)
        self._watched: dict[int, WatchedTask] = {}
        self._slots = asyncio.Semaphore(MAX_CONCURRENCY)
        self._wakeup = asyncio.Event()
        self._warn_once = WarnOnce(log)
        self._errors = PollErrorHandler(self._warn_once, subject)
        self._breaker = CircuitBreaker(interval, self._request_interval)
        self.queries = SharedQueries(client, self._warn_once, subject, self._breaker, clock)
        self._poll_count = 0
        self._failure: Exception | None = None

    async def watch(self, task_id: int, interval: float, deadline: float) -> AsyncGenerator[TaskInfo]:
        """Yield a task now, and again whenever its status, frames or cost have changed.

        :param interval: the poll interval in seconds, which must be that of the poller.
        :raises DeadlineExceeded: the deadline has passed; the task was polled once more if the farm answered.
        :raises RenderbusError: the farm refused in a way that a later poll would meet too, or lacks the task.
        :raises ValueError: an argument is wrong.
        """
        if interval != self._interval:
            raise ValueError(f"interval: must be {self._interval:g} s like the poller's, got {interval:g} s")
        # The farm would refuse a whole page because of an invalid id.
        watcher = Watcher(parse_task_id("task_id", task_id))
        self._add(watcher, deadline)
        try:
            while True:
                yield await watcher.next_update()
        finally:
            self._remove(watcher)

    async def run(self) -> None:
        """Poll the watched tasks until cancelled."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as polls:
            while True:
                await self._wait_for_page()
                await self._breaker.wait_for_probe()
                await self._slots.acquire()
                page = self._schedule.pop_due(loop.time()) if self._breaker.allows_requests else None
                poll = polls.create_task(self._poll_page(page or []))
                poll.add_done_callback(lambda _: self._slots.release())
                if self._breaker.failures:
                    # During an outage one request at a time probes the farm.
                    await asyncio.wait([poll])

    async def _wait_for_page(self) -> None:
        loop = asyncio.get_running_loop()
        while loop.time() < (due := max(self._schedule.next_due(), self._breaker.retry_at)):
            self._wakeup.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._wakeup.wait()

    def _request_interval(self) -> float:
        """Return the seconds between two requests in normal operation, pages and queries together."""
        return self._interval / max(1, self._schedule.page_count + len(self.queries))

    def fail(self, reason: Exception) -> None:
        """End all waits, and those that begin later, with an error."""
        self._failure = reason
        self._fail_all(reason)

    def _fail_all(self, reason: Exception) -> None:
        for watched in self._watched.values():
            watched.close(reason)

    def _add(self, watcher: Watcher, deadline: float) -> None:
        self._watched.setdefault(watcher.task_id, WatchedTask(watcher.task_id)).watchers.append(watcher)
        self._schedule.add(watcher.task_id, asyncio.get_running_loop().time())
        self._wakeup.set()
        self._set_timer(watcher, deadline)
        if self._failure:
            watcher.close(self._failure)

    def _remove(self, watcher: Watcher) -> None:
        if watcher.timer:
            watcher.timer.cancel()
        watched = self._watched[watcher.task_id]
        watched.watchers.remove(watcher)
        if not watched.watchers:
            del self._watched[watcher.task_id]
            self._schedule.remove(watcher.task_id)
            self._wakeup.set()

    def _set_timer(self, watcher: Watcher, deadline: float) -> None:
        """Request the final poll at the deadline; set the timer again if the clock was set back meanwhile."""
        loop = asyncio.get_running_loop()
        left = deadline - self._clock()
        if left > 0:
            watcher.timer = loop.call_later(left, self._set_timer, watcher, deadline)
            return
        watcher.awaits_final_poll = True
        watcher.timer = loop.call_later(FINAL_POLL_TIMEOUT, watcher.close, DeadlineExceeded())
        self._schedule.expedite(watcher.task_id, loop.time())
        self._wakeup.set()

    async def _poll_page(self, task_ids: list[int]) -> None:
        task_ids = [task_id for task_id in task_ids if task_id in self._watched]
        if not task_ids:
            return
        self._poll_count += 1
        poll_id = self._poll_count
        try:
            snapshots = await self._breaker.call(self._client.send(query_snapshots(task_ids)))
        except (BadRequest, NotFound) as refusal:
            await self._bisect(task_ids, refusal)
        except RenderbusError as error:
            self._handle_error(task_ids, error)
        else:
            self._errors.on_success()
            self._warn_once.reset()
            await self._dispatch(task_ids, poll_id, snapshots)

    async def _bisect(self, task_ids: list[int], refusal: RenderbusError) -> None:
        """Find the task that a page was refused for, and end the waits for it alone."""
        if len(task_ids) == 1:
            for watched in self._still_watched(task_ids):
                watched.close(refusal)
            return
        middle = len(task_ids) // 2
        await self._poll_page(task_ids[:middle])
        await self._poll_page(task_ids[middle:])

    def _handle_error(self, task_ids: list[int], error: RenderbusError) -> None:
        try:
            self._errors.on_error(error)
        except RenderbusError as refusal:
            self._fail_all(refusal)
            return
        self._schedule.requeue(task_ids)
        for watched in self._still_watched(task_ids):
            watched.close_final()

    async def _dispatch(self, task_ids: list[int], poll_id: int, snapshots: dict[int, TaskSnapshot]) -> None:
        missing = []
        parsed = 0
        for task_id in task_ids:
            watched = self._watched.get(task_id)
            # Its watchers may have left, or a later poll may have been answered before this one.
            if watched is None or watched.poll_id > poll_id:
                continue
            watched.poll_id = poll_id
            parsed += watched.update(snapshots.get(task_id))
            if watched.misses:
                missing.append(watched)
            if parsed == _PARSE_BATCH:
                parsed = 0
                await asyncio.sleep(0)
        if any(watched.misses == 1 for watched in missing):
            missing_ids = [watched.task_id for watched in missing]
            log.warning("%s: the farm's answer lacks %s, polling continues", self._subject, missing_ids)

    def _still_watched(self, task_ids: list[int]) -> list[WatchedTask]:
        return [self._watched[task_id] for task_id in task_ids if task_id in self._watched]
