"""Budgets and ends of renders in the steps pattern: submit operator and task sensor."""

import json
from datetime import timedelta

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.compat import AirflowFailException, TaskDeferred
from airflow_provider_renderbus.operators import RenderbusSubmitTaskOperator
from airflow_provider_renderbus.sensors import RenderbusFundsSensor, RenderbusTaskSensor
from tests.airflow.context import context
from tests.airflow.run_to_completion import run_to_completion
from tests.scenes import make_task_json

pytestmark = pytest.mark.usefixtures("connection", "no_stop_poll_interval")
NEED_WAITING = {
    "max_cost": "20",
    "on_insufficient_funds": "wait",
    "on_failed_frames": "recommit",
    "on_test_frames_done": "succeed",
    "max_duration": 3600,
    "timeout": timedelta(hours=1),
}


@pytest.mark.parametrize(("name", "value"), NEED_WAITING.items())
def test_submit_argument_that_needs_waiting_raises_at_parse(name, value):
    with pytest.raises(ValueError, match=rf"^{name}: must be omitted if wait_for_completion is False"):
        RenderbusSubmitTaskOperator(task_id="submit", render_task_id=1, **{name: value})
    RenderbusSubmitTaskOperator(task_id="submit", render_task_id=1, wait_for_completion=True, **{name: value})


def sensor(render_task_id, **options):
    return RenderbusTaskSensor(task_id="wait", render_task_id=render_task_id, poke_interval=0.01, **options)


@pytest.fixture
def costly(farm, client):
    """The id of a render that costs more than 0.01 and is not near its end."""
    task_id = client.send(calls.create_task()).ids[0]
    client.send(calls.upload_task_json(task_id, json.dumps(make_task_json(frames="1-500[1]"))))
    client.send(calls.submit_task(task_id))
    while client.send(calls.query_task_info([task_id]))[task_id].cost <= 1:
        farm.advance(60)
    return task_id


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("cancel_on_kill", [False, True])
def test_task_sensor_over_budget_fails_and_stops_only_with_cancel_on_kill(
    costly, state, deferrable, cancel_on_kill
):
    waiting = sensor(costly, max_cost="{{ 1 }}", deferrable=deferrable, cancel_on_kill=cancel_on_kill)
    waiting.max_cost = "1"
    with pytest.raises(AirflowFailException, match=r"exceeds max_cost 1") as raised:
        waiting.execute(context())
    assert state(costly) == ("STOP" if cancel_on_kill else "RENDERING")
    assert ("not stopped, since cancel_on_kill is False" in str(raised.value)) is not cancel_on_kill


@pytest.mark.parametrize("cancel_on_kill", [False, True])
def test_task_sensor_over_budget_while_deferred_stops_only_with_cancel_on_kill(
    farm, submitted, state, cancel_on_kill
):
    options = {"max_cost": "0.01", "deferrable": True, "cancel_on_kill": cancel_on_kill}
    with pytest.raises(AirflowFailException, match=r"exceeds max_cost 0\.01"):
        run_to_completion(farm, lambda: sensor(submitted, **options), context())
    assert (state(submitted) == "STOP") is cancel_on_kill


def test_task_sensor_later_try_does_not_restart_render_over_budget(costly, client, state):
    client.send(calls.stop_task([costly]))
    waiting = sensor(costly, max_cost=1, cancel_on_kill=True)
    with pytest.raises(AirflowFailException, match="exceeds max_cost 1"):
        waiting.execute(context(try_number=2))
    assert state(costly) == "STOP"
    with pytest.raises(TaskDeferred):
        sensor(costly, max_cost=1000, cancel_on_kill=True, deferrable=True).execute(context(try_number=2))
    assert state(costly) != "STOP"


@pytest.mark.parametrize("max_cost", [0, "-1", "much"])
def test_task_sensor_wrong_max_cost_fails_and_names_it(submitted, max_cost):
    with pytest.raises(AirflowFailException, match=r"^max_cost: must be "):
        sensor(submitted, max_cost=max_cost, deferrable=True).execute(context())


class TestFailedFrames:
    @pytest.fixture
    def scenario(self):
        return {"renders": [{"fail_frames": "2"}]}

    @pytest.mark.parametrize("deferrable", [False, True])
    def test_task_sensor_failed_frames_fails_without_retries_with_reason(self, farm, submitted, deferrable):
        farm.advance(86400)
        with pytest.raises(AirflowFailException) as raised:
            sensor(submitted, deferrable=deferrable).execute(context())
        for part in (
            "FINISHED_HAS_FAILED",
            "Not retrying",
            "Camera 2: Error: rendering of frame 2 has failed (1 log read)",
            "RecommitFrames",
        ):
            assert part in str(raised.value)


class TestFailedRender:
    @pytest.fixture
    def scenario(self):
        return {"renders": [{"reported_as": {"25": 45}}]}

    def test_task_sensor_failed_render_says_that_farm_gives_no_reason(self, farm, submitted):
        farm.advance(86400)
        with pytest.raises(AirflowFailException, match="FAILED") as raised:
            sensor(submitted).execute(context())
        assert "The farm names no failed frame and gives no reason" in str(raised.value)


class TestPollBeforeDeferral:
    def test_task_sensor_finished_render_succeeds_without_deferral(self, farm, submitted):
        farm.advance(86400)
        assert sensor(submitted, deferrable=True).execute(context())["state"] == "FINISHED"

    def test_funds_sensor_sufficient_funds_succeeds_without_deferral(self):
        waiting = RenderbusFundsSensor(task_id="wait", min_funds=1, deferrable=True)
        assert waiting.execute(context())["currency"] == "RMB"

    def test_submit_finished_render_succeeds_without_deferral(self, farm, submitted):
        farm.advance(86400)
        operator = RenderbusSubmitTaskOperator(
            task_id="submit", render_task_id=submitted, wait_for_completion=True, deferrable=True
        )
        assert operator.execute(context())["state"] == "FINISHED"

    def test_task_sensor_active_render_defers(self, submitted):
        with pytest.raises(TaskDeferred):
            sensor(submitted, deferrable=True).execute(context())
