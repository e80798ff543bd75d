"""Polls the tasks of many waits with a hundredth of the requests."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.errors import BadRequest, NotFound, TransportError
from airflow_provider_renderbus.api.validation import parse_task_id
from airflow_provider_renderbus.polling.circuit_breaker import CircuitBreaker
from airflow_provider_renderbus.polling.error_tolerance import ends_wait, is_unexpected
from airflow_provider_renderbus.polling.loop_logger import LoopLogger
from airflow_provider_renderbus.polling.page_schedule import PageSchedule
from airflow_provider_renderbus.polling.shared_queries import MAX_CONCURRENCY, SharedQueries
from airflow_provider_renderbus.polling.watched_task import WatchedTask, query_items
from airflow_provider_renderbus.polling.watchers import FINAL_POLL_TIMEOUT, DeadlineExceeded, Watcher

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_renderbus.polling.shared_queries import Client

log = LoopLogger(logging.getLogger(__name__))

# Tasks whose waits are notified before the event loop may do something else.
_BATCH = 10
# Failed polls in a row after which the farm is the cause and not one of its tasks: more than it takes to find
# one task in a page.
MAX_SEARCH_FAILURES = 14


class Poller:
    """Polls tasks while :meth:`run` runs, and notifies those who wait for them of changes.

    :param client: sends each call once: what fails is part of the next poll.
    :param interval: the poll interval in seconds.
    :param subject: whose renders these are, for the log.
    :param clock: returns the seconds since 1970.
    :ivar queries: polls what is not the status, frames or cost of a task.

    Whatever a poll raises is a failed poll of its page, or of the task that cannot be read (see
    `error_tolerance`). Of a page that the farm refuses, only the task that is the cause ends its wait.
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
        self._wakeup = asyncio.Event()
        self._breaker = CircuitBreaker(interval, self._request_interval)
        self.queries = SharedQueries(client, self._breaker, clock)
        self._poll_count = 0

    def watch(self, task_id: int, interval: float, deadline: float) -> Watcher:
        """Return a subscriber to a task, which ends its wait as a context manager.

        :param task_id: id of the task.
        :param interval: the poll interval in seconds, which must be that of the poller.
        :param deadline: when to end the wait, in seconds since 1970.
        :raises ValueError: an argument is wrong.
        """
        if interval != self._interval:
            raise ValueError(f"interval: must be {self._interval:g} s like the poller's, got {interval:g} s")
        # The farm would refuse a whole page because of an invalid id.
        watcher = Watcher(parse_task_id("task_id", task_id), self._remove)
        self._add(watcher, deadline)
        return watcher

    async def run(self) -> None:
        """Poll the watched tasks until cancelled."""
        while True:
            try:
                await self._run()
            except Exception:
                # A defect in here must not end the waits either.
                log.exception("%s: polling is interrupted for %s s", self._subject, self._interval)
            await asyncio.sleep(self._interval)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        slots = asyncio.Semaphore(MAX_CONCURRENCY)
        async with asyncio.TaskGroup() as polls:
            while True:
                await self._wait_for_page()
                await self._breaker.wait_for_probe()
                await slots.acquire()
                page = self._schedule.pop_due(loop.time()) if self._breaker.allows_requests else None
                poll = polls.create_task(self._poll_page(page or []))
                poll.add_done_callback(lambda _: slots.release())
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

    def _add(self, watcher: Watcher, deadline: float) -> None:
        self._watched.setdefault(watcher.task_id, WatchedTask(watcher.task_id)).watchers.append(watcher)
        self._schedule.add(watcher.task_id, asyncio.get_running_loop().time())
        self._wakeup.set()
        self._set_timer(watcher, deadline)

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
        is_suspect = len(task_ids) == 1 and self._schedule.is_suspect(task_ids[0])
        try:
            request = self._client.send(query_items(task_ids))
            items = await self._breaker.call(request, is_suspect=is_suspect)
        except Exception as error:  # noqa: BLE001 - see error_tolerance
            await self._on_page_failed(task_ids, error)
        else:
            self._schedule.acquit(task_ids)
            await self._dispatch(task_ids, poll_id, items)

    async def _on_page_failed(self, task_ids: list[int], error: Exception) -> None:
        """End the waits that the error ends, or halve the page to find the task that is the cause."""
        if ends_wait(error) and not isinstance(error, BadRequest | NotFound):
            for watched in self._watched.values():
                watched.close(error)
        elif ends_wait(error) and len(task_ids) == 1:
            for watched in self._still_watched(task_ids):
                watched.close(error)
        else:
            self._reschedule(task_ids, error)
            if not ends_wait(error):
                await self._report_failure(task_ids, error)

    def _reschedule(self, task_ids: list[int], error: Exception) -> None:
        """Schedule the tasks of a page that failed or was refused."""
        task_ids = [task_id for task_id in task_ids if task_id in self._watched]
        failures = self._breaker.failures
        if ends_wait(error):
            self._schedule.suspect(task_ids)
            for task_id in task_ids:
                self._schedule.expedite(task_id, asyncio.get_running_loop().time(), window=0.0)
        elif isinstance(error, TransportError):
            # If it fails again, the others show whether the farm answers at all.
            self._schedule.requeue(task_ids, at_head=failures <= 1)
        elif failures > MAX_SEARCH_FAILURES:
            self._schedule.acquit_all()
            self._schedule.requeue(task_ids, at_head=True)
        else:
            # The farm has answered, so one of the tasks may be the cause.
            self._schedule.suspect(task_ids)
            if failures or len(task_ids) > 1:
                self._schedule.requeue(task_ids, at_head=len(task_ids) > 1)
        self._wakeup.set()

    async def _report_failure(self, task_ids: list[int], error: Exception) -> None:
        """Let each wait know that its poll failed; in an outage, also those whose turn does not come."""
        failed = self._still_watched(task_ids)
        for watched in failed:
            watched.close_final()
        if self._breaker.failures > 1:
            failed = list(self._watched.values())
        began = False
        for index, watched in enumerate(failed, 1):
            began |= watched.poll_failed(error)
            if index % _BATCH == 0:
                # Each of them logs a line.
                await asyncio.sleep(0)
        if began and is_unexpected(error):
            log.error("%s: unexpected error in a poll", self._subject, exc_info=error)

    async def _dispatch(self, task_ids: list[int], poll_id: int, items: dict[int, dict[str, Any]]) -> None:
        changed = 0
        for task_id in task_ids:
            watched = self._watched.get(task_id)
            # Its watchers may have left, or a later poll may have been answered before this one.
            if watched is None or watched.poll_id > poll_id:
                continue
            watched.poll_id = poll_id
            changed += self._update(watched, items.get(task_id))
            if changed == _BATCH:
                changed = 0
                await asyncio.sleep(0)

    def _update(self, watched: WatchedTask, item: dict[str, Any] | None) -> bool:
        """Update a task from an answer, and return whether that took long."""
        try:
            return watched.miss() if item is None else watched.update(item)
        except Exception as error:
            if watched.poll_failed(error) and is_unexpected(error):
                log.exception("%s: unexpected error in a poll of render %s", self._subject, watched.task_id)
            return True
        finally:
            watched.close_final()

    def _still_watched(self, task_ids: list[int]) -> list[WatchedTask]:
        return [self._watched[task_id] for task_id in task_ids if task_id in self._watched]
