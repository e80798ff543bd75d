"""Somebody who waits for a task."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_renderbus.api.models.tasks import TaskInfo

FINAL_POLL_TIMEOUT = 5.0
"""Seconds that the look at the deadline may take: a farm that hangs holds nobody up for longer."""


class DeadlineExceeded(Exception):
    """The moment until which somebody wanted to wait is over."""


class Watcher:
    """Hears of a task what is news to it, and of the end of its waiting.

    :param task_id: the task's number.
    """

    __slots__ = ("_end", "_news", "_seen", "_woken", "awaits_final_poll", "task_id", "timer")

    def __init__(self, task_id: int) -> None:
        self.task_id = task_id
        # Whether it waits for its last look.
        self.awaits_final_poll = False
        self.timer: asyncio.TimerHandle | None = None
        self._seen: tuple[Any, ...] | None = None
        self._news: TaskInfo | None = None
        self._end: Exception | None = None
        self._woken: asyncio.Future[None] | None = None

    @property
    def needs_any_update(self) -> bool:
        """Whether any answer matters to it: it has heard nothing yet, or looks for the last time."""
        return self._seen is None or self.awaits_final_poll

    def notify(self, task: TaskInfo) -> None:
        """Take in the task as it is now; where state, frames and cost are as before, it is no news."""
        news = (task.status, task.progress, task.cost)
        if news != self._seen:
            self._seen = news
            self._news = task
            self._wake()

    def close(self, reason: Exception) -> None:
        """End the waiting, after what there is to hear."""
        self._end = self._end or reason
        self._wake()

    async def next_update(self) -> TaskInfo:
        """Wait for news.

        :raises Exception: why the waiting is over.
        """
        while self._news is None:
            if self._end:
                # Many may be told the same reason: each begins its own trace.
                raise self._end.with_traceback(None)
            self._woken = asyncio.get_running_loop().create_future()
            await self._woken
        task, self._news = self._news, None
        return task

    def _wake(self) -> None:
        if self._woken and not self._woken.done():
            self._woken.set_result(None)
