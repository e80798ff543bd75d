"""A task that is watched, and what is compared of it in the raw JSON of each poll."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import BadAnswer, UnknownTask
from airflow_provider_renderbus.api.models.page import page_of
from airflow_provider_renderbus.api.models.tasks import read_task
from airflow_provider_renderbus.api.parsing import Unreadable, anything, integer
from airflow_provider_renderbus.polling.error_tolerance import MAX_MISSES
from airflow_provider_renderbus.polling.watchers import DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_renderbus.api.call import Call
    from airflow_provider_renderbus.polling.watchers import Watcher

log = logging.getLogger(__name__)


class WatchedTask:
    """A task, those who watch it, and what was seen of it last.

    :param task_id: the task's number.
    :ivar look: the number of the look that was taken in last.
    :ivar missing: how many looks in a row were without it.
    """

    __slots__ = ("_fingerprint", "misses", "poll_id", "task_id", "watchers")

    def __init__(self, task_id: int) -> None:
        self.task_id = task_id
        self.watchers: list[Watcher] = []
        self.poll_id = 0
        self.misses = 0
        self._fingerprint: Any = None

    def update(self, glance: TaskSnapshot | None) -> bool:
        """Tell the watchers what is news to them, and return whether there was anything to read.

        :param glance: the task as the farm told of it, or None where its answer is short of it.
        """
        if glance is None:
            self.misses += 1
            if self.misses >= MAX_MISSES:
                self.close(UnknownTask(self.task_id))
            read = False
        else:
            self.misses = 0
            read = self._read(glance)
        self.close_final()
        return read

    def close_final(self) -> None:
        """End the waiting of those who wanted one more look: they have had it."""
        for watcher in self.watchers:
            if watcher.awaits_final_poll:
                watcher.close(DeadlineExceeded())

    def close(self, reason: Exception) -> None:
        """End the waiting of all its watchers."""
        for watcher in self.watchers:
            watcher.close(reason)

    def _read(self, glance: TaskSnapshot) -> bool:
        """Make a model of the task where somebody hears of it; that costs a hundred times a glance."""
        changed = glance.change_key != self._fingerprint
        if not changed and not any(watcher.needs_any_update for watcher in self.watchers):
            return False
        self._fingerprint = glance.change_key
        try:
            task = read_task(glance.item)
        except Unreadable as problem:
            if changed:
                log.warning("%s", BadAnswer("query_task_info", f"task {self.task_id}: {problem}"))
        else:
            for watcher in self.watchers:
                watcher.notify(task)
        return True


# All that `TaskInfo.status`, `progress` and `cost` depend on, besides the sub-tasks.
_FIELDS = (
    "taskStatus",
    "taskType",
    "totalFrames",
    "doneFrames",
    "failedFrames",
    "executingFrames",
    "abortFrames",
    "renderConsume",
    "userAccountConsume",
    "couponConsume",
    "qyCouponConsume",
)
_SUB_TASKS = "respRenderingTaskList"


class TaskSnapshot(NamedTuple):
    """A task in a page.

    :param fingerprint: differs from the one before where state, frames or cost differ.
    :param item: the task as the farm wrote it.
    """

    change_key: Any
    item: dict[str, Any]


def query_snapshots(task_ids: Iterable[int]) -> Call[dict[int, TaskSnapshot]]:
    """Ask for tasks by number; the answer holds those that the farm told of, by their number.

    :param task_ids: at most 100.
    """
    return dataclasses.replace(calls.query_task_info(task_ids), read=_read)  # type: ignore[arg-type, return-value]  # replace() cannot change a type's parameter


_read_page = page_of(anything)


def _read(data: Any) -> dict[int, TaskSnapshot]:
    found = {}
    for item in _read_page(data).items:
        try:
            found[integer(item["id"])] = TaskSnapshot(_fingerprint(item), item)
        except (Unreadable, KeyError, TypeError):
            # It belongs to nobody who can be told; whoever asked for it learns that it is missing.
            continue
    return found


def _fingerprint(item: Any) -> Any:
    if type(item) is list:
        return tuple(map(_fingerprint, item))
    if type(item) is not dict:
        return item
    return (*map(item.get, _FIELDS), _fingerprint(item.get(_SUB_TASKS)))
