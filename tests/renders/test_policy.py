"""The policy of a render at each end of a wait, without Airflow, farm or sleep."""

import itertools
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest

from airflow_provider_renderbus.api.errors import InsufficientFunds
from airflow_provider_renderbus.api.models.frames import Frame
from airflow_provider_renderbus.api.models.tasks import TaskInfo
from airflow_provider_renderbus.api.states import STOP_TYPE_INFO, FrameStatus, StopType, TaskStatus
from airflow_provider_renderbus.renders.forecast import Forecast, LayerForecast
from airflow_provider_renderbus.renders.funds import refused_result
from airflow_provider_renderbus.renders.policy import (
    AwaitFunds,
    AwaitRestart,
    CheckForecast,
    CheckFrames,
    CheckFunds,
    CheckHalted,
    ConfirmRecommit,
    Facts,
    Finish,
    FullSpeed,
    KeepWaiting,
    OnFailedFrames,
    OnInsufficientFunds,
    OnTestFramesDone,
    Pause,
    Recommit,
    RenderPolicy,
    Restart,
    RestartIfStopped,
    WaitState,
)
from airflow_provider_renderbus.renders.results import (
    Outcome,
    VersionMismatch,
    WaitResult,
    evaluate_task,
    permanent_failure,
    timed_out,
)
from tests.state_names import OTHER, codes_in

NOW, DEADLINE, MAX_COST = 1000.0, 2000.0, "5"
WAIT = WaitState(35, 60.0, DEADLINE, None, 0.0, MAX_COST, recommit_may_be_pending=False)
DOCUMENT = Path(__file__).parents[2] / "docs/costs-and-retries.md"
ACTIONS = {
    KeepWaiting: "waits",
    AwaitFunds: "waits for more funds",
    AwaitRestart: "waits until a user restarts it",
    RestartIfStopped: "restarts it if it is stopped, waits",
    Restart: "restarts it, waits",
    FullSpeed: "requests full speed, waits",
    Recommit: "recommits them, waits",
}
STOPS = {"never": "", "always": "stops it, ", "if_cancel_on_kill": "stops it if `cancel_on_kill`, "}
PERMANENT = {Outcome.FAILED_PERMANENTLY, Outcome.OVER_BUDGET}


def frame(frame_id, recommits):
    return Frame(frame_id, str(frame_id), FrameStatus.ERROR, recommits=recommits)


def forecast_of(cost):
    amount = Decimal(cost)
    return Forecast((LayerForecast("sh010", 35, Decimal(1), 3, 21, amount, Decimal(1), amount),))


FORECASTS = {"within `max_cost`": forecast_of(MAX_COST), "above `max_cost`": forecast_of("5.01")}
RESUMED = {"forecast": FORECASTS["above `max_cost`"], "still_halted": False}
FRAMES = {
    "none": (),
    "below `max_recommits`": (frame(1, 0), frame(2, 1)),
    "at `max_recommits`": (frame(2, 1),),
}


def words(step):
    """Return a step that is no check in the words of the document."""
    if not isinstance(step, Finish):
        return ACTIONS[type(step)]
    if step.result.outcome is Outcome.SUCCEEDED:
        assert (step.stop, step.final_poll) == ("never", False)
        return "succeeds"
    poll = "polls once more, " if step.final_poll else ""
    fails = "fails without retries" if step.result.outcome in PERMANENT else "fails, may be retried"
    return STOPS[step.stop] + poll + fails


def answers(step):
    """Yield the possible answers to a check: in words, and as facts."""
    match step:
        case CheckFunds():
            yield ("funds", "visible"), {"available_funds": Decimal(3), "funds_visible": True}
            yield ("funds", "hidden"), {"available_funds": Decimal(3), "funds_visible": False}
        case CheckFrames():
            yield from ((("failed frames", name), {"failed_frames": each}) for name, each in FRAMES.items())
        case CheckForecast(WaitState(max_cost=None)):
            yield ("forecast", "any"), {"forecast": FORECASTS["above `max_cost`"]}
            yield ("state", "active"), RESUMED
        case CheckForecast():
            yield from ((("forecast", name), {"forecast": each}) for name, each in FORECASTS.items())
            yield ("state", "active"), RESUMED
        case ConfirmRecommit():
            yield ("recommit of the try before", "arrived"), {"recommit_arrived": True}
            yield ("recommit of the try before", "none"), {"recommit_arrived": False}
        case CheckHalted():
            yield ("state", "unchanged"), {"still_halted": True}
            yield ("state", "active"), {"still_halted": False}
        case Pause(until=until):
            until = "until the deadline" if until == DEADLINE else "a poll interval after the last restart"
            yield ("pause", until), {"has_paused": True}


@dataclass
class Case:
    """The end of a wait under a policy."""

    end: str
    policy: RenderPolicy
    result: WaitResult
    wait: WaitState = WAIT
    conditions: set[str] = field(default_factory=set)
    now: float = NOW

    def branches(self, facts=None, asked=(), now=None):
        """Yield what is asked and what happens then, for every answer to every question."""
        now = self.now if now is None else now
        step = self.policy.next_step(self.result, self.wait, now=now, facts=facts)
        if isinstance(step, (Finish, *ACTIONS)):
            yield asked, words(step)
            return
        assert step.wait == self.wait
        for answer, values in answers(step):
            later = step.until if isinstance(step, Pause) else now
            yield from self.branches(replace(facts or Facts(), **values), (*asked, answer), later)


def policies():
    settings = {
        "on_insufficient_funds": get_args(OnInsufficientFunds),
        "on_failed_frames": get_args(OnFailedFrames),
        "on_test_frames_done": get_args(OnTestFramesDone),
    }
    for values in itertools.product(*settings.values()):
        chosen = dict(zip(settings, values, strict=True))
        conditions = {f'`{name}="{value}"`' for name, value in chosen.items()}
        yield RenderPolicy(**chosen, max_duration=timedelta(hours=1)), conditions


def codes_with_stop_types():
    for status in TaskStatus:
        code = 77 if status is TaskStatus.UNKNOWN else status.value
        stop_types = (None, *STOP_TYPE_INFO) if status in {TaskStatus.STOP, TaskStatus.USER_STOP} else (None,)
        yield from ((code, stop_type) for stop_type in stop_types)


def ends_in_a_state():
    """Yield every state of a render, under every policy and every state of the wait."""
    flags = (
        "ignores_stops",
        "ignores_api_stop",
        "reattached",
        "past_test_frames",
        "known_hidden_funds",
        "is_dear",
        "no_max_cost",
    )
    for (policy, settings), (code, stop_type) in itertools.product(policies(), codes_with_stop_types()):
        status = TaskInfo(35, code, stop_type=stop_type).status
        for values in itertools.product((False, True), repeat=len(flags)):
            flag = dict(zip(flags, values, strict=True))
            if flag["known_hidden_funds"] and policy.on_insufficient_funds != "wait":
                continue
            if flag["past_test_frames"] and policy.on_test_frames_done == "succeed":
                continue
            if flag["no_max_cost"] and (status is not TaskStatus.FINISHED_TEST or flag["is_dear"]):
                continue
            wants_full_speed = policy.on_test_frames_done == "full_speed"
            wait = replace(
                WAIT,
                recommit_may_be_pending=flag["reattached"],
                past_test_frames=flag["past_test_frames"] and wants_full_speed,
                tolerates_insufficient_funds=flag["known_hidden_funds"],
                max_cost=None if flag["no_max_cost"] else MAX_COST,
                forecast={"cost": "5"} if flag["past_test_frames"] else None,
            )
            cost = Decimal("5.01" if flag["is_dear"] else 5)
            result = evaluate_task(
                TaskInfo(35, code, stop_type=stop_type, render_consume=cost),
                policy.target_states(wait),
                policy.failed_states(wait),
                ignore_stops=flag["ignores_stops"],
                ignore_api_stop=flag["ignores_api_stop"],
                max_cost=None if flag["no_max_cost"] else Decimal(MAX_COST),
            )
            past_pause = "full speed was requested" if wants_full_speed else "the forecast was checked"
            conditions = settings | {
                words
                for name, words in (
                    ("ignores_stops", "in the first minute after a retry has reattached"),
                    ("reattached", "a retry has reattached"),
                    ("past_test_frames", f"{past_pause} before"),
                    ("known_hidden_funds", "the funds are known to be hidden"),
                    ("is_dear", "cost above `max_cost`"),
                    ("no_max_cost", "no `max_cost`"),
                )
                if flag[name]
            }
            if stop_type == StopType.API and flag["ignores_api_stop"]:
                conditions.add("the first stop through the API after that minute")
            if stop_type in {1, 2, 4, 7}:
                conditions.add("the stop is manual")
            name = "any other code" if status is TaskStatus.UNKNOWN else str(status.value)
            yield Case(name, policy, result, wait, conditions)


def ends_in_no_state():
    """Yield the ends of a wait, for a render or for funds, that have no state of the render."""
    funds = WaitResult(Outcome.SUCCEEDED, "funds", {"available_funds": "9", "currency": "RMB"})
    ends = {
        "more funds": funds,
        "the deadline": timed_out("last poll"),
        "an error that stays": permanent_failure(ValueError("wrong key")),
        "a result of another version": WaitResult.from_dict_or_failure({"version": 0}),
    }
    for (policy, settings), (end, result) in itertools.product(policies(), ends.items()):
        for awaits_funds, is_over in itertools.product((False, True), repeat=2):
            if end == "more funds" and not awaits_funds:
                continue
            late = replace(WAIT, awaited_funds="3.01" if awaits_funds else None)
            conditions = settings | ({"waiting for funds"} if awaits_funds else set())
            if is_over:
                late = replace(late, max_duration_deadline=DEADLINE)
                conditions |= {"`max_duration` is over"}
            yield Case(end, policy, result, late, conditions, now=DEADLINE)
        if end == "more funds":
            timely = replace(WAIT, awaited_funds="3.01", max_duration_deadline=DEADLINE)
            restarted = replace(timely, last_restarted_at=NOW - 59)
            at_last = replace(timely, last_restarted_at=DEADLINE - 59)
            conditions = settings | {"waiting for funds", "within the deadline"}
            yield Case(end, policy, result, timely, conditions, NOW)
            yield Case(end, policy, result, restarted, conditions, NOW)
            # The restart would come after the deadline.
            yield Case(end, policy, result, replace(at_last, max_duration_deadline=None), conditions, NOW)


class Row:
    """A row of the table in the document."""

    def __init__(self, line):
        self.line = line
        ends, conditions, checks, self.happens = (cell.strip() for cell in line.strip().strip("|").split("|"))
        self.ends = set(codes_in(ends))
        self.conditions = set(conditions.split("; ")) if conditions else set()
        self.checks = [check.split(": ") for check in checks.split("; ")] if checks else []

    def fits(self, case, asked):
        if case.end not in self.ends or not self.conditions <= case.conditions:
            return False
        known = dict(asked)
        return all(known.get(name) in self.values(value) for name, value in self.checks)

    @staticmethod
    def values(value):
        first, _, last = value.partition(" or ")
        return {value} if not last else {f"{first} {last.partition(' ')[2]}", last}


def table():
    section = DOCUMENT.read_text("utf-8").partition("\n### The end of a wait\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^\|.*\|$", section, re.MULTILINE)
    return [Row(line) for line in lines[2:]]


def test_next_step_every_case_is_as_the_first_fitting_row_says():
    rows, used = table(), Counter()
    for case in itertools.chain(ends_in_a_state(), ends_in_no_state()):
        branches = [((), "waits")] if case.result is None else case.branches()
        for asked, happens in branches:
            row = next((row for row in rows if row.fits(case, asked)), None)
            assert row, f"no row for {case}: {asked}, {happens}"
            assert (row.happens, [name for name, _ in row.checks]) == (
                happens,
                [name for name, _ in asked],
            ), f"{case}: {asked}"
            used[row.line] += 1
    assert [row.line for row in rows if not used[row.line]] == []


@pytest.mark.parametrize("row", table(), ids=lambda row: row.line)
def test_next_step_row_of_the_table_names_known_ends_only(row):
    states = {str(status.value) for status in TaskStatus if status is not TaskStatus.UNKNOWN}
    others = {OTHER, "more funds", "the deadline", "an error that stays"}
    assert row.ends <= states | others | {"a result of another version"}


def result_in(status, outcome=Outcome.FAILED, cost="1"):
    return WaitResult(outcome, "Render 35", {"state": status.name, "cost": cost})


def next_step(policy, status, wait=WAIT, **facts):
    return policy.next_step(result_in(status), wait, now=NOW, facts=Facts(**facts))


@pytest.mark.parametrize(
    ("available", "at_last_stop", "awaited"),
    [
        ("0", None, "0.01"),
        ("7", None, "0.01"),
        ("-3", None, "0.01"),
        ("7", "4", "4.01"),
        ("4", "7", "4.01"),
        ("4", "-7", "0.01"),
        ("12.345", "12.345", "12.355"),
    ],
)
def test_next_step_out_of_funds_awaits_more_than_at_this_stop_or_the_last(available, at_last_stop, awaited):
    """The first restart needs any funds at all."""
    wait = replace(WAIT, funds_at_last_stop=at_last_stop)
    policy = RenderPolicy(on_insufficient_funds="wait")
    step = next_step(policy, TaskStatus.ARREARAGE_STOP, wait, available_funds=Decimal(available))
    assert step == AwaitFunds(replace(wait, funds_at_last_stop=available, awaited_funds=awaited))


@pytest.mark.parametrize(("seconds", "is_ignored_again"), [(-1, True), (0, False)])
def test_next_step_api_stop_after_the_first_minute_is_ignored_once(seconds, is_ignored_again):
    wait = replace(WAIT, ignore_stops_until=NOW - seconds, ignore_api_stop=True)
    stop = result_in(TaskStatus.STOP, Outcome.STALE_STOP)
    step = RenderPolicy().next_step(stop, wait, now=NOW)
    assert step == RestartIfStopped(replace(wait, ignore_api_stop=is_ignored_again))


def test_next_step_hidden_funds_are_tolerated_from_then_on():
    policy = RenderPolicy(on_insufficient_funds="wait")
    step = next_step(policy, TaskStatus.ARREARAGE_STOP, available_funds=Decimal(0), funds_visible=False)
    assert step == AwaitRestart(replace(WAIT, tolerates_insufficient_funds=True))
    assert TaskStatus.ARREARAGE_STOP not in policy.failed_states(step.wait)
    assert policy.failed_states(WAIT) is None


def test_next_step_refused_again_with_hidden_funds_fails():
    """A user was to restart it; a render in another state would be refused without end."""
    wait = replace(WAIT, tolerates_insufficient_funds=True)
    refusal = InsufficientFunds("recommit_frames", 507, "")
    result = refused_result(result_in(TaskStatus.FINISHED_HAS_FAILED), refusal)
    assert result.state is TaskStatus.ARREARAGE_STOP
    policy = RenderPolicy(on_insufficient_funds="wait", on_failed_frames="recommit")
    facts = Facts(available_funds=Decimal(0), funds_visible=False)
    step = policy.next_step(result, wait, now=NOW, facts=facts)
    assert words(step) == "stops it if `cancel_on_kill`, fails without retries"
    assert "Render 35; recommit_frames: the farm responded with code 507" in step.result.message


@pytest.mark.parametrize("halted", [True, False])
def test_next_step_after_a_top_up_waits_for_the_render_again(halted):
    wait = replace(WAIT, awaited_funds="1", funds_at_last_stop="0.99", last_restarted_at=NOW - 60)
    funds = WaitResult(Outcome.SUCCEEDED, "funds", {"available_funds": "1", "currency": "RMB"})
    step = RenderPolicy().next_step(funds, wait, now=NOW, facts=Facts(still_halted=halted))
    assert step == (Restart if halted else KeepWaiting)(replace(wait, awaited_funds=None))


@pytest.mark.parametrize("max_recommits", [0, 1, 2])
def test_next_step_recommits_only_frames_below_the_maximum(max_recommits):
    frames = tuple(frame(recommits, recommits) for recommits in (0, 1, 2))
    policy = RenderPolicy(on_failed_frames="recommit", max_recommits=max_recommits)
    wait = replace(WAIT, recommit_may_be_pending=True)
    facts = {"failed_frames": frames, "recommit_arrived": False}
    step = next_step(policy, TaskStatus.FINISHED_HAS_FAILED, wait, **facts)
    if max_recommits:
        resumed = replace(wait, recommit_may_be_pending=False)
        assert step == Recommit(resumed, frames[:max_recommits])
    else:
        assert step.result.outcome is Outcome.FAILED_PERMANENTLY


def test_next_step_recommits_no_frame_that_the_farm_refuses():
    policy = RenderPolicy(on_failed_frames="recommit")
    timed_out_frame = Frame(1, "1", FrameStatus.TIMEOUT)
    refused = [timed_out_frame, *(replace(frame(kind, 0), frame_type=kind) for kind in (3, 6, 7, 10, 11))]
    accepted = tuple(replace(frame(kind, 0), frame_type=kind) for kind in (None, 1, 2, 4, 5, 8, 9))
    step = next_step(policy, TaskStatus.FAILED, failed_frames=(*refused, *accepted))
    assert step == Recommit(WAIT, accepted)
    step = next_step(policy, TaskStatus.FAILED, failed_frames=tuple(refused))
    assert words(step) == "fails without retries"
    assert (
        "does not recommit frames that timed out, are merged or are distributed: 1, 3" in step.result.message
    )


def test_next_step_confirms_the_recommit_of_the_try_before_only_once():
    policy = RenderPolicy(on_failed_frames="recommit")
    wait = replace(WAIT, recommit_may_be_pending=True)
    frames = (frame(1, 0),)
    step = next_step(policy, TaskStatus.FAILED, wait, failed_frames=frames)
    assert step == ConfirmRecommit(wait, frames)
    step = next_step(policy, TaskStatus.FAILED, wait, failed_frames=frames, recommit_arrived=True)
    assert step == KeepWaiting(WAIT)


PAUSED = result_in(TaskStatus.FINISHED_TEST, Outcome.SUCCEEDED)


def test_next_step_full_speed_is_requested_once():
    policy = RenderPolicy(on_test_frames_done="full_speed")
    assert TaskStatus.FINISHED_TEST in policy.target_states(WAIT)
    forecast = forecast_of("4")
    step = policy.next_step(PAUSED, WAIT, now=NOW, facts=Facts(forecast=forecast))
    assert step == FullSpeed(replace(WAIT, past_test_frames=True, forecast=forecast.to_dict()))
    assert TaskStatus.FINISHED_TEST not in policy.target_states(step.wait)


def test_next_step_pause_with_max_cost_is_decided_once_by_the_forecast():
    policy = RenderPolicy()
    assert TaskStatus.FINISHED_TEST not in policy.target_states(replace(WAIT, max_cost=None))
    assert TaskStatus.FINISHED_TEST in policy.target_states(WAIT)
    forecast = forecast_of("4")
    step = policy.next_step(PAUSED, WAIT, now=NOW, facts=Facts(forecast=forecast))
    assert step == KeepWaiting(replace(WAIT, forecast=forecast.to_dict()))
    assert TaskStatus.FINISHED_TEST not in policy.target_states(step.wait)


def test_next_step_forecast_above_max_cost_says_what_a_user_can_do():
    facts = Facts(forecast=forecast_of("5.01"))
    result = RenderPolicy().next_step(PAUSED, WAIT, now=NOW, facts=facts).result
    assert result.outcome is Outcome.OVER_BUDGET
    assert result.first_result["forecast"]["cost"] == "5.01"
    assert result.message == (
        "Render 35; the forecast 5.01 (1 to 5.01, from 3 frames) exceeds max_cost 5. The render stays "
        "paused, which costs nothing. To render the other frames, raise max_cost and clear this task; else "
        "abandon the render in the web console"
    )


def test_next_step_unknown_forecast_lets_a_render_continue():
    step = RenderPolicy().next_step(PAUSED, WAIT, now=NOW, facts=Facts(forecast=Forecast()))
    assert isinstance(step, KeepWaiting)


def test_next_step_failed_frames_say_what_a_user_can_do():
    step = next_step(RenderPolicy(rerender_hint="clear more"), TaskStatus.FINISHED_HAS_FAILED)
    assert step.result.message.startswith(
        "Render 35. Not retrying: a retry would find the same failed frames."
    )
    assert "max_recommits" in step.result.message
    assert step.result.message.endswith("To render again, clear more")


def test_next_step_over_budget_names_the_limit_once():
    for outcome, message in ((Outcome.SUCCEEDED, "Render 35"), (Outcome.OVER_BUDGET, "exceeds max_cost 5")):
        result = replace(result_in(TaskStatus.FINISHED_TEST, outcome, "6"), message=message)
        step = RenderPolicy(on_test_frames_done="full_speed").next_step(result, WAIT, now=NOW)
        assert step.result.message.count("exceeds max_cost 5") == 1


def test_next_step_past_max_duration_names_it():
    wait = replace(WAIT, max_duration_deadline=NOW)
    step = RenderPolicy(max_duration=timedelta(hours=1)).next_step(timed_out("last poll"), wait, now=NOW)
    assert step.result.message.endswith("last poll; max_duration (1:00:00) is over")


def test_next_step_wait_of_another_version_stops_the_render_and_may_be_retried():
    for result in (result_in(TaskStatus.FINISHED, Outcome.SUCCEEDED), timed_out(None)):
        step = RenderPolicy().next_step(result, VersionMismatch("without deadline"), now=NOW)
        assert words(step) == "stops it if `cancel_on_kill`, fails, may be retried"
        assert "without deadline" in step.result.message


@pytest.mark.parametrize("case", list(ends_in_no_state())[:5], ids=lambda case: case.end)
def test_next_step_without_a_wait_never_succeeds_without_a_render(case):
    step = case.policy.next_step(case.result, None, now=NOW)
    assert (step.stop, step.final_poll) == ("never", False)
    assert step.result.outcome is not Outcome.SUCCEEDED
    assert case.result.message in step.result.message


def test_next_step_without_a_wait_only_finishes():
    for case in ends_in_a_state():
        if case.result is not None:
            step = case.policy.next_step(case.result, None, now=NOW)
            assert isinstance(step, Finish)
            assert (step.stop, step.final_poll) == ("never", False)
            is_success = case.result.outcome is Outcome.SUCCEEDED and case.policy.is_success(
                case.result.state
            )
            assert (step.result.outcome is Outcome.SUCCEEDED) is is_success


class TestWaitState:
    def test_from_dict_of_a_version_with_more_and_fewer_fields_is_understood(self):
        stored = {"render_task_id": 35, "poll_interval": 60.0, "deadline": DEADLINE, "mood": "good"}
        stored |= {"max_duration_deadline": None, "ignore_stops_until": 0.0, "max_cost": MAX_COST}
        assert WaitState.from_dict({**stored, "recommit_may_be_pending": False}) == WAIT

    def test_from_dict_without_a_needed_field_names_it(self):
        with pytest.raises(VersionMismatch, match=r"without poll_interval, deadline.*same version"):
            WaitState.from_dict({"render_task_id": 35})
