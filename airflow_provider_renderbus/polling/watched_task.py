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
from airflow_provider_renderbus.polling.error_tolerance import LOOKS_WITHOUT_IT
from airflow_provider_renderbus.polling.watchers import DeadlinePassed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_renderbus.api.call import Call
    from airflow_provider_renderbus.polling.watchers import Watcher

log = logging.getLogger(__name__)


class Watched:
    """A task, those who watch it, and what was seen of it last.

    :param number: the task's number.
    :ivar look: the number of the look that was taken in last.
    :ivar missing: how many looks in a row were without it.
    """

    __slots__ = ("_fingerprint", "look", "missing", "number", "watchers")

    def __init__(self, number: int) -> None:
        self.number = number
        self.watchers: list[Watcher] = []
        self.look = 0
        self.missing = 0
        self._fingerprint: Any = None

    def take_in(self, glance: Glance | None) -> bool:
        """Tell the watchers what is news to them, and return whether there was anything to read.

        :param glance: the task as the farm told of it, or None where its answer is short of it.
        """
        if glance is None:
            self.missing += 1
            if self.missing >= LOOKS_WITHOUT_IT:
                self.end(UnknownTask(self.number))
            read = False
        else:
            self.missing = 0
            read = self._read(glance)
        self.end_urgent()
        return read

    def end_urgent(self) -> None:
        """End the waiting of those who wanted one more look: they have had it."""
        for watcher in self.watchers:
            if watcher.urgent:
                watcher.end(DeadlinePassed())

    def end(self, reason: Exception) -> None:
        """End the waiting of all its watchers."""
        for watcher in self.watchers:
            watcher.end(reason)

    def _read(self, glance: Glance) -> bool:
        """Make a model of the task where somebody hears of it; that costs a hundred times a glance."""
        changed = glance.fingerprint != self._fingerprint
        if not changed and not any(watcher.eager for watcher in self.watchers):
            return False
        self._fingerprint = glance.fingerprint
        try:
            task = read_task(glance.item)
        except Unreadable as problem:
            if changed:
                log.warning("%s", BadAnswer("query_task_info", f"task {self.number}: {problem}"))
        else:
            for watcher in self.watchers:
                watcher.hear(task)
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


class Glance(NamedTuple):
    """A task in a page.

    :param fingerprint: differs from the one before where state, frames or cost differ.
    :param item: the task as the farm wrote it.
    """

    fingerprint: Any
    item: dict[str, Any]


def glances(numbers: Iterable[int]) -> Call[dict[int, Glance]]:
    """Ask for tasks by number; the answer holds those that the farm told of, by their number.

    :param numbers: at most 100.
    """
    return dataclasses.replace(calls.query_task_info(numbers), read=_read)  # type: ignore[arg-type, return-value]  # replace() cannot change a type's parameter


_read_page = page_of(anything)


def _read(data: Any) -> dict[int, Glance]:
    found = {}
    for item in _read_page(data).items:
        try:
            found[integer(item["id"])] = Glance(_fingerprint(item), item)
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
