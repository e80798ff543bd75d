"""A task whose time to wait is over stops its render, however it comes to know."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    TaskDeferred,
)

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.operators.render import RenderbusRenderOperator
from airflow_provider_renderbus.renders.results import timed_out
from airflow_provider_renderbus.sensors.tasks import RenderbusTaskSensor
from tests.airflow.context import context
from tests.airflow.deferring import deferred, submit
from tests.scenes import make_task_json

pytestmark = pytest.mark.usefixtures("connection", "no_pause_before_a_stop")


def test_the_render_is_stopped(created, state):
    with pytest.raises(
        AirflowException, match=r"Timed out waiting.*is no longer running.*http://"
    ) as failure:
        submit(created, deferrable=False, timeout=1e-6).execute(context())
    assert not isinstance(failure.value, AirflowFailException)
    assert state(created) == "STOP"


def test_it_goes_on_where_that_is_wanted(created, state):
    with pytest.raises(AirflowException, match="not stopped, since cancel_on_kill is False"):
        submit(created, deferrable=False, timeout=1e-6, cancel_on_kill=False).execute(context())
    assert state(created) == "WAITING"


def test_after_a_deferral(created, state):
    task = submit(created, timeout=1e-6)
    trigger, kwargs = deferred(task)
    event = asyncio.run(anext(aiter(trigger.run())))
    with pytest.raises(AirflowException, match=r"Timed out waiting.*is no longer running"):
        submit(created).execute_complete(context(), event.payload, **kwargs)
    assert state(created) == "STOP"


def test_execution_timeout_is_copied_into_the_triggers_deadline(created):
    trigger, _ = deferred(submit(created, execution_timeout=timedelta(hours=1)))
    assert 3580 < trigger.deadline - time.time() < 3601


def test_the_longest_duration_counts_from_the_submit_and_is_no_matter_for_a_retry(
    submitted, client, farm, state
):
    submit_date = client.send(calls.query_task_info([submitted]))[submitted].submitted_at.timestamp()
    trigger, kwargs = deferred(submit(submitted, max_duration=7200))
    assert trigger.deadline == submit_date + 7200
    over, kwargs = deferred(submit(submitted, max_duration=1e-6))
    event = asyncio.run(anext(aiter(over.run())))
    with pytest.raises(AirflowFailException, match=r"max_duration .* is over"):
        submit(submitted).execute_complete(context(), event.payload, **kwargs)
    assert state(submitted) == "STOP"


def test_a_render_that_had_finished_is_not_thrown_away(submitted, farm):
    _, kwargs = deferred(submit(submitted, max_duration=1e-6))
    farm.advance(3600)
    event = timed_out("nothing was seen").to_dict()
    assert submit(submitted).execute_complete(context(), event, **kwargs)["state"] == "FINISHED"


@pytest.mark.parametrize("kind", ["submit", "sensor"])
def test_airflows_own_time_out_of_a_deferral(kind, submitted, state):
    task = (
        submit(submitted)
        if kind == "submit"
        else RenderbusTaskSensor(task_id="wait", render_task_id=submitted, cancel_on_kill=True)
    )
    with pytest.raises(Exception, match="Trigger timeout"):
        task.resume_execution("__fail__", {"error": "Trigger timeout"}, context())
    assert state(submitted) == "STOP"


def test_a_render_in_one_remembers_its_number_for_it(farm, client, state):
    store = Store()
    with pytest.raises(TaskDeferred) as left:
        render().execute({**context(), "task_state_store": store})
    (number,) = left.value.trigger.render_task_ids
    with pytest.raises(Exception, match="Trigger timeout"):
        render().resume_execution(
            "__fail__", {"error": "Trigger timeout"}, {**context(), "task_state_store": store}
        )
    assert state(number) == "STOP"


def test_a_render_that_is_not_found_then_is_said_loudly(farm, caplog):
    farm.inject("code", code=400, calls=["get_task_list"])
    run = SimpleNamespace(run_after=datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(Exception, match="Trigger timeout"):
        render().resume_execution("__fail__", {"error": "Trigger timeout"}, {**context(), "dag_run": run})
    assert "may still be running and cost money" in caplog.text


@pytest.mark.parametrize("options", [{"deferrable": True}, {"soft_fail": True}, {}])
def test_a_sensor_that_answers_for_renders(options, submitted, state):
    sensor = RenderbusTaskSensor(
        task_id="wait", render_task_id=submitted, cancel_on_kill=True, timeout=0, **options
    )
    if "deferrable" in options:
        trigger, kwargs = deferred(sensor)
        event = asyncio.run(anext(aiter(trigger.run())))
        with pytest.raises(AirflowSensorTimeout, match="is no longer running"):
            sensor.execute_complete(context(), event.payload, **kwargs)
    else:
        with pytest.raises(AirflowException):
            sensor.execute(context())
    assert state(submitted) == "STOP"


def test_an_event_of_another_version_leaves_nothing_running(submitted, state):
    _, kwargs = deferred(submit(submitted))
    with pytest.raises(AirflowException, match=r"does not know.*is no longer running"):
        submit(submitted).execute_complete(context(), {"version": 0}, **kwargs)
    assert state(submitted) == "STOP"


def test_so_does_a_deferral_by_another_version_that_lacks_what_this_one_needs(submitted, state):
    trigger, kwargs = deferred(submit(submitted, timeout=1e-6))
    event = asyncio.run(anext(aiter(trigger.run())))
    del kwargs["wait"]["deadline"]
    with pytest.raises(AirflowException, match=r"without deadline.*is no longer running") as failure:
        submit(submitted).execute_complete(context(), event.payload, **kwargs)
    assert not isinstance(failure.value, AirflowFailException)
    assert state(submitted) == "STOP"


def test_a_deferral_by_a_version_that_keeps_more_or_less_is_resumed(submitted, farm):
    trigger, kwargs = deferred(submit(submitted))
    farm.advance(3600)
    event = asyncio.run(anext(aiter(trigger.run())))
    del kwargs["wait"]["bears_arrears"]
    kwargs["wait"]["mood"] = "good"
    ended = submit(submitted).execute_complete(context(), event.payload, **kwargs)
    assert ended["state"] == "FINISHED"


class Store(dict):
    def set(self, key, value):
        self[key] = value


def render():
    return RenderbusRenderOperator(
        task_id="render", task_json=make_task_json(), deferrable=True, poll_interval=60
    )
