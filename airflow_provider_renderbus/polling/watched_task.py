"""A polled task with its watchers, and the part of the raw JSON that decides whether the task has changed."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import InvalidResponse, UnknownTask
from airflow_provider_renderbus.api.models.page import page_reader
from airflow_provider_renderbus.api.models.tasks import read_task
from airflow_provider_renderbus.api.parsing import ParseError, raw_json, read_id
from airflow_provider_renderbus.polling.error_tolerance import MAX_MISSES
from airflow_provider_renderbus.polling.watchers import DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_renderbus.api.call import Call
    from airflow_provider_renderbus.polling.watchers import Watcher


class WatchedTask:
    """A task and its watchers.

    :ivar poll_id: the latest poll that the task was updated from.
    """

    __slots__ = ("_change_key", "_is_failing", "_misses", "poll_id", "task_id", "watchers")

    def __init__(self, task_id: int) -> None:
        self.task_id = task_id
        self.watchers: list[Watcher] = []
        self.poll_id = 0
        self._misses = 0
        self._change_key: Any = None
        self._is_failing = False

    def update(self, item: dict[str, Any]) -> bool:
        """Notify the watchers if the task has changed, and return whether a model was parsed.

        A model costs a hundred times what the comparison costs.

        :param item: the task in the farm's answer.
        :raises InvalidResponse: the task cannot be read: its poll has failed.
        """
        change_key = _change_key(item)
        parsed = change_key != self._change_key or any(watcher.needs_any_update for watcher in self.watchers)
        if parsed:
            try:
                task = read_task(item)
            except ParseError as error:
                raise InvalidResponse("query_task_info", str(error)) from None
            for watcher in self.watchers:
                watcher.notify(task)
            self._change_key = change_key
        self._misses = 0
        if self._is_failing:
            self._is_failing = False
            for watcher in self.watchers:
                watcher.poll_answered()
        return parsed

    def miss(self) -> bool:
        """Count a poll that lacks the task; too many in a row end the wait of all watchers.

        :return: whether the poll before did not fail.
        """
        self._misses += 1
        error = UnknownTask(self.task_id)
        if self._misses >= MAX_MISSES:
            self.close(error)
        return self.poll_failed(error)

    def poll_failed(self, error: Exception) -> bool:
        """Notify the watchers of a failed poll, and return whether the poll before did not fail for one."""
        self._is_failing = True
        began = [watcher.poll_failed(error) for watcher in self.watchers]
        return any(began)

    def close_final(self) -> None:
        """End the wait of those whose deadline has passed: this was their final poll."""
        for watcher in self.watchers:
            if watcher.awaits_final_poll:
                watcher.close(DeadlineExceeded())

    def close(self, reason: Exception) -> None:
        """End the wait of all watchers."""
        for watcher in self.watchers:
            watcher.close(reason)


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


def query_items(task_ids: Iterable[int]) -> Call[dict[int, dict[str, Any]]]:
    """Query up to 100 tasks; the result has the JSON of each task in the answer by its id."""
    return dataclasses.replace(calls.query_task_info(task_ids), read=_read)  # type: ignore[arg-type, return-value]  # replace() cannot change a type's parameter


_read_page = page_reader(raw_json)


def _read(data: Any) -> dict[int, dict[str, Any]]:
    items = {}
    for item in _read_page(data).items:
        try:
            items[read_id(item["id"])] = item
        except (ParseError, KeyError, TypeError):
            # Without an id it cannot be assigned to a task, which then counts as missing.
            continue
    return items


def _change_key(item: Any) -> Any:
    if type(item) is list:
        return tuple(map(_change_key, item))
    if type(item) is not dict:
        return item
    return (*map(item.get, _FIELDS), _change_key(item.get(_SUB_TASKS)))
