"""Waiting on a worker: one look at a time."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import conf

from airflow_provider_renderbus.api.errors import RenderbusError, is_refusal, unknown_task
from airflow_provider_renderbus.clients import sequences
from airflow_provider_renderbus.triggers.events import End, Event, judge, unable
from airflow_provider_renderbus.triggers.progress import ProgressLines

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from airflow_provider_renderbus.api.states import TaskStatus
    from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
    from airflow_provider_renderbus.triggers.conditions import Condition

log = logging.getLogger(__name__)

DEFAULT_POLL_INTERVAL = 30.0
# Airflow's own time-out of a deferral loses the trigger's report, so it only stands behind the deadline.
DEFERRAL_NET = timedelta(minutes=10)


def poll_interval() -> float:
    """Return the seconds between two looks where a task sets none: ``[renderbus] poll_interval``."""
    return float(conf.getfloat("renderbus", "poll_interval", fallback=DEFAULT_POLL_INTERVAL))


class Watch(ABC):
    """Looks at something on the farm, and writes to the task's log what is worth a line.

    :param hook: the farm's hook.
    """

    def __init__(self, hook: RenderbusHook) -> None:
        self._hook = hook

    def look(self) -> Event | None:
        """Return how the waiting has ended, or None while it goes on.

        A farm that does not answer ends nothing: not to know is not to have failed.
        """
        try:
            return self._look()
        except RenderbusError as problem:
            if is_refusal(problem):
                return unable(problem)
            log.warning("The farm cannot be asked; it will be asked again: %s", problem)
            return None

    @abstractmethod
    def _look(self) -> Event | None: ...


class TaskWatch(Watch):
    """Looks at tasks until all have reached a state or one has failed to.

    :param hook: the farm's hook.
    :param numbers: the tasks' numbers.
    :param wanted: the states that are waited for.
    :param failed: the states that count as failed; None for every end that is not wanted.
    """

    def __init__(
        self,
        hook: RenderbusHook,
        numbers: Sequence[int],
        wanted: Collection[TaskStatus],
        failed: Collection[TaskStatus] | None = None,
    ) -> None:
        super().__init__(hook)
        self._wanted = wanted
        self._failed = failed
        self._lines = {number: ProgressLines() for number in numbers}
        self._reached: dict[int, Event] = {}

    def _look(self) -> Event | None:
        open_ = [number for number in self._lines if number not in self._reached]
        tasks = self._hook.run(sequences.task_infos(open_))
        for number in open_:
            if number not in tasks:
                raise unknown_task(number)
            if line := self._lines[number].line(tasks[number]):
                log.info(line)
            event = judge(tasks[number], self._wanted, self._failed)
            if event is not None and event.end is not End.REACHED:
                return event
            if event is not None:
                self._reached[number] = event
        if len(self._reached) < len(self._lines):
            return None
        events = [self._reached[number] for number in self._lines]
        results = [event.result for event in events if isinstance(event.result, dict)]
        return Event(End.REACHED, "; ".join(event.message for event in events), results)


class ConditionWatch(Watch):
    """Looks until a condition is met, or cannot be met any more.

    :param hook: the farm's hook.
    :param condition: what is waited for.
    """

    def __init__(self, hook: RenderbusHook, condition: Condition) -> None:
        super().__init__(hook)
        self._condition = condition
        self._news: str | None = None

    def _look(self) -> Event | None:
        look = self._hook.run(self._condition.look())
        if look.news != self._news:
            self._news = look.news
            log.info(look.news)
        return look.end
