"""Waiting for renders."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSensorTimeout, AirflowSkipException
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_renderbus.api.validation import parse_task_ids, parse_task_statuses
from airflow_provider_renderbus.cancel_on_kill import (
    STALE_STOP_WINDOW,
    CancelOnKillMixin,
    restart_stopped,
    stop_renders,
)
from airflow_provider_renderbus.links import ConsoleLinked
from airflow_provider_renderbus.polling.worker import TaskWorkerPoller
from airflow_provider_renderbus.renders.failed_frames import with_failed_frames
from airflow_provider_renderbus.renders.results import FINISHED, Outcome, WaitResult
from airflow_provider_renderbus.sensors.base import RenderbusSensor
from airflow_provider_renderbus.task_result import add_asset_event_extra, translate_errors
from airflow_provider_renderbus.triggers.tasks import RenderbusTaskTrigger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_renderbus.api.states import TaskStatus
    from airflow_provider_renderbus.api.validation import TaskId
    from airflow_provider_renderbus.hooks.renderbus import RenderbusHook


class RenderbusTaskSensor(ConsoleLinked, CancelOnKillMixin, RenderbusSensor):
    """Wait until renders have finished. A layered one has when all its layers have.

    An end that a retry cannot mend (stopped by a person, no money left, unknown to the farm, wrong key)
    fails at once, without Airflow's retries.

    :param render_task_id: number or alias of the task, or a list of them, which must all arrive (templated).
    :param target_states: the states that are waited for, codes or names; FINISHED where it is left out. With
        FINISHED_TEST (40) among them, the pause after the priority frames is an arrival (templated).
    :param failed_states: the states that count as failed, codes or names; where it is left out, every end
        that is not waited for (templated).
    :param cancel_on_kill: whether the renders are stopped when the Airflow task is killed or its time is
        over; a later try starts them again. In mode "reschedule", Airflow tells nobody of a kill between two
        looks.
    :param deferrable: whether to wait in the triggerer instead of on a worker.
    :param poke_interval: seconds between two looks; ``[renderbus] poll_interval`` where it is left out.
    :param renderbus_conn_id: id of the connection (templated).
    :return: render_task_id, state, frames, cost, duration_seconds, output_folders, console_url and
        failed_frames (:func:`airflow_provider_renderbus.renders.results.summary`); a list of such for a list
        of tasks.
    """

    template_fields = (*RenderbusSensor.template_fields, "render_task_id", "target_states", "failed_states")

    _forgives_until = 0.0

    def __init__(
        self,
        *,
        render_task_id: TaskId | Sequence[TaskId] | XComArg,
        target_states: Sequence[int | str] | XComArg | None = None,
        failed_states: Sequence[int | str] | XComArg | None = None,
        cancel_on_kill: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.render_task_id = render_task_id
        self.target_states = target_states
        self.failed_states = failed_states
        self.cancel_on_kill = cancel_on_kill

    def execute(self, context: Context) -> Any:
        """Show the link, and wait."""
        with self.softly(), translate_errors():
            self._link(context)
            if self.cancel_on_kill:
                self._states()
                self._take_over(context)
        if self.deferrable:
            self.release_renders(context)
        try:
            returned = super().execute(context)
        except (AirflowSensorTimeout, AirflowSkipException):
            if self.cancel_on_kill and self.owned_render_task_ids:
                self.log.warning(
                    "The time to wait is over: %s", stop_renders(self.hook, self.owned_render_task_ids)
                )
            raise
        add_asset_event_extra(context, self.outlets, returned)
        return returned

    def execute_complete(self, context: Context, event: dict[str, Any], deadline: float | None = None) -> Any:
        """Go on when the trigger has reported the end.

        :param context: of the Airflow task.
        :param event: what the trigger reported.
        :param deadline: the moment until which to wait. Airflow's ``dag.test()`` loses it.
        """
        end = WaitResult.from_dict_or_failure(event)
        with translate_errors():
            self._link(context)
            if end.outcome is Outcome.STALE_STOP and deadline is not None:
                self.owned_render_task_ids = self._numbers()
                restart_stopped(self.hook, self.owned_render_task_ids)
                self.release_renders(context)
                self.defer_until(deadline)
        returned = self.conclude(end)
        add_asset_event_extra(context, self.outlets, returned)
        return returned

    def conclude(self, event: WaitResult) -> Any:
        """Return the summaries, or fail with all there is to tell."""
        with translate_errors():
            if self.cancel_on_kill and event.outcome is not Outcome.SUCCEEDED:
                # One that has failed decides for all of a list.
                self.owned_render_task_ids = self._numbers()
                event = self.stop_if_enabled(event)
            self.owned_render_task_ids = ()
            event = with_failed_frames(self.hook, event)
        return super().conclude(event)

    def deferred_render_task_ids(self, context: Context) -> list[int]:
        """Return the numbers that are waited for."""
        return self._numbers()

    def watch(self, hook: RenderbusHook) -> TaskWorkerPoller:
        """Return what looks at the tasks from a worker."""
        return TaskWorkerPoller(
            hook,
            self._numbers(),
            *self._states(),
            ignore_stops_until=self._forgives_until,
            keeps_state=not self.reschedule,
        )

    def trigger(self, deadline: float) -> RenderbusTaskTrigger:
        """Return what waits for the tasks in the triggerer."""
        wanted, failed = self._states()
        return RenderbusTaskTrigger(
            self.renderbus_conn_id,
            self._numbers(),
            sorted(wanted),
            None if failed is None else sorted(failed),
            self.poke_interval,
            deadline,
            cancel_on_kill=self.cancel_on_kill,
            ignore_stops_until=self._forgives_until,
        )

    def result(self, reached: Any) -> Any:
        """Return a single render as such."""
        return reached[0] if self._is_single() else reached

    def _take_over(self, context: Context) -> None:
        """Answer for the renders from now on; those that were stopped with an earlier try are started again.

        A sensor in mode "reschedule" does so at its first look only, or it would undo what a person does.
        """
        self.owned_render_task_ids = self._numbers()
        if context["ti"].try_number > 1 and not (self.reschedule and _has_looked(context)):
            self._forgives_until = time.time() + STALE_STOP_WINDOW
            restart_stopped(self.hook, self.owned_render_task_ids)

    def _link(self, context: Context) -> None:
        """Link the task's page; of a list, the first one's."""
        self.link_console(context, self.hook.console_url(self._numbers()[0]))

    def _is_single(self) -> bool:
        given: Any = self.render_task_id
        return given is None or isinstance(given, str | int)

    def _numbers(self) -> list[int]:
        given: Any = self.render_task_id
        return parse_task_ids("render_task_id", [given] if self._is_single() else given)

    def _states(self) -> tuple[frozenset[TaskStatus], frozenset[TaskStatus] | None]:
        wanted, failed = self.target_states, self.failed_states
        return (
            FINISHED if wanted is None else parse_task_statuses("target_states", wanted),
            None if failed is None else parse_task_statuses("failed_states", failed),
        )


def _has_looked(context: Context) -> bool:
    """Return whether this try of a sensor has looked before, and was rescheduled."""
    ti: Any = context["ti"]
    if AIRFLOW_V_3_0_PLUS:
        return ti.get_first_reschedule_date(context) is not None
    from airflow.models.taskreschedule import TaskReschedule  # noqa: PLC0415 - only Airflow 2 lets a worker
    from airflow.utils.session import create_session  # noqa: PLC0415 - likewise

    this_try = {
        name: getattr(ti, name) for name in ("dag_id", "task_id", "run_id", "map_index", "try_number")
    }
    with create_session() as session:
        return session.query(TaskReschedule.id).filter_by(**this_try).first() is not None
