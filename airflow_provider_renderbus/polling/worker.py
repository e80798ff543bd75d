"""Waiting on a worker: one look at a time."""

from __future__ import annotations

import contextlib
import logging
import time
from abc import ABC, abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import conf

from airflow_provider_renderbus.api.errors import AuthError, RenderbusError, UnknownTask, is_refusal
from airflow_provider_renderbus.cancel_on_kill import start_again
from airflow_provider_renderbus.clients import flows as sequences
from airflow_provider_renderbus.polling.error_tolerance import MAX_MISSES, PollErrorHandler
from airflow_provider_renderbus.renders.progress_log import ProgressLines
from airflow_provider_renderbus.renders.results import End, Event, describe, judge, together, unable

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from decimal import Decimal

    from airflow_provider_renderbus.api.states import TaskStatus
    from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
    from airflow_provider_renderbus.renders.conditions import Condition

log = logging.getLogger(__name__)

DEFAULT_POLL_INTERVAL = 30.0
_DEFERRAL_NET = timedelta(minutes=10)


def default_poll_interval() -> float:
    """Return the seconds between two looks where a task sets none: ``[renderbus] poll_interval``."""
    return float(conf.getfloat("renderbus", "poll_interval", fallback=DEFAULT_POLL_INTERVAL))


def deferral_timeout(deadline: float) -> timedelta:
    """Return the time-out of a deferral whose trigger waits until a deadline.

    Airflow's own time-out loses the trigger's report, so it only stands behind the deadline.

    :param deadline: in seconds since 1970.
    """
    return timedelta(seconds=max(0.0, deadline - time.time())) + _DEFERRAL_NET


class WorkerPoller(ABC):
    """Looks at something on the farm, and writes to the task's log what is worth a line.

    :param hook: the farm's hook.
    :param keeps_state: whether this object lives on to the next poll. If not, as in a sensor that is
        rescheduled, each look would be news to it, so only the end is.

    `last_seen` is a line about what the last look that was answered has shown, or None where none was.
    """

    last_status: str | None = None

    def __init__(self, hook: RenderbusHook, *, keeps_state: bool = True) -> None:
        self._hook = hook
        self._remembers = keeps_state
        self._patience = PollErrorHandler(log)

    def poll(self) -> Event | None:
        """Return how the waiting has ended, or None while it goes on.

        A farm that does not answer ends nothing: not to know is not to have failed.
        """
        try:
            event = self._look_with_any_key()
        except ValueError as problem:
            return unable(problem)
        except RenderbusError as problem:
            return self._bear(problem)
        self._patience.on_success()
        if event is not None and not self._remembers:
            log.info(event.message)
        return event

    def _look_with_any_key(self) -> Event | None:
        """Look, and once more where the key was changed meanwhile: a wait may last for days."""
        look = self._poll if self._remembers else self._insist
        try:
            return look()
        except AuthError as refusal:
            self._hook.renew(refusal)
        return look()

    def _insist(self) -> Event | None:
        """Look again at once where a task is missing, for the next look will not know of this one."""
        for _ in range(MAX_MISSES - 1):
            with contextlib.suppress(UnknownTask):
                return self._poll()
        return self._poll()

    def _bear(self, problem: RenderbusError) -> Event | None:
        """Return the end that an error brings, or None where the wait goes on."""
        if not self._remembers:
            return unable(problem) if is_refusal(problem) else None
        try:
            self._patience.on_error(problem)
        except RenderbusError as refusal:
            return unable(refusal)
        return None

    def _tell(self, line: str | None) -> None:
        if line and self._remembers:
            log.info(line)

    @abstractmethod
    def _poll(self) -> Event | None: ...


class TaskWorkerPoller(WorkerPoller):
    """Looks at tasks until all have reached a state or one has failed to.

    :param hook: the farm's hook.
    :param task_ids: the tasks' numbers.
    :param target_states: the states that are waited for.
    :param failed_states: the states that count as failed; None for every end that is not wanted.
    :param ignore_stops_until: until this moment, in seconds since 1970, a stop is that of an earlier try.
    :param max_cost: what each task may cost, in the account's currency.
    :param keeps_state: whether this object lives on to the next look.
    """

    def __init__(
        self,
        hook: RenderbusHook,
        task_ids: Sequence[int],
        target_states: Collection[TaskStatus],
        failed_states: Collection[TaskStatus] | None = None,
        *,
        ignore_stops_until: float = 0.0,
        max_cost: Decimal | None = None,
        keeps_state: bool = True,
    ) -> None:
        super().__init__(hook, keeps_state=keeps_state)
        self._forgives_until = ignore_stops_until
        self._max_cost = max_cost
        self._wanted = target_states
        self._failed = failed_states
        self._lines = {number: ProgressLines() for number in task_ids}
        self._reached: dict[int, Event] = {}

    def _poll(self) -> Event | None:
        open_ = [number for number in self._lines if number not in self._reached]
        tasks = self._hook.run(sequences.task_infos(open_))
        for number in open_:
            if number not in tasks:
                raise UnknownTask(number)
            self._tell(self._lines[number].line(tasks[number]))
            self.last_status = describe(tasks[number])
            forgiving = time.time() < self._forgives_until
            event = judge(
                tasks[number], self._wanted, self._failed, forgiving=forgiving, max_cost=self._max_cost
            )
            if event is not None and event.end is End.STOPPED_EARLY:
                start_again(self._hook, [number])
                continue
            if event is not None and event.end is not End.REACHED:
                return event
            if event is not None:
                self._reached[number] = event
        if len(self._reached) < len(self._lines):
            return None
        return together([self._reached[number] for number in self._lines])


class ConditionWorkerPoller(WorkerPoller):
    """Looks until a condition is met, or cannot be met any more.

    :param hook: the farm's hook.
    :param condition: what is waited for.
    :param keeps_state: whether this object lives on to the next look.
    """

    def __init__(self, hook: RenderbusHook, condition: Condition, *, keeps_state: bool = True) -> None:
        super().__init__(hook, keeps_state=keeps_state)
        self._condition = condition

    def _poll(self) -> Event | None:
        look = self._hook.run(self._condition.look())
        if look.news != self.last_status:
            self.last_status = look.news
            self._tell(look.news)
        return look.end
