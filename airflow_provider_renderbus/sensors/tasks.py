"""The sensor that waits for states of renders."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_renderbus.api.validation import (
    parse_decimal,
    parse_task_ids,
    parse_task_statuses,
    require_bool,
)
from airflow_provider_renderbus.cancel_on_kill import CancelOnKillMixin, is_first_try_after_clear
from airflow_provider_renderbus.compat import AIRFLOW_3, AirflowSensorTimeout, AirflowSkipException
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.links import EXTRA_LINKS, push_links
from airflow_provider_renderbus.native_templates import require_rendered
from airflow_provider_renderbus.polling.worker import TaskWorkerPoller
from airflow_provider_renderbus.renders.restart import STALE_STOP_WINDOW, restart_stopped
from airflow_provider_renderbus.renders.results import FINISHED, RECOMMITTABLE, Outcome, WaitResult
from airflow_provider_renderbus.sensors.base import DEFERRABLE, RenderbusSensor
from airflow_provider_renderbus.task_result import add_asset_event_extra, records_end, translate_errors
from airflow_provider_renderbus.triggers.tasks import RenderbusTaskTrigger

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta
    from decimal import Decimal

    from airflow_provider_renderbus.api.states import TaskStatus
    from airflow_provider_renderbus.api.validation import TaskId
    from airflow_provider_renderbus.compat import Context, XComArg

_FAILED_FRAMES_HINT = (
    "Not retrying: a retry would find the same failed frames. To continue this render, recommit them with "
    "RenderbusRecommitFramesOperator or in the web console, and clear this task"
)


class RenderbusTaskSensor(CancelOnKillMixin, RenderbusSensor):
    """Wait until renders have finished; a layered one has finished if all its layers have.

    It fails without Airflow's retries if a retry would fail the same way: the render was stopped by a user,
    lacks funds, has failed frames or is unknown to the farm, or the access key is wrong. A failure names the
    failed frames with the ends of their logs.

    :param render_task_id: id or alias of the render, or a list, of which all must succeed (templated).
    :param target_states: the states to wait for, as codes or names; FINISHED if omitted. With FINISHED_TEST
        (40) among them, the sensor succeeds at the pause after the test frames (templated).
    :param failed_states: the states that count as failed, as codes or names; if omitted, every terminal state
        that is no target state (templated).
    :param max_cost: upper limit of the cost of each render over all its layers, in the account's currency. If
        one exceeds it, the sensor fails without retries, and stops the renders if `cancel_on_kill` is on. The
        cost is checked at each poll, and frames that are running then still cost money (templated).
    :param cancel_on_kill: whether to stop the renders if the Airflow task is killed, fails or times out; a
        later try restarts them. In mode "reschedule", Airflow notifies nobody of a kill between two polls.
    :param deferrable: whether to wait in the triggerer instead of on a worker.
    :param poke_interval: seconds between polls; ``[renderbus] poll_interval`` if omitted.
    :param renderbus_conn_id: id of the connection (templated).
    :return: render_task_id, state, frames, cost, duration_seconds, output_folders, console_url,
        failed_frames and forecast (:func:`airflow_provider_renderbus.renders.results.summary`); for a list, a
        list.
    """

    template_fields = (
        *RenderbusSensor.template_fields,
        "render_task_id",
        "target_states",
        "failed_states",
        "max_cost",
    )
    operator_extra_links = EXTRA_LINKS

    ended_wait: WaitResult | None = None
    """The end of the wait, for the record of a failure."""
    shot: str | None = None
    """The name of what is rendered, if it is known."""
    _ignore_stops_until = 0.0
    _ignore_api_stop = False

    def __init__(
        self,
        *,
        render_task_id: TaskId | Sequence[TaskId] | XComArg,
        target_states: Sequence[int | str] | XComArg | None = None,
        failed_states: Sequence[int | str] | XComArg | None = None,
        max_cost: Decimal | float | str | XComArg | None = None,
        cancel_on_kill: bool = False,
        deferrable: bool = DEFERRABLE,
        poke_interval: float | timedelta | None = None,
        renderbus_conn_id: str = RenderbusHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            deferrable=deferrable,
            poke_interval=poke_interval,
            renderbus_conn_id=renderbus_conn_id,
            **kwargs,
        )
        self.render_task_id = render_task_id
        self.target_states = target_states
        self.failed_states = failed_states
        self.max_cost = max_cost
        self.cancel_on_kill = require_bool("cancel_on_kill", cancel_on_kill)

    @records_end
    def execute(self, context: Context) -> Any:
        """Set the console link, and wait."""
        with self.skip_on_soft_fail(), translate_errors():
            # Without a client nothing can be stopped either.
            _ = self.hook.client
            self._set_link(context)
            if self.cancel_on_kill:
                self.note_start(context)
                self._wait_states()
                self._max_cost()
                self._reattach(context)
        try:
            try:
                returned = super().execute(context)
            finally:
                poller = self.__dict__.get("_poller")  # none was made if an argument is wrong
                self._show_shot_name(context, poller and poller.scene_name)
        except (AirflowSensorTimeout, AirflowSkipException):
            if self.cancel_on_kill and self.owned_render_task_ids:
                self.log.warning("Timed out: %s", self.stop_owned_renders())
            raise
        add_asset_event_extra(context, self.outlets, returned)
        return returned

    @records_end
    def execute_complete(self, context: Context, event: dict[str, Any], deadline: float | None = None) -> Any:
        """Continue after the trigger has fired.

        :param context: of the Airflow task.
        :param event: what the trigger sent.
        :param deadline: until when to wait. Airflow's ``dag.test()`` loses it.
        """
        wait_result = WaitResult.from_dict_or_failure(event)
        if self._is_single():
            self._show_shot_name(context, wait_result.first_result.get("scene"))
        with translate_errors():
            self._set_link(context)
            if wait_result.outcome is Outcome.STALE_STOP and deadline is not None:
                self.owned_render_task_ids = self._task_ids()
                restart_stopped(self.hook, self.owned_render_task_ids, self._max_cost())
                self.defer_until(context, deadline)
        if wait_result.is_unread and deadline is not None:
            self.owned_render_task_ids = self._task_ids() if self.cancel_on_kill else ()
            returned = self.poll_on_worker(deadline)
        else:
            returned = self.result_or_raise(wait_result)
        add_asset_event_extra(context, self.outlets, returned)
        return returned

    def defer_until(self, context: Context, deadline: float) -> NoReturn:
        """Wait in the triggerer, which owns the renders from now on."""
        self.release_renders(context)
        super().defer_until(context, deadline)

    def result_or_raise(self, wait_result: WaitResult) -> Any:
        """Return the summaries, or fail with all details; stop the renders if `cancel_on_kill` is set."""
        with translate_errors():
            outcome = wait_result.outcome
            self.hook.wait_to_be_killed()  # a newer try may have caused this end
            if outcome is Outcome.OVER_BUDGET or (self.cancel_on_kill and outcome is not Outcome.SUCCEEDED):
                # One failed render ends the wait for all of a list.
                self.owned_render_task_ids = self._task_ids()
                wait_result = self.stop_if_enabled(wait_result)
            self.owned_render_task_ids = ()
            if outcome is Outcome.FAILED_PERMANENTLY and wait_result.state in RECOMMITTABLE:
                message = f"{wait_result.message}. {_FAILED_FRAMES_HINT}"
                wait_result = dataclasses.replace(wait_result, message=message)
            from airflow_provider_renderbus.renders.failure_report import add_failure_report
            from airflow_provider_renderbus.renders.forecast import add_forecast

            wait_result = add_forecast(self.hook, add_failure_report(self.hook, wait_result))
        self.ended_wait = wait_result
        return super().result_or_raise(wait_result)

    def wait_on_worker(self, context: Context, task_ids: Sequence[int]) -> Any:
        """Wait for renders whose trigger has failed."""
        with self.skip_on_soft_fail(), translate_errors():
            self._set_link(context)
            if self.cancel_on_kill:
                self._reattach(context)
        returned = self.poll_on_worker(self.hook.clock.now() + self.timeout)
        add_asset_event_extra(context, self.outlets, returned)
        return returned

    def deferred_render_task_ids(self, context: Context) -> list[int]:
        """Return the renders that the sensor waits for."""
        return self._task_ids()

    def make_poller(self, hook: RenderbusHook) -> TaskWorkerPoller:
        """Return what polls on a worker."""
        return TaskWorkerPoller(
            hook,
            self._task_ids(),
            *self._wait_states(),
            ignore_stops_until=self._ignore_stops_until,
            ignore_api_stop=self._ignore_api_stop,
            max_cost=self._max_cost(),
            keeps_state=not self.reschedule,
        )

    def make_trigger(self, deadline: float) -> RenderbusTaskTrigger:
        """Return the trigger that waits until a deadline."""
        target_states, failed_states = self._wait_states()
        max_cost = self._max_cost()
        return RenderbusTaskTrigger(
            self.renderbus_conn_id,
            self._task_ids(),
            sorted(target_states),
            None if failed_states is None else sorted(failed_states),
            self.poke_interval,
            deadline,
            cancel_on_kill=self.cancel_on_kill,
            ignore_stops_until=self._ignore_stops_until,
            max_cost=None if max_cost is None else str(max_cost),
            stop_over_budget=self.cancel_on_kill,
            ignore_api_stop=self._ignore_api_stop and self._poller.ignores_api_stop,
        )

    def build_result(self, value: Any) -> Any:
        """Return the summary itself for a single render."""
        return value[0] if self._is_single() else value

    def _reattach(self, context: Context) -> None:
        """Own the renders from now on, and restart those that were stopped with an earlier try.

        In mode "reschedule", only the first poll of a try does so, or it would undo a user's stop.
        """
        self.owned_render_task_ids = self._task_ids()
        if context["ti"].try_number > 1 and not (self.reschedule and _was_rescheduled(context)):
            self._ignore_stops_until = self.hook.clock.now() + STALE_STOP_WINDOW
            self._ignore_api_stop = True
            restart_stopped(
                self.hook,
                self.owned_render_task_ids,
                self._max_cost(),
                undo_manual_stops=is_first_try_after_clear(context),
            )

    def _max_cost(self) -> Decimal | None:
        require_rendered(self, ["max_cost"])
        return None if self.max_cost is None else parse_decimal("max_cost", self.max_cost, above_zero=True)

    def _show_shot_name(self, context: Context, scene: str | None) -> None:
        """Name a mapped sensor after the scene of its only render."""
        from airflow_provider_renderbus.shot_names import scene_stem, show_shot_name

        self.shot = scene_stem(scene) or self.shot
        show_shot_name(context, self.shot)

    def _set_link(self, context: Context) -> None:
        """Link the console page of the render, of a list that of the first, and the frames of all."""
        task_ids = self._task_ids()
        push_links(self, context, self.hook.console_url(task_ids[0]), task_ids)
        from airflow_provider_renderbus.render_record import push_start

        push_start(self, context, task_ids)

    def _is_single(self) -> bool:
        value: Any = self.render_task_id
        return value is None or isinstance(value, str | int)

    def _task_ids(self) -> list[int]:
        value: Any = self.render_task_id
        return parse_task_ids("render_task_id", [value] if self._is_single() else value)

    def _wait_states(self) -> tuple[frozenset[TaskStatus], frozenset[TaskStatus] | None]:
        """Return target and failed states."""
        target, failed = self.target_states, self.failed_states
        return (
            FINISHED if target is None else parse_task_statuses("target_states", target),
            None if failed is None else parse_task_statuses("failed_states", failed),
        )


def _was_rescheduled(context: Context) -> bool:
    """Return whether this try of a sensor has polled before, and was rescheduled."""
    ti: Any = context["ti"]
    if AIRFLOW_3:
        return ti.get_first_reschedule_date(context) is not None
    from airflow.models.taskreschedule import TaskReschedule  # only on Airflow 2
    from airflow.utils.session import create_session

    this_try = {
        name: getattr(ti, name) for name in ("dag_id", "task_id", "run_id", "map_index", "try_number")
    }
    with create_session() as session:
        return session.query(TaskReschedule.id).filter_by(**this_try).first() is not None
