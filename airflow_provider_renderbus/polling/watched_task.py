"""A polled task with its watchers, and the part of the raw JSON that decides whether the task has changed."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import InvalidResponse, UnknownTask
from airflow_provider_renderbus.api.models.page import page_reader
from airflow_provider_renderbus.api.models.tasks import read_task
from airflow_provider_renderbus.api.parsing import ParseError, raw_json, read_int
from airflow_provider_renderbus.polling.error_tolerance import MAX_MISSES
from airflow_provider_renderbus.polling.watchers import DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_renderbus.api.call import Call
    from airflow_provider_renderbus.polling.watchers import Watcher

log = logging.getLogger(__name__)


class WatchedTask:
    """A task and its watchers.

    :ivar poll_id: the latest poll that the task was updated from.
    :ivar misses: polls in a row that lacked the task.
    """

    __slots__ = ("_change_key", "misses", "poll_id", "task_id", "watchers")

    def __init__(self, task_id: int) -> None:
        self.task_id = task_id
        self.watchers: list[Watcher] = []
        self.poll_id = 0
        self.misses = 0
        self._change_key: Any = None

    def update(self, snapshot: TaskSnapshot | None) -> bool:
        """Notify the watchers if the task has changed, and return whether a model was parsed."""
        parsed = False
        if snapshot is None:
            self.misses += 1
            if self.misses >= MAX_MISSES:
                self.close(UnknownTask(self.task_id))
        else:
            self.misses = 0
            parsed = self._notify(snapshot)
        self.close_final()
        return parsed

    def close_final(self) -> None:
        """End the wait of those whose deadline has passed: this was their final poll."""
        for watcher in self.watchers:
            if watcher.awaits_final_poll:
                watcher.close(DeadlineExceeded())

    def close(self, reason: Exception) -> None:
        """End the wait of all watchers."""
        for watcher in self.watchers:
            watcher.close(reason)

    def _notify(self, snapshot: TaskSnapshot) -> bool:
        """Parse the task if a watcher needs it; a model costs a hundred times a snapshot."""
        changed = snapshot.change_key != self._change_key
        if not changed and not any(watcher.needs_any_update for watcher in self.watchers):
            return False
        self._change_key = snapshot.change_key
        try:
            task = read_task(snapshot.item)
        except ParseError as error:
            if changed:
                invalid = InvalidResponse("query_task_info", str(error))
                log.warning("Render %s: poll failed, polling continues: %s", self.task_id, invalid)
        else:
            for watcher in self.watchers:
                watcher.notify(task)
        return True


# All that `TaskInfo.status`, `progress` and `cost` depend on, besides the sub-tasks.
_FIELDS = (
    "taskStatus",
    "stopType",
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
    """The JSON of a task, and a key that differs from another one's if status, frames or cost differ."""

    change_key: Any
    item: dict[str, Any]


def query_snapshots(task_ids: Iterable[int]) -> Call[dict[int, TaskSnapshot]]:
    """Query up to 100 tasks; the result has the snapshot of each task in the answer by its id."""
    return dataclasses.replace(calls.query_task_info(task_ids), read=_read)  # type: ignore[arg-type, return-value]  # replace() cannot change a type's parameter


_read_page = page_reader(raw_json)


def _read(data: Any) -> dict[int, TaskSnapshot]:
    snapshots = {}
    for item in _read_page(data).items:
        try:
            snapshots[read_int(item["id"])] = TaskSnapshot(_change_key(item), item)
        except (ParseError, KeyError, TypeError):
            # Without an id it cannot be assigned to a task, which then counts as missing.
            continue
    return snapshots


def _change_key(item: Any) -> Any:
    if type(item) is list:
        return tuple(map(_change_key, item))
    if type(item) is not dict:
        return item
    return (*map(item.get, _FIELDS), _change_key(item.get(_SUB_TASKS)))
