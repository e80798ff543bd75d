"""The sensor and its trigger: waiting for a render, on a worker and without one."""

import asyncio
import logging
import pkgutil
import time

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    TaskDeferred,
)
from airflow.serialization.serialized_objects import BaseSerialization

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import NoResponse
from airflow_provider_renderbus.renders.results import Outcome, WaitResult
from airflow_provider_renderbus.sensors.tasks import RenderbusTaskSensor
from tests.airflow.context import context

pytestmark = pytest.mark.usefixtures("connection")


def sensor(number, **options):
    return RenderbusTaskSensor(task_id="wait", render_task_id=number, **options)


def deferred_trigger(number, **options):
    """Return the trigger that a deferrable sensor hands to the triggerer, stored and built anew."""
    with pytest.raises(TaskDeferred) as deferred:
        sensor(number, deferrable=True, **options).execute(context())
    path, arguments = deferred.value.trigger.serialize()
    stored = BaseSerialization.deserialize(BaseSerialization.serialize(arguments))
    return pkgutil.resolve_name(path)(**stored)


def first_event(trigger):
    async def run():
        return await anext(aiter(trigger.run()))

    return WaitResult.from_dict(asyncio.run(run()).payload)


class TestOnAWorker:
    def test_a_render_that_goes_on_is_looked_at_again(self, submitted):
        assert not sensor(submitted).poke(context()).is_done

    def test_a_finished_render_returns_its_summary(self, farm, submitted):
        farm.advance(3600)
        done = sensor(f"2W{submitted}").poke(context())
        assert done.is_done
        assert done.xcom_value["render_task_id"] == submitted
        assert done.xcom_value["frames"] == {"total": 4, "done": 4, "failed": 0, "running": 0, "aborted": 0}
        assert done.xcom_value["output_folders"] == [f"{submitted}_sh010"]

    def test_a_stopped_render_fails_without_a_retry(self, client, submitted):
        client.send(calls.stop_task([submitted]))
        with pytest.raises(AirflowFailException, match=rf"task {submitted} is STOP .* of 4 frames done"):
            sensor(submitted).poke(context())

    def test_a_farm_that_does_not_answer_is_asked_again(self, submitted, monkeypatch, caplog):
        def no_answer(*_):
            raise NoResponse("query_task_info", "no answer")

        monkeypatch.setattr("airflow_provider_renderbus.hooks.renderbus.RenderbusHook.run", no_answer)
        assert not sensor(submitted).poke(context()).is_done
        assert "polling continues" in caplog.text

    def test_the_whole_sensor_waits_and_returns(self, farm, submitted, monkeypatch):
        monkeypatch.setattr("time.sleep", farm.advance)
        assert sensor(submitted, poke_interval=60).execute(context())["state"] == "FINISHED"

    def test_only_what_is_news_is_logged(self, farm, submitted, caplog):
        caplog.set_level(logging.INFO, "airflow_provider_renderbus")
        waiting = sensor(submitted)
        for _ in range(3):
            waiting.poke(context())
        farm.advance(3600)
        waiting.poke(context())
        assert len([line for line in caplog.messages if line.startswith(f"task {submitted} is")]) == 2

    def test_a_rescheduled_sensor_logs_its_end_only(self, farm, submitted, caplog):
        caplog.set_level(logging.INFO, "airflow_provider_renderbus")
        for _ in range(3):
            sensor(submitted, mode="reschedule").poke(context())
        assert f"task {submitted}" not in caplog.text
        farm.advance(3600)
        sensor(submitted, mode="reschedule").poke(context())
        assert caplog.text.count(f"task {submitted} is") == 1

    def test_a_number_that_is_none_is_named(self):
        with pytest.raises(AirflowFailException, match=r"^render_task_id: a task's number"):
            sensor("scene").poke(context())


class TestInTheTriggerer:
    def test_a_finished_render_is_reported(self, farm, submitted):
        farm.advance(3600)
        event = first_event(deferred_trigger(submitted))
        assert event.outcome is Outcome.SUCCEEDED
        assert sensor(submitted).execute_complete(context(), event.to_dict())["state"] == "FINISHED"

    def test_a_render_is_reported_when_it_finishes(self, farm, submitted):
        trigger = deferred_trigger(submitted, poke_interval=0.01)

        async def run():
            waiting = asyncio.ensure_future(anext(aiter(trigger.run())))
            while not waiting.done():
                farm.advance(30)
                await asyncio.sleep(0.01)
            return await waiting

        assert WaitResult.from_dict(asyncio.run(run()).payload).outcome is Outcome.SUCCEEDED

    def test_a_stopped_render_fails_without_a_retry(self, client, submitted):
        client.send(calls.stop_task([submitted]))
        event = first_event(deferred_trigger(submitted))
        with pytest.raises(AirflowFailException, match="is STOP"):
            sensor(submitted).execute_complete(context(), event.to_dict())

    def test_the_deadline_is_kept_in_the_trigger(self, submitted):
        trigger = deferred_trigger(submitted, timeout=0)
        assert trigger.deadline <= time.time()
        event = first_event(trigger)
        with pytest.raises(AirflowSensorTimeout, match=rf"time to wait is over: task {submitted} is "):
            sensor(submitted).execute_complete(context(), event.to_dict())

    def test_a_connection_that_is_wrong_fails_before_anything_is_deferred(self, monkeypatch):
        monkeypatch.setenv("AIRFLOW_CONN_RENDERBUS_DEFAULT", '{"conn_type": "renderbus"}')
        with pytest.raises(AirflowFailException, match="access key"):
            sensor(1, deferrable=True).execute(context())

    def test_a_connection_that_becomes_wrong_fails_without_a_retry(self, submitted, monkeypatch):
        trigger = deferred_trigger(submitted)
        monkeypatch.setenv("AIRFLOW_CONN_RENDERBUS_DEFAULT", '{"conn_type": "renderbus"}')
        event = first_event(trigger)
        assert event.outcome is Outcome.FAILED_PERMANENTLY
        assert "password (access key): " in event.message

    def test_what_a_newer_version_stored_is_refused_loudly_and_may_be_retried(self, farm, submitted):
        trigger = deferred_trigger(submitted)
        trigger.version += 1
        event = first_event(trigger)
        with pytest.raises(AirflowException, match="same version") as raised:
            sensor(submitted).execute_complete(context(), event.to_dict())
        assert not isinstance(raised.value, AirflowFailException)
        assert not farm.request_counts["query_task_info"]

    def test_what_an_older_version_stored_is_understood(self, farm, submitted):
        farm.advance(3600)
        trigger = deferred_trigger(submitted)
        trigger.version -= 1
        assert first_event(trigger).outcome is Outcome.SUCCEEDED

    def test_nothing_secret_is_in_trigger_or_event(self, connection, farm, submitted):
        farm.advance(3600)
        trigger = deferred_trigger(submitted)
        seen = repr(trigger) + repr(trigger.serialize()) + repr(first_event(trigger))
        assert connection["password"] not in seen
        assert connection["login"] not in seen


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
    def test_an_event_of_another_make_is_refused_loudly_and_may_be_retried(self, payload):
        with pytest.raises(AirflowException, match="same version") as raised:
            sensor(1).execute_complete(context(), payload)
        assert not isinstance(raised.value, AirflowFailException)

    @pytest.mark.parametrize("end", [Outcome.FAILED, Outcome.TIMED_OUT])
    def test_ends_that_a_retry_may_mend_are_plain_failures(self, end):
        with pytest.raises(AirflowException, match="because") as raised:
            sensor(1).execute_complete(context(), WaitResult(end, "because").to_dict())
        assert not isinstance(raised.value, AirflowFailException)
