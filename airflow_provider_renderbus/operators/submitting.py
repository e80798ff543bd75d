"""Submitting a render and seeing it through: what it may cost, what lack of money and failed frames mean."""

from __future__ import annotations

import time
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import NotSent, RenderbusError, is_permanent
from airflow_provider_renderbus.api.states import Phase, TaskStatus
from airflow_provider_renderbus.api.validation import one_of, parse_decimal, parse_int
from airflow_provider_renderbus.operators.waiting import WaitingOperator
from airflow_provider_renderbus.polling.worker import ConditionWorkerPoller
from airflow_provider_renderbus.renders import submit as steps
from airflow_provider_renderbus.renders.conditions import SufficientFunds, condition_to_dict
from airflow_provider_renderbus.renders.recommit import RECOMMITTABLE, recommit_failed_frames
from airflow_provider_renderbus.renders.restart import restart, restart_stopped
from airflow_provider_renderbus.renders.results import FINISHED, Outcome, timed_out
from airflow_provider_renderbus.task_result import translate_errors
from airflow_provider_renderbus.triggers.conditions import RenderbusConditionTrigger

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_renderbus.renders.results import WaitResult
    from airflow_provider_renderbus.renders.wait_state import Wait

# The templated fields.
BUDGET = ("max_cost", "min_funds")
_A_CENT = Decimal("0.01")
# The states from which a render is made to go on, which costs more.
_GOES_ON_FOR_MONEY = {
    TaskStatus.FINISHED_TEST,
    TaskStatus.ARREARAGE_STOP,
    TaskStatus.FINISHED_HAS_FAILED,
    TaskStatus.FAILED,
}
_ENDS = {state for state in TaskStatus if state.phase not in {Phase.ACTIVE, Phase.PAUSED}}


class RenderingOperator(WaitingOperator):
    """An operator that submits a render and can see it through.

    :param max_cost: what the render may cost, in the account's currency and over all its layers; one that
        goes on and has cost more is stopped, and fails without retries (templated).
    :param min_funds: what the account must be able to spend, or nothing is submitted (templated).
    :param on_insufficient_funds: "fail" without retries when the money is out, or "wait" for a top-up and go
        on.
    :param on_failed_frames: what to do when frames have failed: "fail", "accept" it, or "recommit" them.
    :param max_recommits: how often a frame may be rendered again in all, over all tries.
    :param on_test_frames_done: what to do at the pause after the priority frames (state 40): "wait" until
        somebody goes on, "succeed", or ask for "full_speed".
    :param poll_interval: seconds between two looks; ``[renderbus] poll_interval`` where it is left out.
    :param timeout: seconds, or a timedelta, that a try waits for the end at most. Airflow's
        ``execution_timeout``, which it does not heed while a task is deferred, counts likewise.
    :param max_duration: seconds, or a timedelta, that a render may take from its submit, over all tries.
    :param cancel_on_kill: whether the render is stopped when the Airflow task is killed or its time is over.
    :param deferrable: whether to wait in the triggerer instead of on a worker.
    :param renderbus_conn_id: id of the connection (templated).
    """

    template_fields = (*WaitingOperator.template_fields, *BUDGET)
    anew: str

    def __init__(
        self,
        *,
        max_cost: Decimal | float | str | XComArg | None = None,
        min_funds: Decimal | float | str | XComArg | None = None,
        on_insufficient_funds: str = "fail",
        on_failed_frames: str = "fail",
        max_recommits: int = 1,
        on_test_frames_done: str = "wait",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.max_cost = max_cost
        self.min_funds = min_funds
        self.on_insufficient_funds = one_of("on_insufficient_funds", on_insufficient_funds, ("fail", "wait"))
        self.on_failed_frames = one_of("on_failed_frames", on_failed_frames, ("fail", "accept", "recommit"))
        self.max_recommits = parse_int("max_recommits", max_recommits)
        self.on_test_frames_done = one_of(
            "on_test_frames_done", on_test_frames_done, ("wait", "succeed", "full_speed")
        )

    def read_connection(self) -> None:
        """Read the connection, for a process that is being killed cannot look it up any more.

        :raises ValueError: fields of the connection are wrong or missing.
        """
        _ = self.hook.settings

    def check(self) -> None:
        """Check what is known only when it is rendered.

        :raises ValueError: an argument is wrong.
        """
        self.interval()
        self._amount("min_funds")
        budget = self._amount("max_cost")
        if budget is not None and budget <= 0:
            raise ValueError(f"max_cost: an amount above 0 is wanted, not {self.max_cost!r}")

    def submit(self, number: int, producer: str | None, *, may_be_sent: bool) -> None:
        """Submit a task, for which the account must have the money.

        :param number: the task's number.
        :param producer: name of the artist, which comes back in the task's info.
        :param may_be_sent: whether an earlier try may have sent a submit already.
        """
        least = self._amount("min_funds")
        if least is not None:
            steps.check_funds(self.hook, least)
        self.owned_render_task_ids = [number]
        try:
            steps.submit(self.hook, number, producer, may_be_submitted=may_be_sent)
        except RenderbusError as problem:
            if not may_be_sent and (isinstance(problem, NotSent) or is_permanent(problem)):
                self.owned_render_task_ids = []
            raise

    def see_through(self, context: Context, number: int, *, taken_up: bool) -> dict[str, Any]:
        """Wait for the end of a render that is submitted, and return its summary.

        :param context: of the Airflow task.
        :param number: the task's number.
        :param taken_up: whether an earlier try began it.
        """
        return self.wait(context, number, max_cost=self._amount("max_cost"), taken_up=taken_up)

    def succeeds(self, state: TaskStatus) -> bool:
        """Return whether a state in which a render has come to rest is what was wanted."""
        return (
            state in FINISHED
            or (state is TaskStatus.FINISHED_HAS_FAILED and self.on_failed_frames == "accept")
            or (state is TaskStatus.FINISHED_TEST and self.on_test_frames_done == "succeed")
        )

    def states(self, wait: Wait) -> tuple[set[TaskStatus], set[TaskStatus] | None]:
        """Return the states that are waited for, and those that count as failed where not all others do."""
        wanted = {state for state in TaskStatus if self.succeeds(state)}
        if self.on_test_frames_done == "full_speed" and not wait.is_after_test:
            wanted.add(TaskStatus.FINISHED_TEST)
        return wanted, _ENDS - {TaskStatus.ARREARAGE_STOP} if wait.bears_arrears else None

    def go_on(self, context: Context, event: WaitResult, wait: Wait) -> Wait | None:
        """Start again, heal, or go on after a pause, as the author wants it."""
        state = event.state
        if event.outcome is Outcome.STALE_STOP:
            restart_stopped(self.hook, [wait.number])
            return wait
        if self.is_too_dear(event, wait):
            return None
        if state is TaskStatus.FINISHED_TEST and self.on_test_frames_done == "full_speed":
            self.log.info("The priority frames of task %s are done; asking for full speed", wait.number)
            self.hook.send(calls.full_speed([wait.number]))
            return replace(wait, is_after_test=True)
        if state is TaskStatus.ARREARAGE_STOP and self.on_insufficient_funds == "wait":
            return self._funded(context, wait)
        if state in RECOMMITTABLE and self.on_failed_frames == "recommit":
            attempts = self.max_recommits
            if recommit_failed_frames(
                self.hook, wait.number, attempts, may_be_pending=wait.recommit_may_be_sent
            ):
                return replace(wait, recommit_may_be_sent=False)
        return None

    def is_too_dear(self, event: WaitResult, wait: Wait) -> bool:
        """Return whether a render came to a halt and has cost too much to make it go on."""
        if event.state not in _GOES_ON_FOR_MONEY or self.succeeds(event.state) or wait.max_cost is None:
            return False
        return Decimal(event.first_result["cost"]) > Decimal(wait.max_cost)

    def with_way_out(self, event: WaitResult) -> WaitResult:
        """Return the end of a render with failed frames as one for good: a retry takes the same render up."""
        if event.outcome is not Outcome.FAILED or event.state not in RECOMMITTABLE:
            return event
        way_out = (
            # Before 3.3 a clear of what counts as a success renders anew.
            f"A retry would find it so again, so there is none. To go on with this render, set "
            f'on_failed_frames to "recommit" (with more max_recommits where they are used up), or on Airflow '
            f'3.3 to "accept", and clear this task. To render anew, {self.anew}'
        )
        return replace(event, outcome=Outcome.FAILED_PERMANENTLY, message=f"{event.message}. {way_out}")

    def funds_came(
        self, context: Context, event: dict[str, Any], wait: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Go on when the trigger has reported the end of waiting for money.

        :param context: of the Airflow task.
        :param event: what the trigger reported.
        :param wait: what was waited for before the money was out.
        """
        end, waited = self.resumed(context, event, wait)
        if waited is None:
            return self.after(context, end, waited)
        with translate_errors(), self.stop_renders_on_error():
            further = self._goes_on_funded(end, waited)
        if further:
            return self.wait_for_end(context, further)
        return self.after(
            context, timed_out(end.message) if end.outcome is Outcome.SUCCEEDED else end, waited
        )

    def _funded(self, context: Context, wait: Wait) -> Wait | None:
        """Wait for a top-up and start the render again; None where none came in time.

        What is left may not do for a frame, or be credit that the farm does not count. So a render that has
        stopped again waits until there is more than there was at this stop or the one before.
        """
        profile = self.hook.send(calls.query_user_profile())
        self.log.warning("Task %s has stopped for lack of money; waiting for a top-up", wait.number)
        if not profile.funds_visible:
            self.log.warning("Nobody sees this account's money: start the task on the farm after a top-up")
            return replace(wait, bears_arrears=True)
        not_enough = min(profile.available_funds, Decimal(wait.means or 0))
        enough = SufficientFunds(str(max(not_enough, Decimal(0)) + _A_CENT))
        wait = replace(wait, means=str(profile.available_funds))
        if self.deferrable:
            trigger = RenderbusConditionTrigger(
                self.renderbus_conn_id, condition_to_dict(enough), wait.interval, wait.deadline
            )
            self.wait_in_triggerer(context, trigger, self.funds_came.__name__, wait)
        return self._goes_on_funded(self.wait_here(ConditionWorkerPoller(self.hook, enough), wait), wait)

    def _goes_on_funded(self, event: WaitResult, wait: Wait) -> Wait | None:
        """Start a render again for which money came; somebody may have done so before."""
        known = steps.find_task(self.hook, wait.number)
        if known is not None and known.status is not TaskStatus.ARREARAGE_STOP:
            return wait
        if event.outcome is not Outcome.SUCCEEDED:
            return None
        self.hook.clock.sleep(max(0.0, min(wait.started_at + wait.interval, wait.deadline) - time.time()))
        if time.time() >= wait.deadline:
            return None
        self.log.info("%s; starting task %s again", event.message, wait.number)
        restart(self.hook, wait.number)
        return replace(wait, started_at=time.time())

    def _amount(self, name: str) -> Decimal | None:
        given = getattr(self, name)
        return None if given is None else parse_decimal(name, given)
