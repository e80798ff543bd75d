"""Submits a render and waits for its end: carries out the steps that the render's policy decides on."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn, get_args

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import InsufficientFunds
from airflow_provider_renderbus.api.validation import (
    MAX_ARTIST_CHARS,
    one_line,
    one_of,
    optional,
    parse_decimal,
    parse_int_from,
    parse_seconds,
    require_bool,
)
from airflow_provider_renderbus.cancel_on_kill import CancelOnKillMixin, execution_deadline
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.native_templates import require_rendered
from airflow_provider_renderbus.operators.base import RenderbusOperator
from airflow_provider_renderbus.operators.starting import require_funds, submit_render, submit_with_funds
from airflow_provider_renderbus.polling.worker import (
    ConditionWorkerPoller,
    TaskWorkerPoller,
    default_poll_interval,
    deferral_timeout,
)
from airflow_provider_renderbus.renders import recommit, restart, submit
from airflow_provider_renderbus.renders.conditions import SufficientFunds, condition_to_dict
from airflow_provider_renderbus.renders.funds import UnfundedRender, refused_result
from airflow_provider_renderbus.renders.policy import (
    MAX_RECOMMITS,
    Action,
    AwaitFunds,
    AwaitRestart,
    Check,
    Facts,
    Finish,
    FullSpeed,
    KeepWaiting,
    OnFailedFrames,
    OnInsufficientFunds,
    OnTestFramesDone,
    Recommit,
    RenderPolicy,
    Restart,
    RestartIfStopped,
    WaitState,
)
from airflow_provider_renderbus.renders.reattach import MARKER_START
from airflow_provider_renderbus.renders.results import (
    Outcome,
    VersionMismatch,
    WaitResult,
    describe,
    summary,
)
from airflow_provider_renderbus.task_result import (
    add_asset_event_extra,
    records_end,
    result_or_raise,
    translate_errors,
)
from airflow_provider_renderbus.triggers.conditions import RenderbusConditionTrigger
from airflow_provider_renderbus.triggers.tasks import RenderbusTaskTrigger

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from airflow_provider_renderbus.clients.clock import Clock
    from airflow_provider_renderbus.compat import Context, XComArg
    from airflow_provider_renderbus.polling.worker import WorkerPoller
    from airflow_provider_renderbus.triggers.base import RenderbusTrigger

DEFAULT_TIMEOUT = timedelta(days=7)
# The templated arguments that limit what a render costs.
BUDGET_FIELDS = ("max_cost", "min_funds")


class SubmittingOperator(CancelOnKillMixin, RenderbusOperator):
    """An operator that submits a render and can wait for its end.

    Subclasses document the arguments.
    """

    template_fields = (*RenderbusOperator.template_fields, *BUDGET_FIELDS, "artist")
    rerender_hint: str
    _deadline: float | None = None
    _restart_refusal: InsufficientFunds | None = None
    _undo_manual_stop = False
    recorded_ids: Sequence[int] = ()
    """The renders, for the record of a failure."""
    ended_wait: WaitResult | None = None
    """The end of the wait, for the record of a failure."""

    def __init__(
        self,
        *,
        poll_interval: float | None,
        timeout: float | timedelta,
        max_duration: float | timedelta | None,
        max_cost: Decimal | float | str | XComArg | None,
        min_funds: Decimal | float | str | XComArg | None,
        artist: str | XComArg | None,
        on_insufficient_funds: OnInsufficientFunds,
        on_failed_frames: OnFailedFrames,
        max_recommits: int,
        on_test_frames_done: OnTestFramesDone,
        cancel_on_kill: bool,
        deferrable: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.poll_interval = poll_interval
        self.timeout = _positive_timedelta("timeout", timeout)
        self.max_cost = max_cost
        self.min_funds = min_funds
        self.artist: Any = artist
        self.cancel_on_kill = require_bool("cancel_on_kill", cancel_on_kill)
        self.deferrable = require_bool("deferrable", deferrable)
        self.policy = RenderPolicy(
            on_insufficient_funds=one_of(
                "on_insufficient_funds", on_insufficient_funds, get_args(OnInsufficientFunds)
            ),
            on_failed_frames=one_of("on_failed_frames", on_failed_frames, get_args(OnFailedFrames)),
            max_recommits=parse_int_from("max_recommits", max_recommits, 0, MAX_RECOMMITS),
            on_test_frames_done=one_of(
                "on_test_frames_done", on_test_frames_done, get_args(OnTestFramesDone)
            ),
            max_duration=None if max_duration is None else _positive_timedelta("max_duration", max_duration),
            rerender_hint=self.rerender_hint,
        )

    @property
    def waits(self) -> bool:
        """Whether the operator waits for the end of the render."""
        return True

    @property
    def report_folder(self) -> Path | None:
        """Where a file with all failed frames is written, if any has failed."""
        return None

    def load_connection(self) -> None:
        """Load the connection, since a process that is being killed cannot, and create the client.

        A trigger creates its client in the same way, so it will be able to wait for what is submitted.

        :raises ValueError: fields of the connection are wrong or missing, or the environment's proxy or the
            certificate authorities cannot be used.
        """
        _ = self.hook.client

    def validate_arguments(self) -> None:
        """Check the arguments that are known only once templates are rendered.

        :raises ValueError: one of them is wrong.
        """
        require_rendered(self, (*BUDGET_FIELDS, "assets", "download_folder"))
        self.seconds_between_polls()
        artist = optional(one_line, "artist", self.artist, MAX_ARTIST_CHARS)
        if artist and MARKER_START in artist:
            # The Airflow task of that marker would take this render for its own.
            raise ValueError(
                f"artist: must be without {MARKER_START!r}, which begins the marker of a render, "
                f"got {artist!r}"
            )
        if self.min_funds is not None:
            parse_decimal("min_funds", self.min_funds)
        self._max_cost()
        if self.deferrable:
            # What Airflow cannot store would be refused only after the render is paid.
            wait = WaitState(1, self.seconds_between_polls(), 0.0, None, 0.0, None, False)
            json.dumps([self._trigger(wait).serialize(), asdict(wait)], allow_nan=False)

    def push_links(self, context: Context, *render_task_ids: int) -> None:
        """Show the links to renders at once, and record that their end is not known yet."""
        super().push_links(context, *render_task_ids)
        from airflow_provider_renderbus.render_record import push_start

        push_start(self, context, render_task_ids)

    def submit(
        self, context: Context, render_task_id: int, artist: str | None, *, may_be_submitted: bool
    ) -> None:
        """Submit a render if the account has `min_funds`: see :func:`.starting.submit_render`."""
        if self.min_funds is not None:
            profile = self.hook.send(calls.query_user_profile())
            submit.check_funds(profile, parse_decimal("min_funds", self.min_funds))
        submit_render(self, context, render_task_id, artist, may_be_submitted=may_be_submitted)

    @records_end
    def execute_with_funds(
        self, context: Context, event: dict[str, Any], unfunded: dict[str, Any] | None = None
    ) -> Any:
        """Continue after the wait for funds, for lack of which the farm refused to create or submit.

        ``dag.test()`` loses `unfunded`; then it starts from the beginning, since nothing was submitted.
        """
        refused = UnfundedRender(**unfunded) if unfunded else None
        with translate_errors(), self.stop_renders_on_error():
            require_funds(WaitResult.from_dict_or_failure(event))
            if refused is not None:
                self._deadline = refused.deadline
                if refused.render_task_id is not None:
                    self.load_connection()
                    self.push_links(context, refused.render_task_id)
                    submit_with_funds(self, refused, refused.render_task_id)
        if refused is None or refused.render_task_id is None:
            return self.execute(context)
        return self.wait_for_render(context, refused.render_task_id, reattached=True)

    def wait_for_render(self, context: Context, render_task_id: int, *, reattached: bool) -> dict[str, Any]:
        """Wait for the end of a submitted render, here or deferred, and return its result.

        :param reattached: whether an earlier try submitted it, whose stop may still be on its way.
        """
        self.owned_render_task_ids = [render_task_id]
        now = self._clock.now()
        deadlines = [self.try_deadline(context)]
        max_duration_deadline = None
        if self.policy.max_duration is not None:
            with translate_errors(), self.stop_renders_on_error():
                submitted_at = submit.submit_time(self.hook, render_task_id)
            max_duration_deadline = submitted_at + self.policy.max_duration.total_seconds()
            deadlines.append(max_duration_deadline)
        max_cost = self._max_cost()
        wait = WaitState(
            render_task_id,
            self.seconds_between_polls(),
            min(deadlines),
            max_duration_deadline,
            ignore_stops_until=now + restart.STALE_STOP_WINDOW if reattached else 0.0,
            max_cost=None if max_cost is None else str(max_cost),
            recommit_may_be_pending=reattached,
            ignore_api_stop=reattached,
            undo_manual_stop=self._undo_manual_stop,
        )
        if self._restart_refusal is None:
            return self._take_steps(context, *self._poll_or_defer(context, wait))
        with translate_errors():
            task = self.hook.run(flows.get_task(render_task_id))
        stopped = WaitResult(Outcome.FAILED_PERMANENTLY, describe(task), summary(task))
        return self._take_steps(context, refused_result(stopped, self._restart_refusal), wait)

    def restart_stopped(self, render_task_id: int, *, is_cleared: bool) -> None:
        """Restart the render of an earlier try if it is stopped; :meth:`wait_for_render` waits for funds.

        :param is_cleared: whether a user has cleared the Airflow task since, and so asked for a restart.
        """
        try:
            restart.restart_stopped(
                self.hook, [render_task_id], self._max_cost(), undo_manual_stops=is_cleared
            )
        except InsufficientFunds as error:
            if self.policy.on_insufficient_funds != "wait" or not self.waits:
                raise
            self._restart_refusal, self._undo_manual_stop = error, is_cleared

    @records_end
    def execute_complete(
        self, context: Context, event: dict[str, Any], wait: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Continue after the trigger has reported the end of the wait. ``dag.test()`` loses `wait`."""
        result = WaitResult.from_dict_or_failure(event)
        return self._take_steps(context, result, self._restore_wait(context, wait))

    def wait_on_worker(self, context: Context, task_ids: Sequence[int]) -> dict[str, Any]:
        """Wait for a render whose trigger has failed."""
        self.deferrable = False
        (task_id,) = task_ids
        self.push_links(context, task_id)
        return self.wait_for_render(context, task_id, reattached=context["ti"].try_number > 1)

    def collect_result(
        self, context: Context, result: dict[str, Any], wait: WaitState | None
    ) -> dict[str, Any] | Action:
        """Return what the operator returns for a render that has succeeded, or what is to be done first."""
        return result

    def _take_steps(
        self, context: Context, result: WaitResult, wait: WaitState | VersionMismatch | None
    ) -> dict[str, Any]:
        """Carry out the steps that follow the end of a wait until one finishes the task."""
        facts = Facts()
        if result.is_unread:
            self.log.warning("%s. This worker waits instead", result.message)
            self.deferrable = False
        while True:
            step = self.policy.next_step(result, wait, now=self._clock.now(), facts=facts)
            if isinstance(step, Finish):
                returned = self._finish(context, step, wait)
                if isinstance(returned, dict):
                    return returned
                step = returned
            with translate_errors(), self.stop_renders_on_error():
                if isinstance(step, Check):
                    from airflow_provider_renderbus.renders.facts import find_fact

                    facts = find_fact(self.hook, step, facts)
                    continue
                try:
                    wait = self._act(step)
                except InsufficientFunds as error:
                    # As if the render had stopped for that. What the step would change is decided on again.
                    refused = wait if isinstance(wait, WaitState) else step.wait
                    wait = replace(refused, awaited_funds=None, last_restarted_at=self._clock.now())
                    result, facts = refused_result(result, error), Facts()
                else:
                    (result, wait), facts = self._poll_or_defer(context, wait), Facts()

    def _act(self, step: Action) -> WaitState:
        """Do what a step says, and return the wait that follows."""
        task_id = step.wait.render_task_id
        match step:
            case RestartIfStopped():
                restart.restart_stopped(self.hook, [task_id], _decimal(step.wait.max_cost))
            case Restart():
                self.log.info("Render %s: restarting it after a top-up", task_id)
                restart.restart(self.hook, task_id)
                return replace(step.wait, last_restarted_at=self._clock.now())
            case FullSpeed():
                self.log.info("Render %s: test frames done, requesting full speed", task_id)
                self.hook.send(calls.full_speed([task_id]))
            case Recommit():
                recommit.recommit(self.hook, task_id, step.frames)
            case AwaitFunds():
                self.log.warning(
                    "Render %s: stopped for lack of funds, waiting until %s are available",
                    task_id,
                    step.wait.awaited_funds,
                )
            case AwaitRestart():
                self.log.warning(
                    "Render %s: stopped for lack of funds, and this account's funds are hidden. Waiting "
                    "until a user restarts it in the web console after a top-up",
                    task_id,
                )
            case KeepWaiting():
                pass
        return step.wait

    def _poll_or_defer(self, context: Context, wait: WaitState) -> tuple[WaitResult, WaitState]:
        """Return how a wait ends, and what is left of it; or defer until its trigger reports that."""
        poller = self._poller(wait)
        # A trigger that fires at once costs another worker's start, and can overtake Airflow's scheduler.
        result = poller.poll() if self.deferrable else poller.poll_until(wait.deadline, wait.poll_interval)
        self.show_shot_name(context, scene=poller.scene_name)
        if wait.awaited_funds is None:
            wait = replace(wait, ignore_api_stop=poller.ignores_api_stop)
        if result is None:
            self._defer(context, wait)
        return result, wait

    def _defer(self, context: Context, wait: WaitState) -> NoReturn:
        self.release_renders(context)
        self.defer(
            trigger=self._trigger(wait),
            method_name=self.execute_complete.__name__,
            kwargs={"wait": asdict(wait)},
            timeout=deferral_timeout(wait.deadline, self._clock.now()),
        )

    def _poller(self, wait: WaitState) -> WorkerPoller:
        if wait.awaited_funds is not None:
            return ConditionWorkerPoller(self.hook, SufficientFunds(wait.awaited_funds))
        return TaskWorkerPoller(
            self.hook,
            [wait.render_task_id],
            self.policy.target_states(wait),
            self.policy.failed_states(wait),
            ignore_stops_until=wait.ignore_stops_until,
            ignore_api_stop=wait.ignore_api_stop,
            max_cost=_decimal(wait.max_cost),
        )

    def _trigger(self, wait: WaitState) -> RenderbusTrigger:
        if wait.awaited_funds is not None:
            return self.funds_trigger(wait.awaited_funds, wait.poll_interval, wait.deadline)
        failed_states = self.policy.failed_states(wait)
        return RenderbusTaskTrigger(
            self.renderbus_conn_id,
            [wait.render_task_id],
            sorted(self.policy.target_states(wait)),
            None if failed_states is None else sorted(failed_states),
            wait.poll_interval,
            wait.deadline,
            cancel_on_kill=self.cancel_on_kill,
            ignore_stops_until=wait.ignore_stops_until,
            ignore_api_stop=wait.ignore_api_stop,
            max_cost=wait.max_cost,
        )

    def funds_trigger(self, funds: str, poll_interval: float, deadline: float) -> RenderbusTrigger:
        """Return the trigger that waits for funds."""
        condition = condition_to_dict(SufficientFunds(funds))
        return RenderbusConditionTrigger(self.renderbus_conn_id, condition, poll_interval, deadline)

    def _restore_wait(
        self, context: Context, stored: dict[str, Any] | None
    ) -> WaitState | VersionMismatch | None:
        """Return the wait that was deferred, and own its render again."""
        if stored is None:
            return None
        with translate_errors():
            try:
                wait = WaitState.from_dict(stored)
            except VersionMismatch as error:
                self.owned_render_task_ids = self.deferred_render_task_ids(context)
                return error
            self.show_links(context, wait.render_task_id)
        self.recorded_ids = [wait.render_task_id]
        self.owned_render_task_ids = [wait.render_task_id]
        return wait

    def _finish(
        self, context: Context, step: Finish, wait: WaitState | VersionMismatch | None
    ) -> dict[str, Any] | Action:
        """Return the result of the render or what is to be done first, or fail."""
        result = step.result
        self.show_shot_name(context, scene=result.first_result.get("scene"))
        self.hook.wait_to_be_killed()  # a newer try may have caused this end
        with translate_errors():
            if step.stop == "always":
                result = self.stop_and_annotate(result)
            elif step.stop == "if_cancel_on_kill":
                result = self.stop_if_enabled(result)
            if step.final_poll and isinstance(wait, WaitState):
                # Without the other conditions of the wait: a stop is not to be undone now.
                # Nor is full speed requested any more: the pause after the test frames is no success of it.
                targets = self.policy.target_states(replace(wait, past_test_frames=True))
                last_result = TaskWorkerPoller(self.hook, [wait.render_task_id], targets).poll()
                if last_result is not None and last_result.outcome is Outcome.SUCCEEDED:
                    result = last_result
            from airflow_provider_renderbus.renders.failure_report import add_failure_report
            from airflow_provider_renderbus.renders.forecast import add_forecast

            known = wait if isinstance(wait, WaitState) else None
            result = add_failure_report(self.hook, result, self.report_folder)
            result = add_forecast(self.hook, result, known.forecast if known else None)
        self.ended_wait = result
        returned = self.collect_result(context, result_or_raise(result)[0], known)
        add_asset_event_extra(context, self.outlets, returned)
        return returned

    @property
    def _clock(self) -> Clock:
        return self.hook.clock

    def try_deadline(self, context: Context) -> float:
        """Return when this try stops waiting, in seconds since 1970; it stays the same over its deferrals."""
        if self._deadline is None:
            now = self._clock.now()
            deadlines = [now + self.timeout.total_seconds()]
            if self.deferrable:
                deadlines.append(execution_deadline(self, context, now))
            self._deadline = min(deadlines)
        return self._deadline

    def seconds_between_polls(self) -> float:
        """Return the poll interval, which must be valid before anything is submitted."""
        value = default_poll_interval() if self.poll_interval is None else self.poll_interval
        return parse_seconds("poll_interval", value)

    def _max_cost(self) -> Decimal | None:
        return None if self.max_cost is None else parse_decimal("max_cost", self.max_cost, above_zero=True)


def _positive_timedelta(name: str, value: float | timedelta) -> timedelta:
    """Return a time that a render can take; without any it would be paid, and stopped at the first poll."""
    seconds = parse_seconds(name, value.total_seconds() if isinstance(value, timedelta) else value)
    return timedelta(seconds=seconds)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
