"""A cheap look at a page of tasks: what can be news is compared in the raw JSON, and nothing more is read."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.models.page import page_of
from airflow_provider_renderbus.api.reading import Unreadable, anything, integer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_renderbus.api.call import Call

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
