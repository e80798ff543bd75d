"""Decides which tasks to poll next, and when: full pages, spread evenly over the poll interval."""

from __future__ import annotations

import math
from collections import OrderedDict

from airflow_provider_renderbus.api.validation import MAX_PAGE_SIZE

# Seconds for which new tasks are collected, so that they share requests and get their first answer in a
# second.
JOIN_WINDOW = 0.5


class PageSchedule:
    """A queue of task ids in the order of their last poll; the next page is the head of the queue.

    N tasks make P = ceil(N / 100) pages per interval, of equal size and at equal distances, so each task is
    polled once per interval. A page is cut when it is due, so removed tasks leave no gaps. Urgent tasks, e.g.
    new ones, are polled together at the end of the join window that the first of them opened.

    The schedule has no clock and never waits: every method that depends on the time takes it as `now`.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        # The time of the last poll by task id; minus infinity if that poll failed.
        self._queue: OrderedDict[int, float] = OrderedDict()
        self._urgent: dict[int, None] = {}
        self._urgent_due = math.inf
        self._last_due = -math.inf

    def __len__(self) -> int:
        """Return the number of tasks."""
        return len(self._queue)

    @property
    def page_count(self) -> int:
        """The number of pages per interval."""
        return math.ceil(len(self._queue) / MAX_PAGE_SIZE)

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

    def expedite(self, task_id: int, now: float) -> None:
        """Make a task urgent."""
        if not self._urgent:
            self._urgent_due = now + min(JOIN_WINDOW, self._interval)
        self._urgent[task_id] = None

    def requeue(self, task_ids: list[int]) -> None:
        """Move tasks whose poll failed to the head of the queue."""
        for task_id in reversed(task_ids):
            if task_id in self._queue:
                self._queue[task_id] = -math.inf
                self._queue.move_to_end(task_id, last=False)

    def next_due(self) -> float:
        """Return when the next page is due; infinity if there are no tasks."""
        return min(self._urgent_due if self._urgent else math.inf, self._next_regular())

    def pop_due(self, now: float) -> list[int] | None:
        """Return the page that is due and move its tasks to the end of the queue; None if none is due."""
        if now < self.next_due():
            return None
        if self._urgent and now >= self._urgent_due:
            page = list(self._urgent)[:MAX_PAGE_SIZE]
        else:
            due = self._next_regular()
            # A page that is a little late does not delay the pages after it.
            self._last_due = due if now - due < self.page_interval else now
            size = math.ceil(len(self._queue) / self.page_count)
            page = [task_id for task_id, _ in zip(self._queue, range(size), strict=False)]
        for task_id in page:
            self._urgent.pop(task_id, None)
            self._queue[task_id] = now
            self._queue.move_to_end(task_id)
        return page

    def _next_regular(self) -> float:
        """Return when the next page is due that is not urgent."""
        if not self._queue:
            return math.inf
        overdue = next(iter(self._queue.values())) + self._interval
        due = min(self._last_due + self.page_interval, overdue)
        # A backlog, e.g. after an outage, is worked off at double speed at most.
        return max(due, self._last_due + self.page_interval / 2)
