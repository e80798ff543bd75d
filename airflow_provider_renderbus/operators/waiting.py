"""What operators share that can wait for the end of a render."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, conf

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.arguments import amount, one_of, seconds, whole
from airflow_provider_renderbus.api.errors import NotSent, RenderbusError, is_refusal
from airflow_provider_renderbus.api.outcomes import FINISHED
from airflow_provider_renderbus.api.states import Phase, TaskStatus
from airflow_provider_renderbus.cancelling import FORGIVING, Cancelling, start_again, stop
from airflow_provider_renderbus.ends import airflow_failures, conclude
from airflow_provider_renderbus.links import ConsoleLinked
from airflow_provider_renderbus.operators import steps
from airflow_provider_renderbus.operators.base import RenderbusOperator
from airflow_provider_renderbus.operators.healing import recommit
from airflow_provider_renderbus.operators.terms import Terms, Wait
from airflow_provider_renderbus.outlets import announce
from airflow_provider_renderbus.report import in_full
from airflow_provider_renderbus.triggers.condition import RenderbusConditionTrigger
from airflow_provider_renderbus.triggers.conditions import FundsEnough, stored
from airflow_provider_renderbus.triggers.events import End, Event, ForeignEvent, timed_out
from airflow_provider_renderbus.triggers.tasks import RenderbusTaskTrigger
from airflow_provider_renderbus.waiting import DEFERRAL_NET, ConditionWatch, TaskWatch, poll_interval

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_renderbus.triggers.base import RenderbusTrigger
    from airflow_provider_renderbus.waiting import Watch

# The templated fields of the terms.
TERMS = ("max_cost", "min_funds")
_WEEK = timedelta(days=7)


# The states after which frames can be rendered again.
_HEALABLE = {TaskStatus.FINISHED_HAS_FAILED.name, TaskStatus.FAILED.name}
# The least that a top-up can be.
_A_CENT = "0.01"


class WaitingOperator(ConsoleLinked, Cancelling, RenderbusOperator):
    """An operator that can wait for the end of a render, on a worker or in the triggerer.

    :param poll_interval: seconds between two looks; ``[renderbus] poll_interval`` where it is left out.
    :param timeout: seconds, or a timedelta, that a try waits for the end at most. Airflow's
        ``execution_timeout``, which it does not heed while a task is deferred, counts likewise.
    :param max_duration: seconds, or a timedelta, that a render may take from its submit, over all tries.
    :param max_cost: what the render may cost, in the account's currency and over all its layers; one that
        goes on and has cost more is stopped, and fails without retries (templated).
    :param min_funds: what the account must be able to spend, or nothing is submitted (templated).
    :param on_arrears: "fail" without retries when the money is out, or "wait" for a top-up and go on.
    :param failed_frames: what to do when frames have failed: "fail", "accept" it, or "recommit" them.
    :param recommit_attempts: how often a frame may be rendered again in all, over all tries.
    :param on_test_done: what to do at the pause after the priority frames (state 40): "wait" until somebody
        goes on, "succeed", or ask for "full_speed".
    :param cancel_on_kill: whether the render is stopped when the Airflow task is killed or its time is over.
    :param deferrable: whether to wait in the triggerer instead of on a worker.
    :param renderbus_conn_id: id of the connection (templated).
    """

    template_fields = (*RenderbusOperator.template_fields, *TERMS)

    def __init__(
        self,
        *,
        poll_interval: float | None = None,
        timeout: float | timedelta = _WEEK,
        max_duration: float | timedelta | None = None,
        max_cost: Decimal | float | str | None = None,
        min_funds: Decimal | float | str | None = None,
        on_arrears: str = "fail",
        failed_frames: str = "fail",
        recommit_attempts: int = 1,
        on_test_done: str = "wait",
        cancel_on_kill: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.poll_interval = poll_interval
        self.timeout = _timedelta(timeout)
        self.max_duration = None if max_duration is None else _timedelta(max_duration)
        self.max_cost = max_cost
        self.min_funds = min_funds
        self.on_arrears = one_of("on_arrears", on_arrears, ("fail", "wait"))
        self.failed_frames = one_of("failed_frames", failed_frames, ("fail", "accept", "recommit"))
        self.recommit_attempts = whole("recommit_attempts", recommit_attempts)
        self.on_test_done = one_of("on_test_done", on_test_done, ("wait", "succeed", "full_speed"))
        self.cancel_on_kill = cancel_on_kill
        self.deferrable = deferrable

    def terms(self) -> Terms:
        """Return what the author set for the wait.

        :raises ValueError: some of it is wrong. What could not be deferred must be known before anything is
            submitted.
        """
        interval = poll_interval() if self.poll_interval is None else self.poll_interval
        return Terms(
            seconds("poll_interval", interval),
            None if self.max_cost is None else amount("max_cost", self.max_cost),
            None if self.min_funds is None else amount("min_funds", self.min_funds),
        )

    def submit(self, number: int, producer: str | None, terms: Terms, *, may_be_sent: bool) -> None:
        """Submit a task; where it remains open whether that arrived, see to it that it does not run.

        :param number: the task's number.
        :param terms: what the author set.
        :param producer: name of the artist, which comes back in the task's info.
        :param may_be_sent: whether an earlier try may have sent a submit already.
        """
        if terms.min_funds is not None:
            steps.check_funds(self.hook, terms.min_funds)
        self.at_stake = [number]
        try:
            steps.submit(self.hook, number, producer, may_be_sent=may_be_sent)
        except RenderbusError as problem:
            if self.cancel_on_kill and not is_refusal(problem) and not isinstance(problem, NotSent):
                raise AirflowException(f"{problem}; {stop(self.hook, [number])}") from problem
            raise

    def wait(self, context: Context, number: int, terms: Terms, *, taken_up: bool) -> dict[str, Any]:
        """Wait for the end of a render, here or deferred, and return its summary.

        :param context: of the Airflow task.
        :param number: the task's number.
        :param terms: what the author set.
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
        wait = Wait(
            number,
            terms.interval,
            min(ends),
            over_at,
            forgives_until=now + FORGIVING if taken_up else 0.0,
            max_cost=None if terms.max_cost is None else str(terms.max_cost),
            recommit_may_be_sent=taken_up,
        )
        return self._wait(context, wait)

    def execute_complete(
        self, context: Context, event: dict[str, Any], wait: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Go on when the trigger has reported the end.

        :param context: of the Airflow task.
        :param event: what the trigger reported.
        :param wait: what was waited for. Airflow's ``dag.test()`` loses it; what was pushed before the
            deferral is the link then.
        """
        end, waited = self._resume(context, event, wait)
        return self._after(context, end, waited)

    def funds_came(
        self, context: Context, event: dict[str, Any], wait: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Go on when the trigger has reported the end of waiting for money.

        :param context: of the Airflow task.
        :param event: what the trigger reported.
        :param wait: what was waited for before the money was out.
        """
        end, waited = self._resume(context, event, wait)
        return self._after_funds(context, end, waited)

    def _resume(
        self, context: Context, event: dict[str, Any], wait: dict[str, Any] | None
    ) -> tuple[Event, Wait | None]:
        """Take up after a deferral: the render is this process's again."""
        waited = None if wait is None else Wait(**wait)
        if waited:
            self.at_stake = [waited.number]
            with airflow_failures():
                self.link_console(context, self.hook.console_url(waited.number))
        try:
            return Event.read(event), waited
        except ForeignEvent as problem:
            return Event(End.FAILED, str(problem)), waited

    def _wait(self, context: Context, wait: Wait) -> dict[str, Any]:
        wanted, failed = self._states(wait)
        if self.deferrable:
            trigger = RenderbusTaskTrigger(
                self.renderbus_conn_id,
                [wait.number],
                sorted(wanted),
                None if failed is None else sorted(failed),
                wait.interval,
                wait.deadline,
                cancel_on_kill=self.cancel_on_kill,
                forgives_until=wait.forgives_until,
                max_cost=wait.max_cost,
            )
            self._defer(context, trigger, self.execute_complete.__name__, wait)
        watch = TaskWatch(
            self.hook,
            [wait.number],
            wanted,
            failed,
            forgives_until=wait.forgives_until,
            max_cost=None if wait.max_cost is None else Decimal(wait.max_cost),
        )
        return self._after(context, self._watched(watch, wait, f"task {wait.number} has not ended"), wait)

    def _states(self, wait: Wait) -> tuple[set[TaskStatus], set[TaskStatus] | None]:
        """Return the states that are waited for, and those that count as failed where not all others do."""
        wanted = set(FINISHED)
        if self.failed_frames == "accept":
            wanted.add(TaskStatus.FINISHED_HAS_FAILED)
        if self.on_test_done != "wait" and not wait.is_after_test:
            wanted.add(TaskStatus.FINISHED_TEST)
        if not wait.bears_arrears:
            return wanted, None
        ends = {state for state in TaskStatus if state.phase not in {Phase.ACTIVE, Phase.PAUSED}}
        return wanted, ends - {TaskStatus.ARREARAGE_STOP}

    def _defer(self, context: Context, trigger: RenderbusTrigger, method: str, wait: Wait) -> NoReturn:
        self.hand_over(context)
        self.defer(
            trigger=trigger,
            method_name=method,
            kwargs={"wait": asdict(wait)},
            timeout=timedelta(seconds=max(0.0, wait.deadline - time.time())) + DEFERRAL_NET,
        )

    def _watched(self, watch: Watch, wait: Wait, missing: str) -> Event:
        """Look until there is an end or the time is over."""
        while (event := watch.look()) is None:
            if time.time() >= wait.deadline:
                return timed_out(missing)
            time.sleep(min(wait.interval, max(0.0, wait.deadline - time.time())))
        return event

    def _after(self, context: Context, event: Event, wait: Wait | None) -> dict[str, Any]:
        """Return the result of a wait that is over, or go on with one that is not."""
        with airflow_failures():
            further = None if wait is None else self._mended(event, wait)
        if further:
            return self._wait(context, further)
        if wait and _state(event) == TaskStatus.ARREARAGE_STOP.name and self.on_arrears == "wait":
            return self._wait_for_funds(context, wait)
        with airflow_failures():
            if wait and (event.result is None or event.end is End.OVER_BUDGET):
                event = self.given_up(event)
            event = in_full(self.hook, event)
            if event.end is End.OVER_BUDGET:
                raise AirflowFailException(event.message)
            if event.end is End.TIMED_OUT and wait and wait.over_at and time.time() >= wait.over_at:
                raise AirflowFailException(f"{event.message}; max_duration ({self.max_duration}) is over")
        result: dict[str, Any] = conclude(event)[0]
        announce(context, self.outlets, result)
        return result

    def _mended(self, event: Event, wait: Wait) -> Wait | None:
        """Do what makes a render go on that came to a halt, and return what to wait for then."""
        state = _state(event)
        if event.end is End.STOPPED_EARLY:
            start_again(self.hook, [wait.number])
            return wait
        if state == TaskStatus.FINISHED_TEST.name and self.on_test_done == "full_speed":
            self.log.info("The priority frames of task %s are done; asking for full speed", wait.number)
            self.hook.send(calls.full_speed([wait.number]))
            return replace(wait, is_after_test=True)
        if state in _HEALABLE and self.failed_frames == "recommit":
            again = recommit(
                self.hook, wait.number, self.recommit_attempts, may_be_sent=wait.recommit_may_be_sent
            )
            return replace(wait, recommit_may_be_sent=False) if again else None
        return None

    def _wait_for_funds(self, context: Context, wait: Wait) -> dict[str, Any]:
        with airflow_failures():
            profile = self.hook.send(calls.query_user_profile())
        self.log.warning("Task %s has stopped for lack of money; waiting for a top-up", wait.number)
        if profile.use_main_balance or profile.hide_balance:
            self.log.warning("Nobody sees this account's money: start the task on the farm after a top-up")
            return self._wait(context, replace(wait, bears_arrears=True))
        enough = FundsEnough(str(max(Decimal(_A_CENT), self.terms().min_funds or Decimal(0))))
        if self.deferrable:
            trigger = RenderbusConditionTrigger(
                self.renderbus_conn_id, stored(enough), wait.interval, wait.deadline
            )
            self._defer(context, trigger, self.funds_came.__name__, wait)
        event = self._watched(ConditionWatch(self.hook, enough), wait, "no money came")
        return self._after_funds(context, event, wait)

    def _after_funds(self, context: Context, event: Event, wait: Wait | None) -> dict[str, Any]:
        if event.end is not End.REACHED or wait is None:
            return self._after(context, event, wait)
        self.log.info("%s; starting task %s again", event.message, wait.number)
        self.send(calls.start_task([wait.number]))
        return self._wait(context, wait)


def _state(event: Event) -> str | None:
    """Return the state of the render that an event is about."""
    result = event.result[0] if isinstance(event.result, list) else event.result
    return None if result is None else result.get("state")


def _timedelta(time_: float | timedelta) -> timedelta:
    return time_ if isinstance(time_, timedelta) else timedelta(seconds=time_)
