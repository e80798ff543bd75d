"""Waiting for a render."""

from __future__ import annotations

import functools
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_renderbus.api.arguments import task_number
from airflow_provider_renderbus.api.outcomes import FINISHED
from airflow_provider_renderbus.ends import airflow_failures, conclude
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.triggers.events import End, RenderEvent
from airflow_provider_renderbus.triggers.tasks import RenderbusTaskTrigger
from airflow_provider_renderbus.waiting import Watch, poll_interval

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_renderbus.api.arguments import TaskNumber

# Airflow's own time-out of a deferral loses the trigger's report, so it only stands behind the deadline.
_NET = timedelta(minutes=10)


class RenderbusTaskSensor(BaseSensorOperator):
    """Wait until a render has finished. A layered one has when all its layers have.

    An end that a retry cannot mend (stopped by a person, no money left, unknown to the farm, wrong key)
    fails at once, without Airflow's retries.

    :param render_task_id: number or alias of the task (templated).
    :param deferrable: whether to wait in the triggerer instead of on a worker.
    :param poke_interval: seconds between two looks; ``[renderbus] poll_interval`` where it is left out.
    :param renderbus_conn_id: id of the connection (templated).
    :return: number, state, frames, cost, seconds and outputs
        (:func:`airflow_provider_renderbus.api.outcomes.summary`).
    """

    template_fields = ("renderbus_conn_id", "render_task_id")
    ui_color = "#dcebf4"

    def __init__(
        self,
        *,
        render_task_id: TaskNumber | XComArg,
        renderbus_conn_id: str = RenderbusHook.default_conn_name,
        poke_interval: float | timedelta | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poll_interval() if poke_interval is None else poke_interval, **kwargs)
        self.render_task_id = render_task_id
        self.renderbus_conn_id = renderbus_conn_id
        self.deferrable = deferrable

    def execute(self, context: Context) -> Any:
        """Wait in the triggerer, or poke."""
        if self.deferrable:
            self.defer(
                trigger=RenderbusTaskTrigger(
                    self.renderbus_conn_id,
                    self._number(),
                    sorted(FINISHED),
                    self.poke_interval,
                    time.time() + self.timeout,
                ),
                method_name=self.execute_complete.__name__,
                timeout=timedelta(seconds=self.timeout) + _NET,
            )
        return super().execute(context)

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once."""
        event = self._watch.look()
        if event is None:
            return PokeReturnValue(is_done=False)
        return PokeReturnValue(is_done=True, xcom_value=conclude(event))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Go on when the trigger has reported the end."""
        with airflow_failures():
            end = RenderEvent.read(event)
        if end.end is End.TIMED_OUT:
            raise AirflowSensorTimeout(end.message)
        return conclude(end)

    def _number(self) -> int:
        with airflow_failures():
            return task_number("render_task_id", self.render_task_id)

    @functools.cached_property
    def _watch(self) -> Watch:
        return Watch(RenderbusHook(self.renderbus_conn_id), self._number(), FINISHED)
