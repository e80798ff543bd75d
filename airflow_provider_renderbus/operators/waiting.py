"""What operators share that can wait for the end of a render."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import conf

from airflow_provider_renderbus.api.arguments import seconds
from airflow_provider_renderbus.api.outcomes import FINISHED
from airflow_provider_renderbus.ends import airflow_failures, conclude
from airflow_provider_renderbus.links import ConsoleLinked
from airflow_provider_renderbus.operators.base import RenderbusOperator
from airflow_provider_renderbus.triggers.events import Event, timed_out
from airflow_provider_renderbus.triggers.tasks import RenderbusTaskTrigger
from airflow_provider_renderbus.waiting import DEFERRAL_NET, TaskWatch, poll_interval

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

_WEEK = timedelta(days=7)


class WaitingOperator(ConsoleLinked, RenderbusOperator):
    """An operator that can wait for the end of a render, on a worker or in the triggerer.

    :param poll_interval: seconds between two looks; ``[renderbus] poll_interval`` where it is left out.
    :param timeout: seconds, or a timedelta, to wait for the end at most.
    :param deferrable: whether to wait in the triggerer instead of on a worker.
    :param renderbus_conn_id: id of the connection (templated).
    """

    def __init__(
        self,
        *,
        poll_interval: float | None = None,
        timeout: float | timedelta = _WEEK,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.poll_interval = poll_interval
        self.timeout = timeout if isinstance(timeout, timedelta) else timedelta(seconds=timeout)
        self.deferrable = deferrable

    def interval(self) -> float:
        """Return the seconds between two looks.

        :raises ValueError: `poll_interval` is no number of seconds. What could not be deferred must be known
            before anything is submitted.
        """
        return seconds("poll_interval", poll_interval() if self.poll_interval is None else self.poll_interval)

    def wait(self, number: int, interval: float) -> dict[str, Any]:
        """Wait for the end of a render, here or deferred, and return its summary.

        :param number: the task's number.
        :param interval: seconds between two looks.
        """
        deadline = time.time() + self.timeout.total_seconds()
        if self.deferrable:
            self.defer(
                trigger=RenderbusTaskTrigger(
                    self.renderbus_conn_id, [number], sorted(FINISHED), None, interval, deadline
                ),
                method_name=self.execute_complete.__name__,
                kwargs={"number": number},
                timeout=self.timeout + DEFERRAL_NET,
            )
        watch = TaskWatch(self.hook, [number], FINISHED)
        while (event := watch.look()) is None:
            if time.time() >= deadline:
                event = timed_out(f"task {number} has not ended")
                break
            time.sleep(min(interval, max(0.0, deadline - time.time())))
        return self._result(event)

    def execute_complete(
        self, context: Context, event: dict[str, Any], number: int | None = None
    ) -> dict[str, Any]:
        """Go on when the trigger has reported the end.

        :param context: of the Airflow task.
        :param event: what the trigger reported.
        :param number: the number of the task that was waited for. Airflow's ``dag.test()`` loses it; what was
            pushed before the deferral is the link then.
        """
        with airflow_failures():
            end = Event.read(event)
            if number is not None:
                self.link_console(context, self.hook.console_url(number))
        return self._result(end)

    def _result(self, event: Event) -> dict[str, Any]:
        result: dict[str, Any] = conclude(event)[0]
        return result
