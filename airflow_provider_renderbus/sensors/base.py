"""The base class of all sensors."""

from __future__ import annotations

import contextlib
import functools
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_renderbus.api.validation import MAX_SECONDS, parse_seconds, require_bool
from airflow_provider_renderbus.cancel_on_kill import execution_deadline, has_trigger_failed
from airflow_provider_renderbus.compat import (
    AirflowException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.native_templates import finish_rendering, is_native, render_natively
from airflow_provider_renderbus.polling.worker import default_poll_interval, deferral_timeout
from airflow_provider_renderbus.renders.results import Outcome, WaitResult
from airflow_provider_renderbus.task_result import records_end, result_or_raise, translate_errors

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import timedelta

    from jinja2 import Template

    from airflow_provider_renderbus.compat import DAG, Context
    from airflow_provider_renderbus.polling.worker import WorkerPoller
    from airflow_provider_renderbus.triggers.base import RenderbusTrigger

DEFERRABLE = conf.getboolean("operators", "default_deferrable", fallback=False)


class RenderbusSensor(BaseSensorOperator):
    """A sensor that waits on a worker, in mode "poke" or "reschedule", or in the triggerer.

    :param deferrable: whether to wait in the triggerer instead of on a worker.
    :param poke_interval: seconds between polls; ``[renderbus] poll_interval`` if omitted.
    :param renderbus_conn_id: id of the connection (templated).
    """

    template_fields: Sequence[str] = ("renderbus_conn_id",)
    ui_color = "#dcebf4"
    rendered_to_none: Collection[str] = ()
    """The fields that are given, and that Airflow has rendered to None."""

    def __init__(
        self,
        *,
        deferrable: bool = DEFERRABLE,
        poke_interval: float | timedelta | None = None,
        renderbus_conn_id: str = RenderbusHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        try:
            super().__init__(
                poke_interval=default_poll_interval() if poke_interval is None else poke_interval, **kwargs
            )
        except OverflowError:
            raise ValueError(
                f"timeout and poke_interval: must be at most {MAX_SECONDS:,} seconds (1,000 days)"
            ) from None
        for name in ("timeout", "poke_interval"):
            # 0 is a timeout after one poll.
            if seconds := getattr(self, name):
                parse_seconds(name, seconds)
        self.deferrable = require_bool("deferrable", deferrable)
        self.renderbus_conn_id = renderbus_conn_id

    @records_end
    def execute(self, context: Context) -> Any:
        """Poll once and, if the wait continues, wait in the triggerer; or poke."""
        if not self.deferrable:
            return super().execute(context)
        now = self.hook.clock.now()
        deadline = min(now + self.timeout, execution_deadline(self, context, now))
        with self.skip_on_soft_fail():
            with translate_errors():
                parse_seconds("poke_interval", self.poke_interval)
            # A trigger that fires at once costs another worker's start, and can overtake Airflow's scheduler.
            wait_result = self._poller.poll()
            if wait_result is None:
                self.defer_until(context, deadline)
            return self.result_or_raise(wait_result)

    def defer_until(self, context: Context, deadline: float) -> NoReturn:
        """Wait in the triggerer until a deadline, in seconds since 1970."""
        with self.skip_on_soft_fail(), translate_errors():
            # A triggerer would take a missing connection for an outage, and retry until the deadline. It
            # creates its client in the same way, so it will be able to connect.
            _ = self.hook.client
            trigger = self.make_trigger(deadline)
        self.defer(
            trigger=trigger,
            method_name=self.execute_complete.__name__,
            kwargs={"deadline": deadline},
            timeout=deferral_timeout(deadline, self.hook.clock.now()),
        )

    def poke(self, context: Context) -> PokeReturnValue:
        """Poll once."""
        with self.skip_on_soft_fail():
            wait_result = self._poller.poll()
            if wait_result is None:
                return PokeReturnValue(is_done=False)
            return PokeReturnValue(is_done=True, xcom_value=self.result_or_raise(wait_result))

    @records_end
    def execute_complete(self, context: Context, event: dict[str, Any], deadline: float | None = None) -> Any:
        """Continue after the trigger has fired. Airflow's ``dag.test()`` loses `deadline`."""
        wait_result = WaitResult.from_dict_or_failure(event)
        if wait_result.is_unread and deadline is not None:
            return self.poll_on_worker(deadline)
        return self.result_or_raise(wait_result)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Continue after a deferral; if its trigger has failed in the triggerer, wait on the worker."""
        if has_trigger_failed(next_method, next_kwargs):
            return self.poll_on_worker(self.hook.clock.now() + self.timeout)
        return super().resume_execution(next_method, next_kwargs, context)

    def poll_on_worker(self, deadline: float) -> Any:
        """Wait until a deadline although the sensor is deferrable, because the triggerer cannot."""
        self.log.warning(
            "The triggerer cannot wait for this sensor, this worker does. If it has an older version of "
            "airflow-provider-renderbus, upgrade it: triggerers before workers"
        )
        with self.skip_on_soft_fail():
            return self.result_or_raise(self._poller.poll_until(deadline, self.poke_interval))

    def result_or_raise(self, wait_result: WaitResult) -> Any:
        """Return what the sensor returns after a successful wait.

        :raises AirflowSensorTimeout: the wait timed out.
        :raises AirflowException: it failed; `AirflowFailException` if a retry would fail the same way.
        """
        if wait_result.outcome is Outcome.TIMED_OUT:
            raise AirflowSensorTimeout(wait_result.message)
        return self.build_result(result_or_raise(wait_result))

    @contextlib.contextmanager
    def skip_on_soft_fail(self) -> Iterator[None]:
        """Skip the task instead of failing it if `soft_fail` is set, whatever the failure."""
        try:
            yield
        except AirflowException as error:
            if not self.soft_fail or isinstance(error, AirflowSkipException):
                raise
            raise AirflowSkipException(f"Skipped because of soft_fail: {error}") from error

    @abstractmethod
    def make_poller(self, hook: RenderbusHook) -> WorkerPoller:
        """Return what polls on a worker."""

    @abstractmethod
    def make_trigger(self, deadline: float) -> RenderbusTrigger:
        """Return the trigger that waits until a deadline, in seconds since 1970."""

    def build_result(self, value: Any) -> Any:
        """Return what the sensor returns, from the value of a successful wait."""
        return value

    def _do_render_template_fields(self, parent: Any, *args: Any, **kwargs: Any) -> None:
        """Render templated fields, and leave texts as texts."""
        given = {name: getattr(self, name) for name in self.template_fields} if parent is self else {}
        super()._do_render_template_fields(parent, *args, **kwargs)
        self.rendered_to_none = {*self.rendered_to_none, *finish_rendering(self, given)}

    def _render(self, template: Template, context: Context, dag: DAG | None = None) -> Any:
        """Render a template, and leave text as text if the DAG renders native objects."""
        if is_native(template):
            return render_natively(template, context)
        return super()._render(template, context, dag)

    @functools.cached_property
    def hook(self) -> RenderbusHook:
        """The hook of the sensor's connection."""
        return RenderbusHook(self.renderbus_conn_id).watch_lost_time()

    @functools.cached_property
    def _poller(self) -> WorkerPoller:
        with translate_errors():
            return self.make_poller(self.hook)
