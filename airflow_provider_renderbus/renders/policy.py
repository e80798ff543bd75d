"""Decides what happens to a render when a wait for it has ended.

An operator calls :meth:`RenderPolicy.next_step` with the result of a wait, carries out the step, and waits
again unless the step is :class:`Finish`. If a step asks for a fact, the operator adds it to :class:`Facts`
and calls again. docs/costs-and-retries.md lists every case in a table, which a test compares with this
module.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from airflow_provider_renderbus.api.states import Phase, TaskStatus
from airflow_provider_renderbus.api.text import join_limited
from airflow_provider_renderbus.renders.funds import funds_to_await
from airflow_provider_renderbus.renders.results import (
    FINISHED,
    RECOMMITTABLE,
    RESTARTABLE,
    Outcome,
    VersionMismatch,
    WaitResult,
    timed_out,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import timedelta

    from airflow_provider_renderbus.api.models.frames import Frame
    from airflow_provider_renderbus.renders.forecast import Forecast

OUT_OF_FUNDS = frozenset({TaskStatus.ARREARAGE_STOP})
# To resume a render from these states costs more.
_RESUMING_COSTS = RECOMMITTABLE | OUT_OF_FUNDS | {TaskStatus.FINISHED_TEST}
_TERMINAL = frozenset(status for status in TaskStatus if status.phase not in {Phase.ACTIVE, Phase.PAUSED})


@dataclass(frozen=True, slots=True)
class WaitState:
    """A wait for a render, as Airflow stores it while the task is deferred.

    :param render_task_id: id of the render.
    :param poll_interval: seconds between polls.
    :param deadline: when this try stops waiting, in seconds since 1970.
    :param max_duration_deadline: when the render is past its `max_duration`, or None.
    :param ignore_stops_until: a stop before this time is a stale one, meant for an earlier try.
    :param max_cost: upper limit of the cost in the account's currency, as text, or None.
    :param recommit_may_be_pending: whether an earlier try may have recommitted the failed frames.
    :param past_test_frames: whether the render was resumed after its test frames.
    :param tolerates_insufficient_funds: whether a stop for lack of funds is waited out, since the account's
        funds are hidden.
    :param funds_at_last_stop: the available funds when the render last stopped for lack of them, as text.
    :param last_restarted_at: when it was last restarted after a top-up.
    :param awaited_funds: the available funds that this wait is for, as text; None if it is for the render.
    :param undo_manual_stop: whether a user has asked to restart what somebody has stopped, and the farm has
        refused that for lack of funds.
    :param ignore_api_stop: whether the next stop through the API is a stale one too, however late: an earlier
        try may have been frozen for hours.
    :param forecast: the forecast at the pause after the test frames, as JSON; None before it.
    """

    render_task_id: int
    poll_interval: float
    deadline: float
    max_duration_deadline: float | None
    ignore_stops_until: float
    max_cost: str | None
    recommit_may_be_pending: bool
    past_test_frames: bool = False
    tolerates_insufficient_funds: bool = False
    funds_at_last_stop: str | None = None
    last_restarted_at: float = 0.0
    awaited_funds: str | None = None
    undo_manual_stop: bool = False
    ignore_api_stop: bool = False
    forecast: dict[str, Any] | None = None

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> WaitState:
        """Read what Airflow stored, perhaps for another version of this provider, or raise VersionMismatch.

        Fields that only the other version has are ignored; fields that it lacks get their defaults.
        """
        missing = [
            field.name for field in fields(cls) if field.default is MISSING and field.name not in stored
        ]
        if missing:
            raise VersionMismatch(
                f"the task was deferred by a version of the provider that this one does not know (without "
                f"{', '.join(missing)})"
            )
        return cls(**{field.name: stored[field.name] for field in fields(cls) if field.name in stored})


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was found out since the wait ended. None is a fact that was not asked for.

    :param available_funds: of the account, in its currency.
    :param funds_visible: whether the account shows its funds.
    :param failed_frames: the failed frames of the render.
    :param recommit_arrived: whether a recommit of an earlier try shows.
    :param still_halted: whether the render is still in the state in which it came to rest.
    :param has_paused: whether the pause before a restart is over.
    :param forecast: what the render is likely to cost in the end.
    """

    available_funds: Decimal | None = None
    funds_visible: bool = True
    failed_frames: tuple[Frame, ...] | None = None
    recommit_arrived: bool | None = None
    still_halted: bool | None = None
    has_paused: bool = False
    forecast: Forecast | None = None


@dataclass(frozen=True, slots=True)
class _Step:
    """What to do next, and the wait after it."""

    wait: WaitState


class KeepWaiting(_Step):
    """Wait again: the render is active."""


class AwaitFunds(_Step):
    """Wait until the account has the funds that the wait is for."""


class AwaitRestart(_Step):
    """Wait until a user restarts the render after a top-up, since the account's funds are hidden."""


class RestartIfStopped(_Step):
    """Restart the render if it is stopped: the stop was meant for an earlier try."""


class Restart(_Step):
    """Restart the render after a top-up."""


class FullSpeed(_Step):
    """Render the frames after the test frames."""


@dataclass(frozen=True, slots=True)
class Recommit(_Step):
    """Render failed frames again."""

    frames: tuple[Frame, ...]


class CheckFunds(_Step):
    """Ask for `available_funds` and `funds_visible`."""


class CheckFrames(_Step):
    """Ask for `failed_frames`."""


class CheckForecast(_Step):
    """Ask for `forecast` and `still_halted`."""


@dataclass(frozen=True, slots=True)
class ConfirmRecommit(_Step):
    """Ask for `recommit_arrived`, over 30 s."""

    frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class CheckHalted(_Step):
    """Ask for `still_halted`.

    :param states: the states in which the render came to rest.
    :param settle: whether to give the farm some seconds to show that the render is active again.
    """

    states: frozenset[TaskStatus]
    settle: bool


@dataclass(frozen=True, slots=True)
class Pause(_Step):
    """Sleep until a time, in seconds since 1970, for `has_paused`."""

    until: float


@dataclass(frozen=True, slots=True)
class Finish:
    """End the Airflow task.

    :param result: what to return or to fail with; its outcome says whether a retry may follow.
    :param stop: whether to stop the render: never, always, or if `cancel_on_kill` is on.
    :param final_poll: whether to poll once more and return the result if the render has succeeded meanwhile.
    """

    result: WaitResult
    stop: Literal["never", "if_cancel_on_kill", "always"] = "never"
    final_poll: bool = False


Action: TypeAlias = (
    KeepWaiting | AwaitFunds | AwaitRestart | RestartIfStopped | Restart | FullSpeed | Recommit
)
Check: TypeAlias = CheckFunds | CheckFrames | CheckForecast | ConfirmRecommit | CheckHalted | Pause
Step: TypeAlias = Action | Check | Finish

MAX_RECOMMITS = 100
"""More recommits of a frame, each of which is paid, are taken for a typing error."""
OnInsufficientFunds: TypeAlias = Literal["fail", "wait"]
OnFailedFrames: TypeAlias = Literal["fail", "accept", "recommit"]
OnMissingFrames: TypeAlias = Literal["fail", "accept", "recommit"]
OnTestFramesDone: TypeAlias = Literal["wait", "succeed", "full_speed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderPolicy:
    """What the author of a DAG decided on the ends of a render.

    :param on_insufficient_funds: "fail", or "wait" for a top-up and restart.
    :param on_failed_frames: "fail", "accept", or "recommit" them.
    :param max_recommits: how often a frame may be recommitted in all, over all tries.
    :param on_test_frames_done: at the pause after the test frames, "wait" for a user, "succeed", or request
        "full_speed".
    :param max_duration: how long the render may take from its submit, for messages.
    :param rerender_hint: how a user gets a new render, for messages.
    """

    on_insufficient_funds: OnInsufficientFunds = "fail"
    on_failed_frames: OnFailedFrames = "fail"
    max_recommits: int = 1
    on_test_frames_done: OnTestFramesDone = "wait"
    max_duration: timedelta | None = None
    rerender_hint: str = ""

    def is_success(self, status: TaskStatus | None) -> bool:
        """Return whether a render that has come to rest in a state is a success."""
        return (
            status in FINISHED
            or (status is TaskStatus.FINISHED_HAS_FAILED and self.on_failed_frames == "accept")
            or (status is TaskStatus.FINISHED_TEST and self.on_test_frames_done == "succeed")
        )

    def target_states(self, wait: WaitState) -> frozenset[TaskStatus]:
        """Return the states to wait for."""
        targets = frozenset(filter(self.is_success, TaskStatus))
        is_decided = {
            "full_speed": wait.past_test_frames,
            "wait": wait.max_cost is None or wait.forecast is not None,
        }
        if is_decided.get(self.on_test_frames_done, True):
            return targets
        return targets | {TaskStatus.FINISHED_TEST}

    def failed_states(self, wait: WaitState) -> frozenset[TaskStatus] | None:
        """Return the states that count as failed; None for all terminal ones that are no target."""
        return _TERMINAL - OUT_OF_FUNDS if wait.tolerates_insufficient_funds else None

    def next_step(  # noqa: PLR0911 - the cases of a table
        self,
        result: WaitResult,
        wait: WaitState | VersionMismatch | None,
        *,
        now: float,
        facts: Facts | None = None,
    ) -> Step:
        """Return what to do after a wait has ended, given what was found out since.

        :param wait: what was waited for; VersionMismatch if another version of this provider stored it, None
            if Airflow lost it, as ``dag.test()`` does.
        :param now: seconds since 1970.
        """
        facts = facts or Facts()
        if isinstance(wait, VersionMismatch):
            return Finish(WaitResult(Outcome.FAILED, str(wait)), "if_cancel_on_kill")
        if wait is None:
            return self._finish_without_wait(result)
        if result.is_unread:
            return KeepWaiting(wait)
        if wait.awaited_funds is not None:
            return self._after_funds(result, wait, now, facts)
        if result.outcome is Outcome.STALE_STOP:
            is_late = now >= wait.ignore_stops_until
            return RestartIfStopped(replace(wait, ignore_api_stop=wait.ignore_api_stop and not is_late))
        if self._is_over_budget(result, wait):
            return self._over_budget(result, wait)
        if result.state is TaskStatus.FINISHED_TEST and self.on_test_frames_done != "succeed":
            return self._after_test_frames(result, wait, facts)
        if result.state in OUT_OF_FUNDS and self.on_insufficient_funds == "wait":
            return self._out_of_funds(result, wait, facts)
        if result.state in RECOMMITTABLE and self.on_failed_frames == "recommit":
            return self._recommit(result, wait, now, facts)
        return self._finish(result, wait, now)

    def recommit_missing(self, frames: Iterable[Frame], wait: WaitState, cost: Decimal) -> Recommit | None:
        """Return the recommit of frames that are done and have no file, as far as it is allowed.

        :param cost: of the render so far.
        """
        eligible = tuple(frame for frame in frames if frame.may_be_recommitted(self.max_recommits))
        if not eligible or (wait.max_cost is not None and cost > Decimal(wait.max_cost)):
            return None
        return Recommit(replace(wait, recommit_may_be_pending=False), eligible)

    def _is_over_budget(self, result: WaitResult, wait: WaitState) -> bool:
        """Return whether the cost so far forbids to continue the render."""
        if result.outcome is Outcome.OVER_BUDGET:
            return True
        if result.state not in _RESUMING_COSTS or self.is_success(result.state) or wait.max_cost is None:
            return False
        return Decimal(result.first_result.get("cost", 0)) > Decimal(wait.max_cost)

    def _over_budget(self, result: WaitResult, wait: WaitState) -> Finish:
        if result.outcome is not Outcome.OVER_BUDGET:
            message = f"{result.message} exceeds max_cost {wait.max_cost}"
            result = replace(result, outcome=Outcome.OVER_BUDGET, message=message)
        return Finish(result, "always")

    def _after_test_frames(self, result: WaitResult, wait: WaitState, facts: Facts) -> Step:
        """Decide by the forecast: nothing is rendered during the pause, so nothing is lost by a failure."""
        if facts.forecast is None:
            return CheckForecast(wait)
        if facts.still_halted is False:
            # A user has resumed it meanwhile: from now on its cost counts.
            return KeepWaiting(wait)
        wait = replace(wait, forecast=facts.forecast.to_dict())
        if wait.max_cost is not None and facts.forecast.exceeds(Decimal(wait.max_cost)):
            message = (
                f"{result.message}; the forecast {facts.forecast} exceeds max_cost {wait.max_cost}. The "
                f"render stays paused, which costs nothing. To render the other frames, raise max_cost and "
                f"clear this task; else abandon the render in the web console"
            )
            summary = {**result.first_result, "forecast": wait.forecast}
            return Finish(WaitResult(Outcome.OVER_BUDGET, message, summary))
        if self.on_test_frames_done == "full_speed":
            return FullSpeed(replace(wait, past_test_frames=True))
        return KeepWaiting(wait)

    def _out_of_funds(self, result: WaitResult, wait: WaitState, facts: Facts) -> Step:
        """Wait for a top-up, in sight of the funds or of the render.

        A render that is refused again although a user was to restart it is not waited for once more.
        """
        if facts.available_funds is None:
            return CheckFunds(wait)
        if not facts.funds_visible and wait.tolerates_insufficient_funds:
            return Finish(replace(result, result=None), "if_cancel_on_kill")
        if not facts.funds_visible:
            return AwaitRestart(replace(wait, tolerates_insufficient_funds=True))
        return AwaitFunds(
            replace(
                wait,
                funds_at_last_stop=str(facts.available_funds),
                awaited_funds=funds_to_await(facts.available_funds, wait.funds_at_last_stop),
            )
        )

    def _after_funds(self, result: WaitResult, wait: WaitState, now: float, facts: Facts) -> Step:
        """Restart the render after a top-up, one poll interval after the last restart, unless a user has."""
        if facts.still_halted is None:
            # A render whose restart was refused for lack of funds is still stopped.
            return CheckHalted(wait, OUT_OF_FUNDS | RESTARTABLE, settle=False)
        if not facts.still_halted:
            return KeepWaiting(replace(wait, awaited_funds=None, undo_manual_stop=False))
        if result.outcome is Outcome.SUCCEEDED:
            earliest = min(wait.last_restarted_at + wait.poll_interval, wait.deadline)
            if now < earliest and not facts.has_paused:
                return Pause(wait, earliest)
            if now < wait.deadline:
                return Restart(replace(wait, awaited_funds=None, undo_manual_stop=False))
            result = timed_out(result.message)
        return self._finish(result, wait, now)

    def _recommit(  # noqa: PLR0911 - the cases of a table
        self, result: WaitResult, wait: WaitState, now: float, facts: Facts
    ) -> Step:
        """Recommit the failed frames that may be, unless they are being rendered again already.

        The farm counts the recommits of each frame, so that no count is lost with a process.
        """
        failed = facts.failed_frames
        if failed is None:
            return CheckFrames(wait)
        resumed = replace(wait, recommit_may_be_pending=False)
        if failed and wait.recommit_may_be_pending:
            if facts.recommit_arrived is None:
                return ConfirmRecommit(wait, failed)
            if facts.recommit_arrived:
                return KeepWaiting(resumed)
        eligible = tuple(frame for frame in failed if frame.may_be_recommitted(self.max_recommits))
        if eligible:
            return Recommit(resumed, eligible)
        if not failed:
            # No frame failed if the whole task failed, or if the failed frames are being rendered again.
            if facts.still_halted is None:
                return CheckHalted(wait, RECOMMITTABLE, settle=True)
            if not facts.still_halted:
                return KeepWaiting(resumed)
        if refused := [frame.name for frame in failed if not frame.is_recommittable]:
            message = (
                f"{result.message}. The farm does not recommit frames that timed out, are merged or are "
                f"distributed: {join_limited(refused, ', ')}"
            )
            result = replace(result, message=message)
        return self._finish(result, wait, now)

    def _finish(self, result: WaitResult, wait: WaitState, now: float) -> Finish:
        if result.result is not None:
            return Finish(self._with_hint(result))
        if (
            result.outcome is Outcome.TIMED_OUT
            and wait.max_duration_deadline
            and now >= wait.max_duration_deadline
        ):
            message = f"{result.message}; max_duration ({self.max_duration}) is over"
            result = replace(result, outcome=Outcome.FAILED_PERMANENTLY, message=message)
        return Finish(result, "if_cancel_on_kill", final_poll=True)

    def _finish_without_wait(self, result: WaitResult) -> Finish:
        if result.outcome is Outcome.SUCCEEDED and not self.is_success(result.state):
            # It ended a wait for funds, or at the pause after the test frames.
            message = f"Airflow lost the wait of this deferred task; it ended with: {result.message}"
            return Finish(WaitResult(Outcome.FAILED, message))
        return Finish(self._with_hint(result))

    def _with_hint(self, result: WaitResult) -> WaitResult:
        """Return the result; if frames have failed, as a permanent failure with a hint to the user."""
        # The triggerer of an earlier version reports this as a failure that may be retried.
        failures = {Outcome.FAILED, Outcome.FAILED_PERMANENTLY}
        if result.outcome not in failures or result.state not in RECOMMITTABLE:
            return result
        hint = (
            # Before Airflow 3.3, clearing a task whose render counts as a success renders again.
            f"Not retrying: a retry would find the same failed frames. To continue this render, set "
            f'on_failed_frames to "recommit" (with a higher max_recommits if it is used up) or, on Airflow '
            f'3.3, to "accept", and clear this task. To render again, {self.rerender_hint}'
        )
        return replace(result, outcome=Outcome.FAILED_PERMANENTLY, message=f"{result.message}. {hint}")
