"""Timeouts: of a wait, of a deferral, of the Airflow task and of the render; each stops the render."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.compat import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    TaskDeferred,
)
from airflow_provider_renderbus.operators.render import RenderbusRenderOperator
from airflow_provider_renderbus.renders.results import timed_out
from airflow_provider_renderbus.sensors.tasks import RenderbusTaskSensor
from tests.airflow.context import StateStore, context
from tests.airflow.deferring import deferred, submit
from tests.airflow.trigger_events import first_event
from tests.scenes import make_task_json

pytestmark = pytest.mark.usefixtures("connection", "no_stop_poll_interval")


def test_submit_timeout_stops_render(created, state):
    with pytest.raises(
        AirflowException, match=r"Timed out waiting.*is no longer running.*http://"
    ) as failure:
        submit(created, deferrable=False, timeout=1e-6).execute(context())
    assert not isinstance(failure.value, AirflowFailException)
    assert state(created) == "STOP"


def test_submit_timeout_without_cancel_on_kill_leaves_render_running(created, state):
    with pytest.raises(AirflowException, match="not stopped, since cancel_on_kill is False"):
        submit(created, deferrable=False, timeout=1e-6, cancel_on_kill=False).execute(context())
    assert state(created) == "WAITING"


def test_submit_deferred_timeout_stops_render(created, state):
    task = submit(created, timeout=1e-6)
    trigger, kwargs = deferred(task)
    event = asyncio.run(first_event(trigger))
    with pytest.raises(AirflowException, match=r"Timed out waiting.*is no longer running"):
        submit(created).execute_complete(context(), event.payload, **kwargs)
    assert state(created) == "STOP"


def test_submit_execution_timeout_becomes_deadline_of_trigger(created):
    trigger, _ = deferred(submit(created, execution_timeout=timedelta(hours=1)))
    assert 3580 < trigger.deadline - time.time() < 3601


def test_submit_max_duration_counts_from_submit_and_fails_permanently(submitted, client, farm, state):
    submit_date = client.send(calls.query_task_info([submitted]))[submitted].submitted_at.timestamp()
    trigger, kwargs = deferred(submit(submitted, max_duration=7200))
    assert trigger.deadline == submit_date + 7200
    over, kwargs = deferred(submit(submitted, max_duration=1e-6))
    event = asyncio.run(first_event(over))
    with pytest.raises(AirflowFailException, match=r"max_duration .* is over"):
        submit(submitted).execute_complete(context(), event.payload, **kwargs)
    assert state(submitted) == "STOP"


def test_submit_timeout_of_finished_render_returns_it(submitted, farm):
    _, kwargs = deferred(submit(submitted, max_duration=1e-6))
    farm.advance(3600)
    event = timed_out(None).to_dict()
    assert submit(submitted).execute_complete(context(), event, **kwargs)["state"] == "FINISHED"


@pytest.mark.parametrize(
    ("choice", "is_success"), [("full_speed", False), ("succeed", True), ("wait", False)]
)
def test_submit_timeout_of_render_paused_after_test_frames(choice, is_success, client, farm):
    """With "full_speed" the pause is no success: its frames are two of four."""
    (task_id,) = client.send(calls.create_task()).ids
    job = make_task_json(frames="1-4[1]")
    job["task_info"] |= {"pre_frames": "101", "stop_after_test": "1"}
    client.send(calls.upload_task_json(task_id, json.dumps(job)))
    options = {"on_test_frames_done": choice, "max_duration": 1e-6, "cancel_on_kill": False}
    _, kwargs = deferred(submit(task_id, **options))
    farm.advance(3600)
    operator = submit(task_id, **options)
    if is_success:
        result = operator.execute_complete(context(), timed_out(None).to_dict(), **kwargs)
        assert result["state"] == "FINISHED_TEST"
    else:
        with pytest.raises(AirflowFailException, match="max_duration"):
            operator.execute_complete(context(), timed_out(None).to_dict(), **kwargs)


@pytest.mark.parametrize("kind", ["submit", "sensor"])
def test_deferral_timeout_stops_render(kind, submitted, state):
    task = (
        submit(submitted)
        if kind == "submit"
        else RenderbusTaskSensor(task_id="wait", render_task_id=submitted, cancel_on_kill=True)
    )
    with pytest.raises(Exception, match="Trigger timeout"):
        task.resume_execution("__fail__", {"error": "Trigger timeout"}, context())
    assert state(submitted) == "STOP"


def test_render_deferral_timeout_stops_stored_render(farm, client, state):
    store = StateStore()
    with pytest.raises(TaskDeferred) as left:
        render().execute({**context(), "task_state_store": store})
    (render_task_id,) = left.value.trigger.render_task_ids
    with pytest.raises(Exception, match="Trigger timeout"):
        render().resume_execution(
            "__fail__", {"error": "Trigger timeout"}, {**context(), "task_state_store": store}
        )
    assert state(render_task_id) == "STOP"


def test_render_deferral_timeout_of_lost_render_logs_error(farm, caplog):
    farm.inject("code", code=400, calls=["get_task_list"])
    run = SimpleNamespace(run_after=datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(Exception, match="Trigger timeout"):
        render().resume_execution("__fail__", {"error": "Trigger timeout"}, {**context(), "dag_run": run})
    assert "may still be running and cost money" in caplog.text


@pytest.mark.parametrize("options", [{"deferrable": True}, {"soft_fail": True}, {}])
def test_task_sensor_timeout_with_cancel_on_kill_stops_render(options, submitted, state):
    sensor = RenderbusTaskSensor(
        task_id="wait", render_task_id=submitted, cancel_on_kill=True, timeout=0, **options
    )
    if "deferrable" in options:
        trigger, kwargs = deferred(sensor)
        event = asyncio.run(first_event(trigger))
        with pytest.raises(AirflowSensorTimeout, match="is no longer running"):
            sensor.execute_complete(context(), event.payload, **kwargs)
    else:
        with pytest.raises(AirflowException):
            sensor.execute(context())
    assert state(submitted) == "STOP"


def test_submit_event_of_other_version_stops_render(submitted, state):
    _, kwargs = deferred(submit(submitted))
    with pytest.raises(AirflowException, match=r"does not know.*is no longer running"):
        submit(submitted).execute_complete(context(), {"version": 0}, **kwargs)
    assert state(submitted) == "STOP"


def test_submit_deferred_by_version_with_fewer_fields_stops_render(submitted, state):
    trigger, kwargs = deferred(submit(submitted, timeout=1e-6))
    event = asyncio.run(first_event(trigger))
    del kwargs["wait"]["deadline"]
    with pytest.raises(AirflowException, match=r"without deadline.*is no longer running") as failure:
        submit(submitted).execute_complete(context(), event.payload, **kwargs)
    assert not isinstance(failure.value, AirflowFailException)
    assert state(submitted) == "STOP"


def test_submit_deferred_by_version_with_other_optional_fields_resumes(submitted, farm):
    trigger, kwargs = deferred(submit(submitted))
    farm.advance(3600)
    event = asyncio.run(first_event(trigger))
    del kwargs["wait"]["tolerates_insufficient_funds"]
    kwargs["wait"]["mood"] = "good"
    result = submit(submitted).execute_complete(context(), event.payload, **kwargs)
    assert result["state"] == "FINISHED"


def render():
    return RenderbusRenderOperator(
        task_id="render", task_json=make_task_json(), deferrable=True, poll_interval=60
    )
