"""Waiting for renders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.arguments import task_numbers, task_states
from airflow_provider_renderbus.api.outcomes import FINISHED
from airflow_provider_renderbus.ends import airflow_failures
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.links import ConsoleLinked
from airflow_provider_renderbus.sensors.base import RenderbusSensor
from airflow_provider_renderbus.triggers.tasks import RenderbusTaskTrigger
from airflow_provider_renderbus.waiting import TaskWatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_renderbus.api.arguments import TaskNumber
    from airflow_provider_renderbus.api.states import TaskStatus


class RenderbusTaskSensor(ConsoleLinked, RenderbusSensor):
    """Wait until renders have finished. A layered one has when all its layers have.

    An end that a retry cannot mend (stopped by a person, no money left, unknown to the farm, wrong key)
    fails at once, without Airflow's retries.

    :param render_task_id: number or alias of the task, or a list of them, which must all arrive (templated).
    :param target_states: the states that are waited for, codes or names; FINISHED where it is left out. With
        FINISHED_TEST (40) among them, the pause after the priority frames is an arrival (templated).
    :param failed_states: the states that count as failed, codes or names; where it is left out, every end
        that is not waited for (templated).
    :param deferrable: whether to wait in the triggerer instead of on a worker.
    :param poke_interval: seconds between two looks; ``[renderbus] poll_interval`` where it is left out.
    :param renderbus_conn_id: id of the connection (templated).
    :return: number, state, frames, cost, seconds and outputs
        (:func:`airflow_provider_renderbus.api.outcomes.summary`); a list of such for a list of tasks.
    """

    template_fields = (*RenderbusSensor.template_fields, "render_task_id", "target_states", "failed_states")

    def __init__(
        self,
        *,
        render_task_id: TaskNumber | Sequence[TaskNumber] | XComArg,
        target_states: Sequence[int | str] | None = None,
        failed_states: Sequence[int | str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.render_task_id = render_task_id
        self.target_states = target_states
        self.failed_states = failed_states

    def execute(self, context: Context) -> Any:
        """Show the link, and wait."""
        with self.softly(), airflow_failures():
            self._link(context)
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Go on when the trigger has reported the end."""
        with airflow_failures():
            self._link(context)
        return super().execute_complete(context, event)

    def watch(self, hook: RenderbusHook) -> TaskWatch:
        """Return what looks at the tasks from a worker."""
        return TaskWatch(hook, self._numbers(), *self._states(), remembers=not self.reschedule)

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
        )

    def result(self, reached: Any) -> Any:
        """Return a single render as such."""
        return reached[0] if self._is_single() else reached

    def _link(self, context: Context) -> None:
        """Link the task's page; of a list, the first one's."""
        self.link_console(context, RenderbusHook(self.renderbus_conn_id).console_url(self._numbers()[0]))

    def _is_single(self) -> bool:
        given: Any = self.render_task_id
        return given is None or isinstance(given, str | int)

    def _numbers(self) -> list[int]:
        given: Any = self.render_task_id
        return task_numbers("render_task_id", [given] if self._is_single() else given)

    def _states(self) -> tuple[frozenset[TaskStatus], frozenset[TaskStatus] | None]:
        wanted, failed = self.target_states, self.failed_states
        return (
            FINISHED if wanted is None else task_states("target_states", wanted),
            None if failed is None else task_states("failed_states", failed),
        )
