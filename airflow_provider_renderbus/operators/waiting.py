"""Waiting for the end of a render, on a worker or in the triggerer, over all that may come in between."""

from __future__ import annotations

import time
from abc import abstractmethod
from dataclasses import asdict, replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import AirflowFailException, conf

from airflow_provider_renderbus.api.validation import parse_seconds
from airflow_provider_renderbus.cancel_on_kill import CancelOnKillMixin, execution_deadline
from airflow_provider_renderbus.links import ConsoleLinkMixin
from airflow_provider_renderbus.operators.base import RenderbusOperator
from airflow_provider_renderbus.polling.worker import (
    TaskWorkerPoller,
    default_poll_interval,
    deferral_timeout,
)
from airflow_provider_renderbus.renders import submit as steps
from airflow_provider_renderbus.renders.failed_frames import with_failed_frames
from airflow_provider_renderbus.renders.restart import STALE_STOP_WINDOW
from airflow_provider_renderbus.renders.results import Outcome, VersionMismatch, WaitResult, timed_out
from airflow_provider_renderbus.renders.wait_state import Wait
from airflow_provider_renderbus.task_result import add_asset_event_extra, result_or_raise, translate_errors
from airflow_provider_renderbus.triggers.tasks import RenderbusTaskTrigger

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_renderbus.api.states import TaskStatus
    from airflow_provider_renderbus.polling.worker import WorkerPoller
    from airflow_provider_renderbus.triggers.base import RenderbusTrigger

_WEEK = timedelta(days=7)


class WaitingOperator(ConsoleLinkMixin, CancelOnKillMixin, RenderbusOperator):
    """An operator that can wait for the end of a render, on a worker or in the triggerer.

    :param poll_interval: seconds between two looks; ``[renderbus] poll_interval`` where it is left out.
    :param timeout: seconds, or a timedelta, that a try waits for the end at most. Airflow's
        ``execution_timeout``, which it does not heed while a task is deferred, counts likewise.
    :param max_duration: seconds, or a timedelta, that a render may take from its submit, over all tries.
    :param cancel_on_kill: whether the render is stopped when the Airflow task is killed or its time is over.
    :param deferrable: whether to wait in the triggerer instead of on a worker.
    :param renderbus_conn_id: id of the connection (templated).
    """

    def __init__(
        self,
        *,
        poll_interval: float | None = None,
        timeout: float | timedelta = _WEEK,
        max_duration: float | timedelta | None = None,
        cancel_on_kill: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.poll_interval = poll_interval
        self.timeout = _time("timeout", timeout)
        self.max_duration = None if max_duration is None else _time("max_duration", max_duration)
        self.cancel_on_kill = cancel_on_kill
        self.deferrable = deferrable

    @abstractmethod
    def states(self, wait: Wait) -> tuple[Collection[TaskStatus], Collection[TaskStatus] | None]:
        """Return the states that are waited for, and those that count as failed where not all others do.

        :param wait: what is waited for.
        """

    @abstractmethod
    def go_on(self, context: Context, event: WaitResult, wait: Wait) -> Wait | None:
        """Do what makes a render go on that came to a halt, and return what to wait for then.

        :param context: of the Airflow task.
        :param event: how the waiting ended.
        :param wait: what was waited for.
        :return: None where it is over.
        """

    def interval(self) -> float:
        """Return the seconds between two looks.

        :raises ValueError: `poll_interval` is no number of seconds. What could not be deferred must be known
            before anything is submitted.
        """
        return parse_seconds(
            "poll_interval", default_poll_interval() if self.poll_interval is None else self.poll_interval
        )

    def wait(
        self, context: Context, number: int, *, max_cost: Decimal | None, taken_up: bool
    ) -> dict[str, Any]:
        """Wait for the end of a render, here or deferred, and return its summary.

        :param context: of the Airflow task.
        :param number: the task's number.
        :param max_cost: what it may cost, in the account's currency.
        :param taken_up: whether an earlier try began it, whose stop may still be on its way.
        """
        self.owned_render_task_ids = [number]
        now = time.time()
        ends = [now + self.timeout.total_seconds()]
        if self.deferrable:
            ends.append(execution_deadline(self, context, now))
        over_at = None
        if self.max_duration is not None:
            with translate_errors(), self.stop_renders_on_error():
                over_at = steps.submit_time(self.hook, number) + self.max_duration.total_seconds()
            ends.append(over_at)
        wait = Wait(
            number,
            self.interval(),
            min(ends),
            over_at,
            forgives_until=now + STALE_STOP_WINDOW if taken_up else 0.0,
            max_cost=None if max_cost is None else str(max_cost),
            recommit_may_be_sent=taken_up,
        )
        return self.wait_for_end(context, wait)

    def wait_for_end(self, context: Context, wait: Wait) -> dict[str, Any]:
        """Wait for the end of a render over all halts from which it goes on, and return its summary.

        :param context: of the Airflow task.
        :param wait: what is waited for.
        """
        while True:
            event = self._one_end(context, wait)
            further = self._further(context, event, wait)
            if further is None:
                return self._concluded(context, event, wait)
            wait = further

    def _one_end(self, context: Context, wait: Wait) -> WaitResult:
        wanted, failed = self.states(wait)
        if self.deferrable:
            trigger = RenderbusTaskTrigger(
                self.renderbus_conn_id,
                [wait.number],
                sorted(wanted),
                None if failed is None else sorted(failed),
                wait.interval,
                wait.deadline,
                cancel_on_kill=self.cancel_on_kill,
                ignore_stops_until=wait.forgives_until,
                max_cost=wait.max_cost,
            )
            self.wait_in_triggerer(context, trigger, self.execute_complete.__name__, wait)
        watch = TaskWorkerPoller(
            self.hook,
            [wait.number],
            wanted,
            failed,
            ignore_stops_until=wait.forgives_until,
            max_cost=None if wait.max_cost is None else Decimal(wait.max_cost),
        )
        return self.wait_here(watch, wait)

    def wait_in_triggerer(
        self, context: Context, trigger: RenderbusTrigger, method: str, wait: Wait
    ) -> NoReturn:
        """Hand a wait over to the triggerer.

        :param context: of the Airflow task.
        :param trigger: what waits there.
        :param method: name of the method that goes on afterwards.
        :param wait: what is waited for.
        """
        self.release_renders(context)
        self.defer(
            trigger=trigger,
            method_name=method,
            kwargs={"wait": asdict(wait)},
            timeout=deferral_timeout(wait.deadline),
        )

    def wait_here(self, watch: WorkerPoller, wait: Wait) -> WaitResult:
        """Look until there is an end or the time is over.

        :param watch: what looks.
        :param wait: what is waited for.
        """
        while (event := watch.poll()) is None:
            if time.time() >= wait.deadline:
                return timed_out(watch.last_status)
            self.hook.clock.sleep(min(wait.interval, max(0.0, wait.deadline - time.time())))
        return event

    def execute_complete(
        self, context: Context, event: dict[str, Any], wait: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Go on when the trigger has reported the end.

        :param context: of the Airflow task.
        :param event: what the trigger reported.
        :param wait: what was waited for. Airflow's ``dag.test()`` loses it; what was pushed before the
            deferral is the link then.
        """
        return self.after(context, *self.resumed(context, event, wait))

    def resumed(
        self, context: Context, event: dict[str, Any], wait: dict[str, Any] | None
    ) -> tuple[WaitResult, Wait | None]:
        """Answer for the render again after a deferral, and return how it ended and what was waited for.

        Where another version of this provider kept something else the render is given up: the next try takes
        it up and waits anew.

        :param context: of the Airflow task.
        :param event: what the trigger reported.
        :param wait: what was kept for the resumption.
        """
        try:
            waited = None if wait is None else Wait.read(wait)
        except VersionMismatch as problem:
            with translate_errors():
                self.owned_render_task_ids = self.deferred_render_task_ids(context)
                return self.stop_if_enabled(WaitResult(Outcome.FAILED, str(problem))), None
        if waited:
            with translate_errors():
                self.push_console_url(context, self.hook.console_url(waited.number))
            self.owned_render_task_ids = [waited.number]
        return WaitResult.from_dict_or_failure(event), waited

    def after(self, context: Context, event: WaitResult, wait: Wait | None) -> dict[str, Any]:
        """Return the result of a wait that is over, or go on with one that is not.

        :param context: of the Airflow task.
        :param event: how the waiting ended.
        :param wait: what was waited for; None where Airflow has lost it.
        """
        further = self._further(context, event, wait)
        return self.wait_for_end(context, further) if further else self._concluded(context, event, wait)

    def _further(self, context: Context, event: WaitResult, wait: Wait | None) -> Wait | None:
        if wait is None:
            return None
        with translate_errors(), self.stop_renders_on_error():
            return self.go_on(context, event, wait)

    def _concluded(self, context: Context, event: WaitResult, wait: Wait | None) -> dict[str, Any]:
        if wait and self.is_too_dear(event, wait):
            event = replace(event, outcome=Outcome.OVER_BUDGET)
        event = self.with_way_out(event)
        with translate_errors():
            if wait and event.result is None:
                event = self._seen_at_last(self.stop_if_enabled(event), wait)
            elif wait and event.outcome is Outcome.OVER_BUDGET:
                event = self.stop_and_annotate(event)
            event = with_failed_frames(self.hook, event)
        if wait and wait.over_at and event.outcome is Outcome.TIMED_OUT and time.time() >= wait.over_at:
            raise AirflowFailException(f"{event.message}; max_duration ({self.max_duration}) is over")
        result = self.deliver(context, result_or_raise(event)[0])
        add_asset_event_extra(context, self.outlets, result)
        return result

    def _seen_at_last(self, event: WaitResult, wait: Wait) -> WaitResult:
        """Return the success of a render that was given up and had finished all the same, else the event."""
        late = TaskWorkerPoller(self.hook, [wait.number], self.states(wait)[0]).poll()
        return late if late is not None and late.outcome is Outcome.SUCCEEDED else event

    def is_too_dear(self, event: WaitResult, wait: Wait) -> bool:
        """Return whether a render came to a halt that is not made to go on, for it has cost too much.

        :param event: how the waiting ended.
        :param wait: what was waited for.
        """
        return False

    def with_way_out(self, event: WaitResult) -> WaitResult:
        """Return an end that every retry would meet again as one for good, with what a person can do.

        :param event: how the waiting ended.
        """
        return event

    def deliver(self, context: Context, result: dict[str, Any]) -> dict[str, Any]:
        """Return what the operator returns for a render that has reached what was wanted.

        :param context: of the Airflow task.
        :param result: the render's summary.
        """
        return result


def _time(argument: str, value: float | timedelta) -> timedelta:
    """Return a positive time; a render that has none would be paid and stopped at the first look."""
    given = value.total_seconds() if isinstance(value, timedelta) else value
    return timedelta(seconds=parse_seconds(argument, given))
