"""Subscribers to the updates of a task."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Self, TypeVar

from airflow_provider_renderbus.polling.error_tolerance import is_unexpected, log_failure, log_recovery
from airflow_provider_renderbus.polling.loop_logger import LoopLogger

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_renderbus.api.models.tasks import TaskInfo

log = LoopLogger(logging.getLogger(__name__))

T = TypeVar("T")

FINAL_POLL_TIMEOUT = 5.0
"""Seconds that the poll at a deadline may take: a farm that hangs delays a deadline by no more."""


class DeadlineExceeded(Exception):
    """The deadline of a wait has passed."""


class Watcher:
    """Receives the updates of a task, and the reason when the wait ends; a context manager for the wait.

    The poller only leaves notes here. They are taken and logged by the asyncio task that waits, because what
    an asyncio task logs goes to the log of its own trigger.

    :param task_id: id of the task.
    :param remove: called when the wait is over.
    :ivar awaits_final_poll: whether its deadline has passed and only the final poll is missing.
    :ivar timer: of its deadline.
    """

    __slots__ = (
        "_end_reason",
        "_failing_since",
        "_last",
        "_notes",
        "_pending",
        "_remove",
        "_waiter",
        "awaits_final_poll",
        "task_id",
        "timer",
    )

    def __init__(self, task_id: int, remove: Callable[[Watcher], None]) -> None:
        self.task_id = task_id
        self.awaits_final_poll = False
        self.timer: asyncio.TimerHandle | None = None
        self._remove = remove
        self._last: tuple[Any, ...] | None = None
        self._pending: TaskInfo | None = None
        self._end_reason: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._failing_since: float | None = None
        # What to log: an error if polling began to fail, the seconds of the failure if it works again.
        self._notes: tuple[Exception | float, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._remove(self)

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

    def poll_failed(self, error: Exception) -> bool:
        """Note a failed poll, and return whether the poll before did not fail."""
        if self._failing_since is not None:
            return False
        self._failing_since = asyncio.get_running_loop().time()
        self._notes += (error,)
        self._wake()
        return True

    def poll_answered(self) -> None:
        """Note that polling works again, if it did not."""
        if self._failing_since is not None:
            self._notes += (asyncio.get_running_loop().time() - self._failing_since,)
            self._failing_since = None
            self._wake()

    def close(self, reason: Exception) -> None:
        """End the wait after the pending update."""
        self._end_reason = self._end_reason or reason
        self._wake()

    async def next_update(self) -> TaskInfo:
        """Wait for an update: the task now, and again whenever its status, frames or cost have changed.

        :raises DeadlineExceeded: the deadline has passed; the task was polled once more if the farm answered.
        :raises RenderbusError: the farm refused in a way that a later poll would meet too, or lacks the task.
        """
        while True:
            self._log_notes()
            if self._pending is not None:
                task, self._pending = self._pending, None
                return task
            if self._end_reason:
                # Many watchers may raise the same exception: each starts with its own traceback.
                raise self._end_reason.with_traceback(None)
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    async def wait_for(self, evaluate: Callable[[TaskInfo], T | None]) -> T:
        """Wait until a function of an update returns something.

        :param evaluate: if it raises, that poll has failed, and the next one is evaluated even if unchanged.
        :raises DeadlineExceeded: as :meth:`next_update`.
        :raises RenderbusError: likewise.
        """
        while True:
            task = await self.next_update()
            try:
                result = evaluate(task)
            except Exception as error:  # noqa: BLE001 - see error_tolerance
                self._reject_update(error)
                continue
            finally:
                # The wait for the next update may be long, and a model is large.
                del task
            self.poll_answered()
            if result is not None:
                self._log_notes()
                return result

    def _reject_update(self, error: Exception) -> None:
        self._last = None
        if self._failing_since is None:
            self._failing_since = asyncio.get_running_loop().time()
            log_failure(log, f"Render {self.task_id}", error, exc_info=is_unexpected(error))

    def _log_notes(self) -> None:
        notes, self._notes = self._notes, ()
        for note in notes:
            if isinstance(note, Exception):
                log_failure(log, f"Render {self.task_id}", note)
            else:
                log_recovery(log, f"Render {self.task_id}", note)

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)
