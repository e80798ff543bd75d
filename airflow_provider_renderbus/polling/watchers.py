"""Subscribers to the updates of a task."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_renderbus.api.models.tasks import TaskInfo

FINAL_POLL_TIMEOUT = 5.0
"""Seconds that the poll at a deadline may take: a farm that hangs delays a deadline by no more."""


class DeadlineExceeded(Exception):
    """The deadline of a wait has passed."""


class Watcher:
    """Receives the updates of a task, and the reason when the wait ends.

    :ivar awaits_final_poll: whether its deadline has passed and only the final poll is missing.
    :ivar timer: of its deadline.
    """

    __slots__ = ("_end_reason", "_last", "_pending", "_waiter", "awaits_final_poll", "task_id", "timer")

    def __init__(self, task_id: int) -> None:
        self.task_id = task_id
        self.awaits_final_poll = False
        self.timer: asyncio.TimerHandle | None = None
        self._last: tuple[Any, ...] | None = None
        self._pending: TaskInfo | None = None
        self._end_reason: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def needs_any_update(self) -> bool:
        """Whether it needs even an unchanged task: it has no update yet, or awaits its final poll."""
        return self._last is None or self.awaits_final_poll

    def notify(self, task: TaskInfo) -> None:
        """Deliver a task, unless its status, frames and cost are those of the last update."""
        key = (task.status, task.progress, task.cost)
        if key != self._last:
            self._last = key
            self._pending = task
            self._wake()

    def close(self, reason: Exception) -> None:
        """End the wait after the pending update."""
        self._end_reason = self._end_reason or reason
        self._wake()

    async def next_update(self) -> TaskInfo:
        """Wait for an update, or raise why the wait has ended."""
        while self._pending is None:
            if self._end_reason:
                # Many watchers may raise the same exception: each starts with its own traceback.
                raise self._end_reason.with_traceback(None)
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        task, self._pending = self._pending, None
        return task

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)
