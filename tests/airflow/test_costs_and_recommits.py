"""Budgets, insufficient funds, failed frames and test frames: plain and layered, on worker and triggerer."""

import functools
import json
import re
from decimal import Decimal
from pathlib import Path

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.compat import AirflowException, AirflowFailException, TaskDeferred
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.operators.submitting import BUDGET_FIELDS
from airflow_provider_renderbus.operators.tasks import RenderbusSubmitTaskOperator
from airflow_provider_renderbus.polling.worker import ConditionWorkerPoller
from airflow_provider_renderbus.renders.restart import RESTART_POLL_DELAYS
from airflow_provider_renderbus.renders.results import Outcome, WaitResult, summary
from airflow_provider_renderbus.sensors import RenderbusTaskSensor
from tests.airflow.context import context
from tests.airflow.run_to_completion import STEP, run_to_completion
from tests.farm.raw_client import maya_job
from tests.scenes import make_task_json

pytestmark = pytest.mark.usefixtures("connection")
FRAMES = "1-8[1]"
JOBS = {"plain": make_task_json(frames=FRAMES), "layered": maya_job(frames=FRAMES)}


@pytest.fixture(params=JOBS)
def created(request, client):
    render_task_id = client.send(calls.create_task()).ids[0]
    client.send(calls.upload_task_json(render_task_id, json.dumps(JOBS[request.param])))
    return render_task_id


@pytest.fixture(params=["worker", "triggerer"])
def rendered(request, farm, created, monkeypatch, hook_sleeps):
    """Submits the task, waits for it and returns the result of the Airflow task."""
    if request.param == "worker":
        hook_sleeps(lambda seconds: farm.advance(max(seconds, STEP)))
    else:
        hook_sleeps(farm.advance)
        monkeypatch.setattr("airflow_provider_renderbus.polling.batched_stop.STOP_POLL_INTERVAL", 0.0)

    def rendered(try_number=1, **options):
        deferrable = request.param == "triggerer"
        return run_to_completion(
            farm,
            lambda: RenderbusSubmitTaskOperator(
                task_id="submit",
                render_task_id=created,
                wait_for_completion=True,
                deferrable=deferrable,
                poll_interval=0.02 if deferrable else STEP,
                **options,
            ),
            context(try_number),
        )

    return rendered


@pytest.fixture
def info(client, created):
    return lambda: client.send(calls.query_task_info([created]))[created]


def frames_of(client, render_task_id):
    leaves = client.run(flows.leaf_task_ids(render_task_id))
    return [frame for leaf in leaves for frame in client.run(flows.list_frames(leaf))]


class TestBudgets:
    def test_max_cost_exceeded_warns_once_and_stops_render_without_retries(self, rendered, info, caplog):
        with pytest.raises(AirflowFailException, match=r"(?s)cost .* exceeds max_cost 0.03.*http://"):
            rendered(max_cost="0.03")
        assert info().status.name == "STOP"
        assert Decimal("0.03") < info().cost < Decimal("0.5")
        assert caplog.text.count("likely to exceed max_cost 0.03: forecast 0.") == 1

    def test_max_cost_not_reached_finishes_without_a_request_for_forecasts(self, rendered, farm):
        result = rendered(max_cost=1000)
        assert (result["state"], result["forecast"]) == ("FINISHED", None)
        assert farm.request_counts["query_task_frames"] == 0

    def test_invalid_amount_submits_nothing(self, rendered, info):
        for argument in ({"max_cost": "much"}, {"min_funds": "NaN"}):
            with pytest.raises(AirflowFailException, match="must be a finite number, got"):
                rendered(**argument)
        assert not info().is_submitted

    @pytest.mark.parametrize("max_cost", [0, "-5"])
    def test_max_cost_not_positive_submits_nothing(self, rendered, info, max_cost):
        with pytest.raises(
            AirflowFailException, match=r"max_cost: must be (an amount above|at least) 0, got "
        ):
            rendered(max_cost=max_cost)
        assert not info().is_submitted

    def test_min_funds_not_available_submits_nothing(self, rendered, info):
        with pytest.raises(
            AirflowFailException, match=r"The account shows 510.* RMB, below min_funds 1000 RMB: nothing was"
        ):
            rendered(min_funds=1000)
        assert not info().is_submitted

    def test_min_funds_with_hidden_balance_only_warns(self, hidden_funds, rendered, caplog):
        assert rendered(min_funds=1000)["state"] == "FINISHED"
        assert "its funds may differ" in caplog.text


class TestInsufficientFunds:
    @pytest.fixture
    def scenario(self):
        return {"account": {"coupon": "0", "balance": "0.1"}, "renders": [{"cost": "0.03"}]}

    def test_insufficient_funds_fails_without_retries(self, rendered, info):
        with pytest.raises(AirflowFailException, match="ARREARAGE_STOP"):
            rendered()

    @pytest.fixture
    def on_funds_exhausted(self, info, farm, monkeypatch, hook_sleeps):
        """Calls a function once when funds run out; returns a list that is empty until then."""
        advance = farm.advance

        def on_funds_exhausted(action):
            called = []

            def advance_and_call(seconds):
                advance(seconds)
                if not called and info().status.name == "ARREARAGE_STOP":
                    called.append(True)
                    action()

            monkeypatch.setattr(farm, "advance", advance_and_call)
            hook_sleeps(lambda seconds: advance_and_call(max(seconds, STEP)))
            return called

        return on_funds_exhausted

    def test_insufficient_funds_wait_top_up_finishes(self, rendered, farm, on_funds_exhausted):
        topped_up = on_funds_exhausted(lambda: farm.top_up("50"))
        assert rendered(on_insufficient_funds="wait")["state"] == "FINISHED"
        assert topped_up

    @pytest.mark.parametrize("rendered", ["worker"], indirect=True)
    def test_insufficient_funds_wait_refused_restart_is_sent_again_after_next_top_up(
        self, rendered, farm, on_funds_exhausted, hook_sleeps
    ):
        farm.inject("code", code=507, calls=["start_task"], times=1)
        on_funds_exhausted(lambda: farm.top_up("50"))

        def sleep(seconds):
            if farm.request_counts["start_task"] == 1:
                farm.top_up("1")
            farm.advance(max(seconds, STEP))

        hook_sleeps(sleep)
        assert rendered(on_insufficient_funds="wait")["state"] == "FINISHED"
        assert farm.request_counts["start_task"] == 2

    def test_insufficient_funds_wait_restarted_by_user_finishes(
        self, rendered, client, created, farm, on_funds_exhausted
    ):
        def pay_and_start():
            farm.top_up("50")
            client.send(calls.start_task([created]))

        on_funds_exhausted(pay_and_start)
        assert rendered(on_insufficient_funds="wait", min_funds="0.05")["state"] == "FINISHED"
        assert farm.request_counts["start_task"] == 1

    def test_insufficient_funds_wait_timeout_fails(self, rendered, info):
        with pytest.raises(AirflowFailException, match="ARREARAGE_STOP"):
            rendered()
        with pytest.raises(AirflowException):
            rendered(try_number=2, on_insufficient_funds="wait", timeout=0.3)
        assert info().status.name == "ARREARAGE_STOP"


class TestFundsNotEnough:
    """Funds are left, but the farm still stops the render for insufficient funds."""

    @pytest.fixture(autouse=True)
    def _stop_repeatedly(self, farm):
        farm.inject("state", state=20, calls=["query_task_info"], after=3)

    def test_insufficient_funds_again_waits_for_more_funds(self, rendered, farm):
        with pytest.raises(AirflowException):
            rendered(on_insufficient_funds="wait", timeout=2)
        assert farm.request_counts["start_task"] <= 1

    @pytest.mark.parametrize("rendered", ["triggerer"], indirect=True)
    def test_top_up_after_deadline_restarts_nothing(self, rendered, farm, monkeypatch):
        """A worker may resume long after the trigger has seen the top-up."""
        complete = RenderbusSubmitTaskOperator.execute_complete

        def complete_late(operator, context, event, wait):
            if wait["awaited_funds"] is not None:
                wait = {**wait, "deadline": 0.0}
            return complete(operator, context, event, wait)

        monkeypatch.setattr(
            RenderbusSubmitTaskOperator, "execute_complete", functools.wraps(complete)(complete_late)
        )
        # The top-up comes after the poll that precedes the deferral.
        monkeypatch.setattr(ConditionWorkerPoller, "poll", lambda _: None)
        with pytest.raises(AirflowException, match="Timed out waiting: The account shows "):
            rendered(on_insufficient_funds="wait")
        assert not farm.request_counts["start_task"]

    @pytest.mark.parametrize("rendered", ["worker"], indirect=True)
    def test_restarts_are_poll_interval_apart(self, rendered, farm, hook_sleeps):
        """Funds are higher at each stop than at the one before."""
        pauses, sleep = [], RenderbusHook.clock.sleep

        def sleep_and_top_up(seconds):
            pauses.append(seconds)
            farm.top_up("1")
            sleep(seconds)

        hook_sleeps(sleep_and_top_up)
        with pytest.raises(AirflowException):
            rendered(on_insufficient_funds="wait", timeout=3)
        assert farm.request_counts["start_task"] > 1
        between = [pause for pause in pauses if pause > 0.01 and pause not in RESTART_POLL_DELAYS]
        assert len(between) >= farm.request_counts["start_task"] - 1


class TestRecommit:
    @pytest.fixture
    def scenario(self):
        return {"renders": [{"fail_frames": "2-3", "fail_times": 1}]}

    def test_failed_frames_fail_without_retries(self, rendered):
        """The message explains how to continue; a retry would find the same failed frames."""
        with pytest.raises(
            AirflowFailException,
            match=r"FINISHED_HAS_FAILED.*set on_failed_frames to "
            r".*To render again, clear the task that creates",
        ):
            rendered()

    def test_failed_frames_accept_returns_them(self, rendered):
        result = rendered(on_failed_frames="accept")
        assert result["state"] == "FINISHED_HAS_FAILED"
        assert {group["frames"] for group in result["failed_frames"]} == {"2-3"}

    def test_failed_frames_recommit_renders_only_those(self, rendered, client, created):
        result = rendered(on_failed_frames="recommit")
        assert (result["state"], result["failed_frames"]) == ("FINISHED", [])
        recommitted = {frame.name for frame in frames_of(client, created) if frame.recommits}
        assert recommitted == {"2", "3"}

    def test_recommit_lost_response_is_verified_and_not_repeated(self, rendered, client, created, farm):
        farm.inject("drop", executes_call=True, calls=["recommit_frames"], times=1)
        assert rendered(on_failed_frames="recommit")["state"] == "FINISHED"
        assert {frame.recommits for frame in frames_of(client, created)} == {0, 1}

    def test_recommit_lost_request_is_sent_again(self, rendered, client, created, farm):
        farm.inject("drop", calls=["recommit_frames"], times=1)
        assert rendered(on_failed_frames="recommit")["state"] == "FINISHED"
        assert {frame.recommits for frame in frames_of(client, created)} == {0, 1}

    def test_recommit_in_retry_finishes(self, rendered, client, created):
        with pytest.raises(AirflowException):
            rendered()
        assert rendered(try_number=2, on_failed_frames="recommit")["state"] == "FINISHED"


class TestRecommitFails:
    @pytest.fixture
    def scenario(self):
        return {"renders": [{"fail_frames": "2"}]}

    def test_recommit_max_recommits_reached_fails_with_reason(self, rendered, client, created):
        with pytest.raises(AirflowException, match=r" 2: Error: .* has failed \(1 log read\)"):
            rendered(on_failed_frames="recommit", max_recommits=2)
        assert {frame.recommits for frame in frames_of(client, created)} == {0, 2}

    def test_recommit_retry_keeps_count(self, rendered, client, created):
        for try_number in (1, 2):
            with pytest.raises(AirflowException, match="FINISHED_HAS_FAILED"):
                rendered(try_number=try_number, on_failed_frames="recommit")
        assert {frame.recommits for frame in frames_of(client, created)} == {0, 1}


class TestTaskFails:
    @pytest.fixture
    def scenario(self):
        return {"renders": [{"crashes": 1}]}

    def test_recommit_failed_task_without_frames_fails(self, rendered):
        with pytest.raises(AirflowException, match=": FAILED, "):
            rendered(on_failed_frames="recommit")


class TestTestFrames:
    @pytest.fixture
    def created(self, client):
        render_task_id = client.send(calls.create_task()).ids[0]
        job = make_task_json(frames=FRAMES)
        job["task_info"] |= {"pre_frames": "101", "stop_after_test": "1"}
        client.send(calls.upload_task_json(render_task_id, json.dumps(job)))
        return render_task_id

    def test_pause_succeed_returns_paused_render(self, rendered):
        assert rendered(on_test_frames_done="succeed")["state"] == "FINISHED_TEST"

    def test_pause_full_speed_finishes(self, rendered):
        assert rendered(on_test_frames_done="full_speed")["state"] == "FINISHED"

    def test_pause_wait_times_out(self, rendered, info):
        rendered(on_test_frames_done="succeed")
        with pytest.raises(AirflowException, match=r"Timed out waiting.*FINISHED_TEST"):
            rendered(try_number=2, timeout=0.3, max_cost=1000)

    def test_pause_result_has_forecast_that_holds_the_cost(self, rendered, farm):
        paused = rendered(on_test_frames_done="succeed", max_cost="0.06")["forecast"]
        assert (paused["samples"], paused["frames_left"]) == (2, 6)
        assert farm.request_counts["query_task_frames"] == 1
        finished = rendered(try_number=2, on_test_frames_done="full_speed")
        assert Decimal(paused["low"]) < Decimal(finished["cost"]) < Decimal(paused["high"])
        assert finished["forecast"] == paused

    def test_pause_sensor_returns_forecast(self, rendered, created):
        paused = rendered(on_test_frames_done="succeed")
        sensor = RenderbusTaskSensor(
            task_id="wait", render_task_id=created, target_states=["FINISHED_TEST"], max_cost="0.06"
        )
        assert sensor.execute(context())["forecast"] == paused["forecast"]

    @pytest.mark.parametrize("on_test_frames_done", ["wait", "full_speed"])
    def test_pause_forecast_above_max_cost_fails_and_renders_nothing(
        self, rendered, on_test_frames_done, info
    ):
        options = {"on_test_frames_done": on_test_frames_done}
        with pytest.raises(
            AirflowFailException, match=r"(?s)2 of 8 .*; the forecast 0\.1.* exceeds max_cost 0.08.*http://"
        ):
            rendered(max_cost="0.08", **options)
        assert (info().status.name, info().progress.done) == ("FINISHED_TEST", 2)
        if on_test_frames_done == "full_speed":
            assert rendered(try_number=2, max_cost="0.9", **options)["state"] == "FINISHED"

    @pytest.mark.parametrize("on_test_frames_done", ["wait", "full_speed"])
    def test_pause_that_a_user_has_ended_meanwhile_is_not_decided_on(
        self, created, client, farm, info, on_test_frames_done
    ):
        def make():
            return RenderbusSubmitTaskOperator(
                task_id="submit",
                render_task_id=created,
                wait_for_completion=True,
                deferrable=True,
                max_cost="0.08",
                on_test_frames_done=on_test_frames_done,
            )

        with pytest.raises(TaskDeferred) as deferral:
            make().execute(context())
        farm.advance(600)
        event = WaitResult(Outcome.SUCCEEDED, "paused", summary(info())).to_dict()
        assert info().status.name == "FINISHED_TEST"
        client.send(calls.full_speed([created]))
        farm.advance(1)
        # Until a worker is free, the render may be resumed; then its cost counts, not its forecast.
        with pytest.raises(TaskDeferred) as later:
            make().execute_complete(context(), event, **deferral.value.kwargs)
        assert not info().is_terminal
        assert later.value.trigger.max_cost == "0.08"

    def test_pause_frames_not_listed_continues_without_max_cost_only(self, rendered, farm):
        farm.inject("code", code=600, calls=["query_task_frames"])
        assert rendered(on_test_frames_done="succeed")["forecast"] is None
        with pytest.raises(AirflowException, match="query_task_frames"):
            rendered(try_number=2, on_test_frames_done="full_speed", max_cost=1000)
        assert rendered(try_number=2, on_test_frames_done="full_speed")["forecast"]["cost"] is None


def test_invalid_choice_raises_at_parse_time():
    for name in ("on_failed_frames", "on_test_frames_done", "on_insufficient_funds"):
        with pytest.raises(ValueError, match=f"{name}: .*maybe"):
            RenderbusSubmitTaskOperator(task_id="submit", render_task_id=1, **{name: "maybe"})


def test_document_lists_every_choice():
    document = (Path(__file__).parents[2] / "docs/costs-and-retries.md").read_text("utf-8")
    table = document.partition("\n## Budgets")[2].partition("\n## ")[0]
    documented, argument = {}, ""
    for name, value in re.findall(r"^\| (?:`(\w+)`)? ?\| (?:`\"(\w+)\"`|an amount) \|", table, re.MULTILINE):
        argument = name or argument
        documented.setdefault(argument, []).append(value)
    amounts = {name for name, values in documented.items() if values == [""]}
    assert amounts == set(BUDGET_FIELDS)
    for name, values in documented.items():
        for value in values:
            RenderbusSubmitTaskOperator(
                task_id="submit", render_task_id=1, wait_for_completion=True, **{name: value or "5"}
            )
        if name not in amounts:
            with pytest.raises(ValueError, match=", ".join(map(repr, values))):
                RenderbusSubmitTaskOperator(
                    task_id="submit", render_task_id=1, wait_for_completion=True, **{name: ""}
                )
