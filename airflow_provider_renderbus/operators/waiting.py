"""What operators share that can wait for the end of a render."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, conf

from airflow_provider_renderbus.api.arguments import seconds
from airflow_provider_renderbus.api.errors import NotSent, RenderbusError, is_refusal
from airflow_provider_renderbus.api.outcomes import FINISHED
from airflow_provider_renderbus.cancelling import FORGIVING, Cancelling, start_again, stop
from airflow_provider_renderbus.ends import airflow_failures, conclude
from airflow_provider_renderbus.links import ConsoleLinked
from airflow_provider_renderbus.operators import steps
from airflow_provider_renderbus.operators.base import RenderbusOperator
from airflow_provider_renderbus.report import in_full
from airflow_provider_renderbus.triggers.events import End, Event, ForeignEvent, timed_out
from airflow_provider_renderbus.triggers.tasks import RenderbusTaskTrigger
from airflow_provider_renderbus.waiting import DEFERRAL_NET, TaskWatch, poll_interval

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Wait:
    """What a wait is for; it crosses to the triggerer and back.

    :param number: the task's number.
    :param interval: seconds between two looks.
    :param deadline: the moment until which to wait, in seconds since 1970.
    :param over_at: the moment at which the render is over its `max_duration`, or None.
    :param forgives_until: until this moment a stop is that of an earlier try.
    """

    number: int
    interval: float
    deadline: float
    over_at: float | None
    forgives_until: float


class WaitingOperator(ConsoleLinked, Cancelling, RenderbusOperator):
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
        self.timeout = _timedelta(timeout)
        self.max_duration = None if max_duration is None else _timedelta(max_duration)
        self.cancel_on_kill = cancel_on_kill
        self.deferrable = deferrable

    def interval(self) -> float:
        """Return the seconds between two looks.

        :raises ValueError: `poll_interval` is no number of seconds. What could not be deferred must be known
            before anything is submitted.
        """
        return seconds("poll_interval", poll_interval() if self.poll_interval is None else self.poll_interval)

    def submit(self, number: int, producer: str | None, *, may_be_sent: bool) -> None:
        """Submit a task; where it remains open whether that arrived, see to it that it does not run.

        :param number: the task's number.
        :param producer: name of the artist, which comes back in the task's info.
        :param may_be_sent: whether an earlier try may have sent a submit already.
        """
        self.at_stake = [number]
        try:
            steps.submit(self.hook, number, producer, may_be_sent=may_be_sent)
        except RenderbusError as problem:
            if self.cancel_on_kill and not is_refusal(problem) and not isinstance(problem, NotSent):
                raise AirflowException(f"{problem}; {stop(self.hook, [number])}") from problem
            raise

    def wait(self, context: Context, number: int, interval: float, *, taken_up: bool) -> dict[str, Any]:
        """Wait for the end of a render, here or deferred, and return its summary.

        :param context: of the Airflow task.
        :param number: the task's number.
        :param interval: seconds between two looks.
        :param taken_up: whether an earlier try began it, whose stop may still be on its way.
        """
        now = time.time()
        ends = [now + self.timeout.total_seconds()]
        if self.deferrable and self.execution_timeout:
            ends.append(now + self.execution_timeout.total_seconds())
        over_at = None
        if self.max_duration is not None:
            with airflow_failures():
                over_at = steps.submitted_at(self.hook, number) + self.max_duration.total_seconds()
            ends.append(over_at)
        forgives_until = now + FORGIVING if taken_up else 0.0
        return self._wait(context, Wait(number, interval, min(ends), over_at, forgives_until))

    def execute_complete(
        self, context: Context, event: dict[str, Any], wait: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Go on when the trigger has reported the end.

        :param context: of the Airflow task.
        :param event: what the trigger reported.
        :param wait: what was waited for. Airflow's ``dag.test()`` loses it; what was pushed before the
            deferral is the link then.
        """
        waited = None if wait is None else Wait(**wait)
        if waited:
            self.at_stake = [waited.number]
            with airflow_failures():
                self.link_console(context, self.hook.console_url(waited.number))
        try:
            end = Event.read(event)
        except ForeignEvent as problem:
            end = Event(End.FAILED, str(problem))
        return self._after(context, end, waited)

    def _wait(self, context: Context, wait: Wait) -> dict[str, Any]:
        if self.deferrable:
            self.hand_over(context)
            self.defer(
                trigger=RenderbusTaskTrigger(
                    self.renderbus_conn_id,
                    [wait.number],
                    sorted(FINISHED),
                    None,
                    wait.interval,
                    wait.deadline,
                    cancel_on_kill=self.cancel_on_kill,
                    forgives_until=wait.forgives_until,
                ),
                method_name=self.execute_complete.__name__,
                kwargs={"wait": asdict(wait)},
                timeout=timedelta(seconds=max(0.0, wait.deadline - time.time())) + DEFERRAL_NET,
            )
        watch = TaskWatch(self.hook, [wait.number], FINISHED, forgives_until=wait.forgives_until)
        while (event := watch.look()) is None:
            if time.time() >= wait.deadline:
                event = timed_out(f"task {wait.number} has not ended")
                break
            time.sleep(min(wait.interval, max(0.0, wait.deadline - time.time())))
        return self._after(context, event, wait)

    def _after(self, context: Context, event: Event, wait: Wait | None) -> dict[str, Any]:
        """Return the result of a wait that is over, or go on with one that is not."""
        if event.end is End.STOPPED_EARLY and wait:
            with airflow_failures():
                start_again(self.hook, [wait.number])
            return self._wait(context, wait)
        with airflow_failures():
            if event.result is None and wait:
                event = self.given_up(event)
                if event.end is End.TIMED_OUT and wait.over_at is not None and time.time() >= wait.over_at:
                    raise AirflowFailException(f"{event.message}; max_duration ({self.max_duration}) is over")
            event = in_full(self.hook, event)
        result: dict[str, Any] = conclude(event)[0]
        return result


def _timedelta(time_: float | timedelta) -> timedelta:
    return time_ if isinstance(time_, timedelta) else timedelta(seconds=time_)
