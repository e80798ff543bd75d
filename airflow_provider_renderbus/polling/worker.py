"""Polls on a worker, one request at a time."""

from __future__ import annotations

import contextlib
import logging
from abc import ABC, abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_renderbus.api.errors import AuthError, InsufficientFunds, RenderbusError, UnknownTask
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.compat import conf
from airflow_provider_renderbus.polling.error_tolerance import MAX_MISSES, PollErrorHandler
from airflow_provider_renderbus.renders.funds import refused_result
from airflow_provider_renderbus.renders.restart import restart_stopped
from airflow_provider_renderbus.renders.results import (
    Outcome,
    WaitResult,
    combine,
    describe,
    evaluate_task,
    permanent_failure,
    timed_out,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from decimal import Decimal

    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.api.states import TaskStatus
    from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
    from airflow_provider_renderbus.renders.conditions import Condition

log = logging.getLogger(__name__)

DEFAULT_POLL_INTERVAL = 30.0
_DEFERRAL_MARGIN = timedelta(minutes=10)


def default_poll_interval() -> float:
    """Return the seconds between polls when a task does not set them: ``[renderbus] poll_interval``."""
    return float(conf.getfloat("renderbus", "poll_interval", fallback=DEFAULT_POLL_INTERVAL))


def deferral_timeout(deadline: float, now: float) -> timedelta:
    """Return the time-out of a deferral whose trigger waits until a deadline.

    The trigger's own result is lost if Airflow's time-out comes first, so it comes ten minutes later.
    """
    return timedelta(seconds=max(0.0, deadline - now)) + _DEFERRAL_MARGIN


class WorkerPoller(ABC):
    """Polls the farm and logs changes.

    :param subject: what is polled, for the log.
    :param keeps_state: whether this object lives until the next poll. If not, as in a sensor in reschedule
        mode, every poll would look like a change, so only the end and every failed poll are logged.
    :ivar last_status: a line about the last poll that was answered, or None before it.
    :ivar scene_name: the scene of the only task that is polled, or None.
    """

    last_status: str | None = None
    scene_name: str | None = None

    def __init__(self, hook: RenderbusHook, subject: str, *, keeps_state: bool) -> None:
        self._hook = hook
        self._keeps_state = keeps_state
        # Misses cannot be counted over polls without state; `_poll_until_found` counts them in one poll.
        max_misses = MAX_MISSES if keeps_state else 1
        self._errors = PollErrorHandler(log, subject, hook.clock.monotonic, max_misses)

    def poll(self) -> WaitResult | None:
        """Return how the wait has ended, or None while it continues, also if the farm does not answer."""
        try:
            # Built outside of the poll: if fields of the connection are invalid, that is not the farm's.
            _ = self._hook.client
        except ValueError as error:
            return permanent_failure(error)
        try:
            result = self._poll_refreshing_key()
        except Exception as error:  # noqa: BLE001 - see error_tolerance
            return self._handle_error(error)
        self._errors.on_success()
        if result is not None and not self._keeps_state:
            log.info(result.message)
        return result

    def poll_until(self, deadline: float, poll_interval: float) -> WaitResult:
        """Poll until the wait has ended or a deadline, in seconds since 1970, has passed."""
        clock = self._hook.clock
        while (result := self.poll()) is None:
            remaining = deadline - clock.now()
            if remaining <= 0:
                return timed_out(self.last_status)
            clock.sleep(min(poll_interval, remaining))
        return result

    def _poll_refreshing_key(self) -> WaitResult | None:
        """Poll, and again with a new access key if the connection has changed: a wait may last for days."""
        poll = self._poll if self._keeps_state else self._poll_until_found
        try:
            return poll()
        except AuthError as error:
            self._hook.refresh_credentials(error)
        return poll()

    def _poll_until_found(self) -> WaitResult | None:
        """Poll again at once if a task is missing, as it can be for a moment."""
        for _ in range(MAX_MISSES - 1):
            with contextlib.suppress(UnknownTask):
                return self._poll()
        return self._poll()

    def _handle_error(self, error: Exception) -> WaitResult | None:
        """Return how an error ends the wait, or None if the wait continues."""
        try:
            self._errors.on_error(error)
        except RenderbusError as refusal:
            return permanent_failure(refusal)
        return None

    @property
    def ignores_api_stop(self) -> bool:
        """Whether the next stop through the API would be ignored, because it was meant for an earlier try."""
        return False

    @abstractmethod
    def _poll(self) -> WaitResult | None: ...


class TaskWorkerPoller(WorkerPoller):
    """Polls tasks until all have reached a target state or one has failed.

    The arguments are those of :func:`airflow_provider_renderbus.renders.results.evaluate_task`.

    :param ignore_stops_until: a stop before this time, in seconds since 1970, was meant for an earlier try.
    :param ignore_api_stop: whether one stop of each task through the API was meant for it too, however late.
    """

    def __init__(
        self,
        hook: RenderbusHook,
        task_ids: Sequence[int],
        target_states: Collection[TaskStatus],
        failed_states: Collection[TaskStatus] | None = None,
        *,
        ignore_stops_until: float = 0.0,
        ignore_api_stop: bool = False,
        max_cost: Decimal | None = None,
        keeps_state: bool = True,
    ) -> None:
        super().__init__(hook, f"Render {', '.join(map(str, task_ids))}", keeps_state=keeps_state)
        self._ignore_stops_until = ignore_stops_until
        self._api_stops_to_ignore = set(task_ids) if ignore_api_stop else set()
        self._max_cost = max_cost
        self._target_states = target_states
        self._failed_states = failed_states
        from airflow_provider_renderbus.renders.progress_log import ProgressLog

        self._progress_logs = {task_id: ProgressLog(max_cost) for task_id in task_ids}
        self._finished: dict[int, WaitResult] = {}

    @property
    def ignores_api_stop(self) -> bool:
        """See :attr:`WorkerPoller.ignores_api_stop`: of one of the tasks."""
        return bool(self._api_stops_to_ignore)

    def _poll(self) -> WaitResult | None:
        pending = [task_id for task_id in self._progress_logs if task_id not in self._finished]
        tasks = self._hook.run(flows.get_tasks(pending))
        for task_id in pending:
            if task_id not in tasks:
                raise UnknownTask(task_id)
            self._note_progress(tasks[task_id])
            ignore_stops = self._hook.clock.now() < self._ignore_stops_until
            result = evaluate_task(
                tasks[task_id],
                self._target_states,
                self._failed_states,
                ignore_stops=ignore_stops,
                ignore_api_stop=task_id in self._api_stops_to_ignore,
                max_cost=self._max_cost,
            )
            if result is None:
                continue
            if result.outcome is Outcome.STALE_STOP:
                try:
                    restart_stopped(self._hook, [task_id], self._max_cost)
                except InsufficientFunds as error:
                    return refused_result(result, error)
                if not ignore_stops:
                    self._api_stops_to_ignore.discard(task_id)
            elif result.outcome is Outcome.SUCCEEDED:
                self._finished[task_id] = result
            else:
                return result
        if len(self._finished) < len(self._progress_logs):
            return None
        return combine([self._finished[task_id] for task_id in self._progress_logs])

    def _note_progress(self, task: TaskInfo) -> None:
        if self._keeps_state:
            self._progress_logs[task.id].write(task, log)
        self.last_status = describe(task)
        if len(self._progress_logs) == 1:
            self.scene_name = task.scene_name


class ConditionWorkerPoller(WorkerPoller):
    """Polls until a condition is met or cannot be met any more."""

    def __init__(self, hook: RenderbusHook, condition: Condition, *, keeps_state: bool = True) -> None:
        super().__init__(hook, condition.query_key, keeps_state=keeps_state)
        self._condition = condition

    def _poll(self) -> WaitResult | None:
        evaluation = self._hook.run(self._condition.check())
        if evaluation.message != self.last_status:
            self.last_status = evaluation.message
            if self._keeps_state:
                log.info(evaluation.message)
        return evaluation.result
