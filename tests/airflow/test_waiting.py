"""RenderbusTaskSensor and its trigger: waiting on a worker and in the triggerer."""

import asyncio
import logging
import pkgutil
import time

import pytest
from airflow.serialization.serialized_objects import BaseSerialization

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import NoResponse
from airflow_provider_renderbus.compat import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    TaskDeferred,
)
from airflow_provider_renderbus.renders.results import Outcome, WaitResult
from airflow_provider_renderbus.sensors.tasks import RenderbusTaskSensor
from tests.airflow.context import context
from tests.airflow.trigger_events import first_event

pytestmark = pytest.mark.usefixtures("connection")


def sensor(render_task_id, **options):
    return RenderbusTaskSensor(task_id="wait", render_task_id=render_task_id, **options)


def deferred_trigger(render_task_id, **options):
    """Return the trigger of a deferrable sensor, serialized and rebuilt as Airflow does."""
    waiting = sensor(render_task_id, deferrable=True, **options)
    with pytest.raises(TaskDeferred) as deferred:
        waiting.defer_until(context(), time.time() + waiting.timeout)
    path, arguments = deferred.value.trigger.serialize()
    stored = BaseSerialization.deserialize(BaseSerialization.serialize(arguments))
    return pkgutil.resolve_name(path)(**stored)


def first_result(trigger):
    return WaitResult.from_dict(asyncio.run(first_event(trigger)).payload)


class TestOnWorker:
    def test_sensor_running_render_pokes_again(self, submitted):
        assert not sensor(submitted).poke(context()).is_done

    def test_sensor_finished_render_returns_summary(self, farm, submitted):
        farm.advance(3600)
        done = sensor(f"2W{submitted}").poke(context())
        assert done.is_done
        assert done.xcom_value["render_task_id"] == submitted
        assert done.xcom_value["frames"] == {"total": 4, "done": 4, "failed": 0, "running": 0, "aborted": 0}
        assert done.xcom_value["output_folders"] == [f"{submitted}_sh010"]

    def test_sensor_stopped_render_fails_without_retries(self, client, submitted):
        client.send(calls.stop_task([submitted]))
        with pytest.raises(
            AirflowFailException, match=rf"Render {submitted} \(.+\): STOP .* of 4 frames done"
        ):
            sensor(submitted).poke(context())

    def test_sensor_failed_poll_pokes_again(self, submitted, monkeypatch, caplog):
        def raise_no_response(*_):
            raise NoResponse("query_task_info", "no answer")

        monkeypatch.setattr("airflow_provider_renderbus.hooks.renderbus.RenderbusHook.run", raise_no_response)
        assert not sensor(submitted).poke(context()).is_done
        assert "polling continues" in caplog.text

    def test_sensor_execute_waits_and_returns_result(self, farm, submitted, monkeypatch):
        monkeypatch.setattr("time.sleep", farm.advance)
        assert sensor(submitted, poke_interval=60).execute(context())["state"] == "FINISHED"

    def test_sensor_repeated_pokes_log_only_changes(self, farm, submitted, caplog):
        caplog.set_level(logging.INFO, "airflow_provider_renderbus")
        task = sensor(submitted)
        for _ in range(3):
            task.poke(context())
        farm.advance(3600)
        task.poke(context())
        assert len([line for line in caplog.messages if line.startswith(f"Render {submitted} (")]) == 2

    def test_sensor_rescheduled_logs_only_end(self, farm, submitted, caplog):
        caplog.set_level(logging.INFO, "airflow_provider_renderbus")
        for _ in range(3):
            sensor(submitted, mode="reschedule").poke(context())
        assert f"Render {submitted}" not in caplog.text
        farm.advance(3600)
        sensor(submitted, mode="reschedule").poke(context())
        assert caplog.text.count(f"Render {submitted} (") == 1

    def test_sensor_invalid_render_task_id_fails(self):
        with pytest.raises(AirflowFailException, match=r"^render_task_id: must be a task id"):
            sensor("scene").poke(context())


class TestInTriggerer:
    def test_trigger_finished_render_succeeds(self, farm, submitted):
        farm.advance(3600)
        event = first_result(deferred_trigger(submitted))
        assert event.outcome is Outcome.SUCCEEDED
        assert sensor(submitted).execute_complete(context(), event.to_dict())["state"] == "FINISHED"

    def test_trigger_render_finishes_later_succeeds(self, farm, submitted):
        trigger = deferred_trigger(submitted, poke_interval=0.01)

        async def run():
            event = asyncio.ensure_future(first_event(trigger))
            while not event.done():
                farm.advance(30)
                await asyncio.sleep(0.01)
            return await event

        assert WaitResult.from_dict(asyncio.run(run()).payload).outcome is Outcome.SUCCEEDED

    def test_trigger_stopped_render_fails_without_retries(self, client, submitted):
        client.send(calls.stop_task([submitted]))
        event = first_result(deferred_trigger(submitted))
        with pytest.raises(AirflowFailException, match=": STOP "):
            sensor(submitted).execute_complete(context(), event.to_dict())

    def test_trigger_deadline_passed_times_out(self, submitted):
        trigger = deferred_trigger(submitted, timeout=0)
        assert trigger.deadline <= time.time()
        event = first_result(trigger)
        with pytest.raises(AirflowSensorTimeout, match=rf"Timed out waiting: Render {submitted} \(.+\): "):
            sensor(submitted).execute_complete(context(), event.to_dict())

    def test_sensor_invalid_connection_fails_before_deferral(self, monkeypatch):
        monkeypatch.setenv("AIRFLOW_CONN_RENDERBUS_DEFAULT", '{"conn_type": "renderbus"}')
        with pytest.raises(AirflowFailException, match="access key"):
            sensor(1, deferrable=True).execute(context())

    def test_trigger_connection_becomes_invalid_fails_permanently(self, submitted, monkeypatch):
        trigger = deferred_trigger(submitted)
        monkeypatch.setenv("AIRFLOW_CONN_RENDERBUS_DEFAULT", '{"conn_type": "renderbus"}')
        event = first_result(trigger)
        assert event.outcome is Outcome.FAILED_PERMANENTLY
        assert "password (access key): " in event.message

    def test_trigger_newer_stored_version_fails_retryable(self, farm, submitted):
        trigger = deferred_trigger(submitted)
        trigger.version += 1
        event = first_result(trigger)
        with pytest.raises(AirflowException, match="same version") as raised:
            sensor(submitted).execute_complete(context(), event.to_dict())
        assert not isinstance(raised.value, AirflowFailException)
        assert not farm.request_counts["query_task_info"]

    def test_trigger_older_stored_version_is_accepted(self, farm, submitted):
        farm.advance(3600)
        trigger = deferred_trigger(submitted)
        trigger.version -= 1
        assert first_result(trigger).outcome is Outcome.SUCCEEDED

    def test_trigger_and_event_contain_no_secret(self, connection, farm, submitted):
        farm.advance(3600)
        trigger = deferred_trigger(submitted)
        text = repr(trigger) + repr(trigger.serialize()) + repr(first_result(trigger))
        assert connection["password"] not in text
        assert connection["login"] not in text


class TestEvents:
    @pytest.mark.parametrize(
        "payload",
        [
            None,
            {},
            {"version": 99},
            {"version": 1, "outcome": "succeeded"},
            {"version": 1, "outcome": ["succeeded"], "message": ""},
            {"version": 1, "outcome": "?", "message": ""},
            {"version": 1, "outcome": "succeeded", "message": "", "result": "x"},
        ],
    )
    def test_execute_complete_invalid_event_fails_retryable(self, payload):
        with pytest.raises(AirflowException, match="same version") as raised:
            sensor(1).execute_complete(context(), payload)
        assert not isinstance(raised.value, AirflowFailException)

    @pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.TIMED_OUT])
    def test_execute_complete_retryable_outcome_fails_retryable(self, outcome):
        with pytest.raises(AirflowException, match="because") as raised:
            sensor(1).execute_complete(context(), WaitResult(outcome, "because").to_dict())
        assert not isinstance(raised.value, AirflowFailException)
