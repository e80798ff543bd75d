"""What all sensors of the farm share."""

from __future__ import annotations

import contextlib
import functools
import time
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_renderbus.api.validation import parse_seconds
from airflow_provider_renderbus.cancel_on_kill import execution_deadline
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.polling.worker import default_poll_interval, deferral_timeout
from airflow_provider_renderbus.renders.results import Outcome, WaitResult
from airflow_provider_renderbus.task_result import result_or_raise, translate_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import timedelta

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_renderbus.polling.worker import WorkerPoller
    from airflow_provider_renderbus.triggers.base import RenderbusTrigger


class RenderbusSensor(BaseSensorOperator):
    """A sensor that waits on a worker, poking or rescheduled, or in the triggerer.

    :param deferrable: whether to wait in the triggerer instead of on a worker.
    :param poke_interval: seconds between two looks; ``[renderbus] poll_interval`` where it is left out.
    :param renderbus_conn_id: id of the connection (templated).
    """

    template_fields: Sequence[str] = ("renderbus_conn_id",)
    ui_color = "#dcebf4"

    def __init__(
        self,
        *,
        renderbus_conn_id: str = RenderbusHook.default_conn_name,
        poke_interval: float | timedelta | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(
            poke_interval=default_poll_interval() if poke_interval is None else poke_interval, **kwargs
        )
        self.renderbus_conn_id = renderbus_conn_id
        self.deferrable = deferrable

    def execute(self, context: Context) -> Any:
        """Wait in the triggerer, or poke."""
        if self.deferrable:
            self.defer_until(min(time.time() + self.timeout, execution_deadline(self, context)))
        return super().execute(context)

    def defer_until(self, deadline: float) -> NoReturn:
        """Wait in the triggerer.

        :param deadline: the moment until which to wait, in seconds since 1970.
        """
        with self.softly(), translate_errors():
            # A triggerer would take a connection that is not there for an outage, and ask until the deadline.
            _ = self.hook.settings
            parse_seconds("poke_interval", self.poke_interval)
            trigger = self.trigger(deadline)
        self.defer(
            trigger=trigger,
            method_name=self.execute_complete.__name__,
            kwargs={"deadline": deadline},
            timeout=deferral_timeout(deadline),
        )

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once."""
        with self.softly():
            event = self._watch.poll()
            if event is None:
                return PokeReturnValue(is_done=False)
            return PokeReturnValue(is_done=True, xcom_value=self.conclude(event))

    def execute_complete(self, context: Context, event: dict[str, Any], deadline: float | None = None) -> Any:
        """Go on when the trigger has reported the end.

        :param context: of the Airflow task.
        :param event: what the trigger reported.
        :param deadline: the moment until which to wait. Airflow's ``dag.test()`` loses it.
        """
        return self.conclude(WaitResult.from_dict_or_failure(event))

    def conclude(self, event: WaitResult) -> Any:
        """Return what the sensor returns where the waiting has reached what it was for."""
        if event.outcome is Outcome.TIMED_OUT:
            raise AirflowSensorTimeout(event.message)
        return self.result(result_or_raise(event))

    @contextlib.contextmanager
    def softly(self) -> Iterator[None]:
        """Skip in place of failing where the author asked for it, whatever the kind of failure."""
        try:
            yield
        except AirflowException as problem:
            if not self.soft_fail or isinstance(problem, AirflowSkipException):
                raise
            raise AirflowSkipException(f"Skipped because of soft_fail: {problem}") from problem

    @abstractmethod
    def watch(self, hook: RenderbusHook) -> WorkerPoller:
        """Return what looks at the farm from a worker.

        :raises ValueError: an argument is not what the farm takes.
        """

    @abstractmethod
    def trigger(self, deadline: float) -> RenderbusTrigger:
        """Return what waits in the triggerer until a deadline, in seconds since 1970.

        :raises ValueError: an argument is not what the farm takes.
        """

    def result(self, reached: Any) -> Any:
        """Return what the sensor returns from what was reached."""
        return reached

    @functools.cached_property
    def hook(self) -> RenderbusHook:
        """The hook of the sensor's connection."""
        return RenderbusHook(self.renderbus_conn_id)

    @functools.cached_property
    def _watch(self) -> WorkerPoller:
        with translate_errors():
            return self.watch(self.hook)
