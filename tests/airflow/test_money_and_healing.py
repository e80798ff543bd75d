"""Budgets, arrears, failed frames, the pause after test frames: plain and layered, waiting and deferred."""

import functools
import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.operators.submitting import BUDGET
from airflow_provider_renderbus.operators.tasks import RenderbusSubmitTaskOperator
from tests.airflow.context import context
from tests.airflow.run_to_completion import STEP, WholeTask
from tests.farm.raw_client import maya_job
from tests.scenes import make_task_json

pytestmark = pytest.mark.usefixtures("connection")
FRAMES = "1-8[1]"
JOBS = {"plain": make_task_json(frames=FRAMES), "layered": maya_job(frames=FRAMES)}


@pytest.fixture
def pictures():
    return False


@pytest.fixture(params=JOBS)
def created(request, client):
    number = client.send(calls.create_task()).ids[0]
    client.send(calls.upload_task_json(number, json.dumps(JOBS[request.param])))
    return number


@pytest.fixture(params=["worker", "triggerer"])
def rendered(request, farm, created, monkeypatch, hook_sleeps):
    """Submits the task, waits for it, and returns what the Airflow task returns."""
    if request.param == "worker":
        hook_sleeps(lambda seconds: farm.advance(max(seconds, STEP)))
    else:
        hook_sleeps(farm.advance)
        monkeypatch.setattr("airflow_provider_renderbus.polling.batched_stop.STOP_POLL_INTERVAL", 0.0)

    def rendered(try_number=1, **options):
        deferrable = request.param == "triggerer"
        task = WholeTask(
            farm,
            lambda: RenderbusSubmitTaskOperator(
                task_id="submit",
                render_task_id=created,
                wait_for_completion=True,
                deferrable=deferrable,
                poll_interval=0.02 if deferrable else STEP,
                **options,
            ),
        )
        return task.run(context(try_number))

    return rendered


@pytest.fixture
def info(client, created):
    return lambda: client.send(calls.query_task_info([created]))[created]


def frames_of(client, number):
    leaves = client.run(flows.leaf_task_ids(number))
    return [frame for leaf in leaves for frame in client.run(flows.list_frames(leaf))]


class TestBudgets:
    def test_a_render_over_its_cost_is_stopped_without_a_retry(self, rendered, info):
        with pytest.raises(AirflowFailException, match=r"(?s)cost .* exceeds max_cost 0.03.*http://"):
            rendered(max_cost="0.03")
        assert info().status.name == "STOP"
        assert Decimal("0.03") < info().cost < Decimal("0.5")

    def test_one_that_stays_below_it_finishes(self, rendered):
        assert rendered(max_cost=1000)["state"] == "FINISHED"

    def test_an_amount_that_is_none_is_refused_before_anything_is_submitted(self, rendered, info):
        for wrong in ({"max_cost": "much"}, {"min_funds": "NaN"}):
            with pytest.raises(AirflowFailException, match="must be a finite number, got"):
                rendered(**wrong)
        assert not info().is_submitted

    @pytest.mark.parametrize("none_left", [0, "-5"])
    def test_a_budget_that_is_used_up_submits_nothing(self, rendered, info, none_left):
        with pytest.raises(AirflowFailException, match="max_cost: an amount above 0 is wanted"):
            rendered(max_cost=none_left)
        assert not info().is_submitted

    def test_without_the_funds_nothing_is_submitted(self, rendered, info):
        with pytest.raises(
            AirflowFailException, match=r"Available funds 510.* RMB are below min_funds 1000 RMB: nothing was"
        ):
            rendered(min_funds=1000)
        assert not info().is_submitted

    def test_hidden_funds_are_only_advice(self, hidden_funds, rendered, caplog):
        assert rendered(min_funds=1000)["state"] == "FINISHED"
        assert "its funds may differ" in caplog.text


class TestArrears:
    @pytest.fixture
    def scenario(self):
        return {"account": {"coupon": "0", "balance": "0.1"}, "renders": [{"cost": "0.03"}]}

    def test_out_of_money_fails_at_once(self, rendered, info):
        with pytest.raises(AirflowFailException, match="ARREARAGE_STOP"):
            rendered()

    @pytest.fixture
    def when_the_money_is_out(self, info, farm, monkeypatch, hook_sleeps):
        """Has a person do something as soon as the money is out, and returns whether that has come."""
        advance = farm.advance

        def when_the_money_is_out(act):
            acted = []

            def advance_and_act(seconds):
                advance(seconds)
                if not acted and info().status.name == "ARREARAGE_STOP":
                    acted.append(True)
                    act()

            monkeypatch.setattr(farm, "advance", advance_and_act)
            hook_sleeps(lambda seconds: advance_and_act(max(seconds, STEP)))
            return acted

        return when_the_money_is_out

    def test_a_top_up_can_be_waited_for(self, rendered, farm, when_the_money_is_out):
        topped_up = when_the_money_is_out(lambda: farm.top_up("50"))
        assert rendered(on_insufficient_funds="wait")["state"] == "FINISHED"
        assert topped_up

    def test_somebody_may_start_it_again_first(self, rendered, client, created, farm, when_the_money_is_out):
        def pay_and_start():
            farm.top_up("50")
            client.send(calls.start_task([created]))

        when_the_money_is_out(pay_and_start)
        assert rendered(on_insufficient_funds="wait", min_funds="0.05")["state"] == "FINISHED"
        assert farm.request_counts["start_task"] == 1

    def test_it_is_waited_for_within_the_deadline(self, rendered, info):
        with pytest.raises(AirflowFailException, match="ARREARAGE_STOP"):
            rendered()
        with pytest.raises(AirflowException):
            rendered(try_number=2, on_insufficient_funds="wait", timeout=0.3)
        assert info().status.name == "ARREARAGE_STOP"


class TestMoneyThatDoesNotDo:
    """Some is left, and the farm stops the render for lack of it all the same."""

    @pytest.fixture(autouse=True)
    def _stopped_again_and_again(self, farm):
        farm.inject("state", state=20, calls=["query_task_info"], after=3)

    def test_it_is_tried_once_and_then_waited_for_more(self, rendered, farm):
        with pytest.raises(AirflowException):
            rendered(on_insufficient_funds="wait", timeout=2)
        assert farm.request_counts["start_task"] <= 1

    @pytest.mark.parametrize("rendered", ["triggerer"], indirect=True)
    def test_money_that_comes_too_late_starts_nothing(self, rendered, farm, monkeypatch):
        """A worker may take its time to resume after the trigger has seen it."""
        came = RenderbusSubmitTaskOperator.funds_came

        def comes_late(operator, context, event, wait):
            return came(operator, context, event, {**wait, "deadline": 0.0})

        monkeypatch.setattr(RenderbusSubmitTaskOperator, "funds_came", functools.wraps(came)(comes_late))
        with pytest.raises(AirflowException, match="Timed out waiting: Available funds: "):
            rendered(on_insufficient_funds="wait")
        assert not farm.request_counts["start_task"]

    @pytest.mark.parametrize("rendered", ["worker"], indirect=True)
    def test_starts_are_an_interval_apart(self, rendered, farm, monkeypatch, hook_sleeps):
        """Each stop comes with more money than the one before."""
        pauses, sleep = [], RenderbusHook.clock.sleep

        def sleep_and_top_up(seconds):
            pauses.append(seconds)
            farm.top_up("1")
            sleep(seconds)

        hook_sleeps(sleep_and_top_up)
        monkeypatch.setattr("airflow_provider_renderbus.renders.restart._RESTART_POLL_DELAYS", (0.0,))
        with pytest.raises(AirflowException):
            rendered(on_insufficient_funds="wait", timeout=3)
        assert farm.request_counts["start_task"] > 1
        assert len([pause for pause in pauses if pause > 0.01]) >= farm.request_counts["start_task"] - 1


class TestHealing:
    @pytest.fixture
    def scenario(self):
        return {"renders": [{"fail_frames": "2-3", "fail_times": 1}]}

    def test_failed_frames_fail_it(self, rendered):
        """Without retries, which would find the same render, and with the way out."""
        with pytest.raises(
            AirflowFailException,
            match=r"FINISHED_HAS_FAILED.*set on_failed_frames to "
            r".*To render anew, clear the task that creates",
        ):
            rendered()

    def test_they_can_be_accepted(self, rendered):
        result = rendered(on_failed_frames="accept")
        assert result["state"] == "FINISHED_HAS_FAILED"
        assert {frame["frame"] for frame in result["failed_frames"]} == {"2", "3"}

    def test_only_they_are_rendered_again(self, rendered, client, created):
        result = rendered(on_failed_frames="recommit")
        assert (result["state"], result["failed_frames"]) == ("FINISHED", [])
        again = {frame.name for frame in frames_of(client, created) if frame.recommits}
        assert again == {"2", "3"}

    def test_a_lost_answer_is_settled_by_the_farms_own_count(self, rendered, client, created, farm):
        farm.inject("drop", executes_call=True, calls=["recommit_frames"], times=1)
        assert rendered(on_failed_frames="recommit")["state"] == "FINISHED"
        assert {frame.recommits for frame in frames_of(client, created)} == {0, 1}

    def test_a_request_that_did_not_arrive_is_made_again(self, rendered, client, created, farm):
        farm.inject("drop", calls=["recommit_frames"], times=1)
        assert rendered(on_failed_frames="recommit")["state"] == "FINISHED"
        assert {frame.recommits for frame in frames_of(client, created)} == {0, 1}

    def test_a_retry_counts_what_was_rendered_before_it(self, rendered, client, created):
        with pytest.raises(AirflowException):
            rendered()
        assert rendered(try_number=2, on_failed_frames="recommit")["state"] == "FINISHED"


class TestWhatCannotBeHealed:
    @pytest.fixture
    def scenario(self):
        return {"renders": [{"fail_frames": "2"}]}

    def test_each_frame_is_rendered_only_so_often(self, rendered, client, created):
        with pytest.raises(AirflowException, match=r"(?s)Frame 2 failed, end of its log: .*attempt 3"):
            rendered(on_failed_frames="recommit", max_recommits=2)
        assert {frame.recommits for frame in frames_of(client, created)} == {0, 2}

    def test_a_retry_does_not_begin_to_count_anew(self, rendered, client, created):
        for try_number in (1, 2):
            with pytest.raises(AirflowException, match="FINISHED_HAS_FAILED"):
                rendered(try_number=try_number, on_failed_frames="recommit")
        assert {frame.recommits for frame in frames_of(client, created)} == {0, 1}


class TestWhatBreaksAsAWhole:
    @pytest.fixture
    def scenario(self):
        return {"renders": [{"crashes": 1}]}

    def test_it_has_no_frame_to_render_again(self, rendered):
        with pytest.raises(AirflowException, match=": FAILED, "):
            rendered(on_failed_frames="recommit")


class TestTestFrames:
    @pytest.fixture
    def created(self, client):
        number = client.send(calls.create_task()).ids[0]
        job = make_task_json(frames=FRAMES)
        job["task_info"] |= {"pre_frames": "101", "stop_after_test": "1"}
        client.send(calls.upload_task_json(number, json.dumps(job)))
        return number

    def test_the_pause_can_be_a_success(self, rendered):
        assert rendered(on_test_frames_done="succeed")["state"] == "FINISHED_TEST"

    def test_full_speed_can_follow_by_itself(self, rendered):
        assert rendered(on_test_frames_done="full_speed")["state"] == "FINISHED"

    def test_else_somebody_must_go_on(self, rendered, info):
        rendered(on_test_frames_done="succeed")
        with pytest.raises(AirflowException, match=r"Timed out waiting.*FINISHED_TEST"):
            rendered(try_number=2, timeout=0.3)


def test_a_wrong_choice_is_named_when_the_dag_is_parsed():
    for name in ("on_failed_frames", "on_test_frames_done", "on_insufficient_funds"):
        with pytest.raises(ValueError, match=f"{name}: .*maybe"):
            RenderbusSubmitTaskOperator(task_id="submit", render_task_id=1, **{name: "maybe"})


def test_the_document_tells_of_every_choice():
    document = (Path(__file__).parents[2] / "docs/money.md").read_text("utf-8")
    table = document.partition("\n## Budgets")[2].partition("\n## ")[0]
    told, argument = {}, ""
    for name, value in re.findall(r"^\| (?:`(\w+)`)? ?\| (?:`\"(\w+)\"`|an amount) \|", table, re.MULTILINE):
        argument = name or argument
        told.setdefault(argument, []).append(value)
    amounts = {name for name, values in told.items() if values == [""]}
    assert amounts == set(BUDGET)
    for name, values in told.items():
        for value in values:
            RenderbusSubmitTaskOperator(task_id="submit", render_task_id=1, **{name: value or "5"})
        if name not in amounts:
            with pytest.raises(ValueError, match=", ".join(map(repr, values))):
                RenderbusSubmitTaskOperator(task_id="submit", render_task_id=1, **{name: ""})
