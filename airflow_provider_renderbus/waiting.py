"""Waiting for a render on a worker: one look at a time."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import conf

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import RenderbusError, is_refusal, unknown_task
from airflow_provider_renderbus.triggers.events import RenderEvent, judge, unable
from airflow_provider_renderbus.triggers.progress import ProgressLines

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow_provider_renderbus.api.states import TaskStatus
    from airflow_provider_renderbus.hooks.renderbus import RenderbusHook

log = logging.getLogger(__name__)

DEFAULT_POLL_INTERVAL = 30.0


def poll_interval() -> float:
    """Return the seconds between two looks where a task sets none: ``[renderbus] poll_interval``."""
    return float(conf.getfloat("renderbus", "poll_interval", fallback=DEFAULT_POLL_INTERVAL))


class Watch:
    """Looks at one render, and writes to the task's log what is worth a line.

    :param hook: the farm's hook.
    :param number: the task's number.
    :param wanted: the states that are waited for.
    """

    def __init__(self, hook: RenderbusHook, number: int, wanted: Collection[TaskStatus]) -> None:
        self._hook = hook
        self._number = number
        self._wanted = wanted
        self._lines = ProgressLines()

    def look(self) -> RenderEvent | None:
        """Return how the waiting has ended, or None while it goes on.

        A farm that does not answer ends nothing: not to know is not to have failed.
        """
        try:
            task = self._hook.send(calls.query_task_info([self._number])).get(self._number)
            if task is None:
                raise unknown_task(self._number)
        except RenderbusError as problem:
            if is_refusal(problem):
                return unable(self._number, problem)
            log.warning("The farm cannot be asked; it will be asked again: %s", problem)
            return None
        line = self._lines.line(task)
        if line:
            log.info(line)
        return judge(task, self._wanted)
