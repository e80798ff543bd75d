"""Decides which tasks to poll next, and when: full pages, spread evenly over the poll interval."""

from __future__ import annotations

import itertools
import math
from collections import OrderedDict
from typing import TYPE_CHECKING

from airflow_provider_renderbus.api.validation import MAX_PAGE_SIZE
from airflow_provider_renderbus.polling.batching import JOIN_WINDOW

if TYPE_CHECKING:
    from collections.abc import Iterable


class PageSchedule:
    """A queue of task ids in the order of their last poll; the next page is the head of the queue.

    N tasks make P = ceil(N / 100) pages per interval, of equal size and at equal distances, so each task is
    polled once per interval. A page is cut when it is due, so removed tasks leave no gaps. Urgent tasks, e.g.
    new ones, are polled together at the end of the join window that the first of them opened.

    A page can fail because of one of its tasks. Tasks of a failed page are suspects until a poll of them
    succeeds: they are polled among themselves, in pages of half the size. So the task that is the cause is
    soon polled alone, and the others are polled as before.

    The schedule has no clock and never waits: every method that depends on the time takes it as `now`.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        # The time of the last poll by task id; minus infinity if that poll failed.
        self._queue: OrderedDict[int, float] = OrderedDict()
        self._urgent: dict[int, None] = {}
        # The largest page that a suspect may be part of, by task id.
        self._suspects: dict[int, int] = {}
        self._urgent_due = math.inf
        self._last_due = -math.inf

    def __len__(self) -> int:
        """Return the number of tasks."""
        return len(self._queue)

    @property
    def page_count(self) -> int:
        """The number of pages per interval."""
        suspect_pages = sum(1 / size for size in self._suspects.values())
        return math.ceil((len(self._queue) - len(self._suspects)) / MAX_PAGE_SIZE) + math.ceil(suspect_pages)

    @property
    def page_interval(self) -> float:
        """The seconds between two pages."""
        return self._interval / max(1, self.page_count)

    def add(self, task_id: int, now: float) -> None:
        """Add a task as urgent; a task that is there already becomes urgent."""
        if not self._queue:
            self._last_due = now
        self._queue.setdefault(task_id, now)
        self.expedite(task_id, now)

    def remove(self, task_id: int) -> None:
        """Remove a task."""
        del self._queue[task_id]
        self._urgent.pop(task_id, None)
        self._suspects.pop(task_id, None)

    def expedite(self, task_id: int, now: float, *, window: float = JOIN_WINDOW) -> None:
        """Make a task urgent, to be polled after a window for others to join, in seconds."""
        due = now + min(window, self._interval)
        self._urgent_due = min(due, self._urgent_due) if self._urgent else due
        self._urgent[task_id] = None

    def requeue(self, task_ids: list[int], *, at_head: bool) -> None:
        """Make tasks whose poll failed overdue, before or after all others."""
        for task_id in reversed(task_ids) if at_head else task_ids:
            self._queue[task_id] = -math.inf
            self._queue.move_to_end(task_id, last=not at_head)

    def suspect(self, task_ids: list[int]) -> None:
        """Make suspects of the tasks of a failed page."""
        size = (len(task_ids) + 1) // 2
        self._suspects |= dict.fromkeys(task_ids, size)

    def is_suspect(self, task_id: int) -> bool:
        """Return whether a task is a suspect."""
        return task_id in self._suspects

    def acquit(self, task_ids: Iterable[int]) -> None:
        """Make tasks no suspects any more."""
        if self._suspects:
            for task_id in task_ids:
                self._suspects.pop(task_id, None)

    def acquit_all(self) -> None:
        """Make no task a suspect: everything fails, so no single task is the cause."""
        self._suspects.clear()

    def next_due(self) -> float:
        """Return when the next page is due; infinity if there are no tasks."""
        return min(self._urgent_due if self._urgent else math.inf, self._next_regular())

    def pop_due(self, now: float) -> list[int] | None:
        """Return the page that is due and move its tasks to the end of the queue; None if none is due."""
        if now < self.next_due():
            return None
        if self._urgent and now >= self._urgent_due:
            page = self._cut(self._urgent, MAX_PAGE_SIZE)
        else:
            due = self._next_regular()
            # A page that is a little late does not delay the pages after it.
            self._last_due = due if now - due < self.page_interval else now
            pages = max(1, math.ceil((len(self._queue) - len(self._suspects)) / MAX_PAGE_SIZE))
            page = self._cut(self._queue, math.ceil((len(self._queue) - len(self._suspects)) / pages))
        for task_id in page:
            self._urgent.pop(task_id, None)
            self._queue[task_id] = now
            self._queue.move_to_end(task_id)
        return page

    def _cut(self, task_ids: Iterable[int], size: int) -> list[int]:
        """Return the first tasks that may share a page with the first one."""
        if not self._suspects:
            return list(itertools.islice(task_ids, size))
        task_ids = list(task_ids)
        if task_ids[0] not in self._suspects:
            unsuspected = (task_id for task_id in task_ids if task_id not in self._suspects)
            return list(itertools.islice(unsuspected, size))
        page: list[int] = []
        size = MAX_PAGE_SIZE
        for task_id in task_ids:
            if task_id in self._suspects:
                size = min(size, self._suspects[task_id])
                if len(page) >= size:
                    break
                page.append(task_id)
        return page

    def _next_regular(self) -> float:
        """Return when the next page is due that is not urgent."""
        if not self._queue:
            return math.inf
        overdue = next(iter(self._queue.values())) + self._interval
        due = min(self._last_due + self.page_interval, overdue)
        # A backlog, e.g. after an outage, is worked off at double speed at most.
        return max(due, self._last_due + self.page_interval / 2)
