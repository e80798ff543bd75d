"""Tests of waits on the embedded farm with a connection whose access key changes meanwhile."""

import asyncio
import json
import logging
import time

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.compat import AirflowException, AirflowFailException
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.renders.results import Outcome, WaitResult
from airflow_provider_renderbus.sensors.tasks import RenderbusTaskSensor
from airflow_provider_renderbus.triggers.tasks import RenderbusTaskTrigger
from tests.airflow.context import context
from tests.airflow.trigger_events import first_event

OLD_KEY = "0123456789abcdef" * 4
NOT_RECOVERABLE = [
    ({"password": OLD_KEY}, "the access id or the key is wrong"),
    ({"login": "another"}, "was changed to another account"),
]


@pytest.fixture
def connect(connection, monkeypatch, caplog):
    """Set Airflow's connection, first with a key that the farm no longer accepts."""
    caplog.set_level(logging.INFO, "airflow_provider_renderbus")

    def connect(**changes):
        monkeypatch.setenv("AIRFLOW_CONN_RENDERBUS_DEFAULT", json.dumps(connection | changes))

    connect(password=OLD_KEY)
    return connect


def refresh_messages(caplog):
    return [record.message for record in caplog.records if record.name.endswith("credential_refresh")]


class TestTaskTrigger:
    @pytest.fixture
    def run_triggers(self, connect, farm, submitted, monkeypatch):
        """Return the results of three triggers and the number of connection lookups; the first changes it."""
        lookups = []

        def run_triggers(**changes):
            async def async_settings(hook):
                settings = await original(hook)
                lookups.append(settings)
                connect(**changes)
                return settings

            async def run():
                return await asyncio.gather(*(first_event(trigger) for _ in range(3)))

            original = RenderbusHook.async_settings
            monkeypatch.setattr(RenderbusHook, "async_settings", async_settings)
            trigger = RenderbusTaskTrigger(
                "renderbus_default", [submitted], [TaskStatus.FINISHED], None, 60.0, time.time() + 60
            )
            farm.advance(3600)
            events = asyncio.run(run())
            return [WaitResult.from_dict(event.payload) for event in events], len(lookups)

        return run_triggers

    def test_task_trigger_with_changed_key_continues_with_it(self, run_triggers, connection, caplog):
        results, lookups = run_triggers()
        assert [result.outcome for result in results] == [Outcome.SUCCEEDED] * 3
        assert lookups == 2
        assert len(refresh_messages(caplog)) == 1
        assert connection["password"] not in caplog.text

    @pytest.mark.parametrize(("changes", "message"), NOT_RECOVERABLE)
    def test_task_trigger_with_invalid_connection_fails_with_reason(
        self, run_triggers, changes, message, caplog
    ):
        results, lookups = run_triggers(**changes)
        assert [result.outcome for result in results] == [Outcome.FAILED_PERMANENTLY] * 3
        assert all(message in result.message for result in results)
        assert lookups == 2
        assert not refresh_messages(caplog)


class TestTaskSensor:
    @pytest.fixture
    def sensor(self, connect, submitted):
        """A sensor that has read the connection."""
        sensor = RenderbusTaskSensor(task_id="wait", render_task_id=submitted)
        assert sensor.hook.settings.access_key == OLD_KEY
        return sensor

    def test_task_sensor_with_changed_key_continues_with_it(self, sensor, connect, connection, farm, caplog):
        connect()
        assert not sensor.poke(context()).is_done
        farm.advance(3600)
        assert sensor.poke(context()).xcom_value["state"] == "FINISHED"
        assert len(refresh_messages(caplog)) == 1
        assert connection["password"] not in caplog.text

    def test_task_sensor_no_retry_client_uses_changed_key(self, sensor, connect, submitted):
        connect()
        sensor.poke(context())
        with sensor.hook.no_retry_client() as client:
            assert client.send(calls.query_task_info([submitted]))

    @pytest.mark.parametrize(("changes", "message"), NOT_RECOVERABLE)
    def test_task_sensor_with_invalid_connection_fails_with_reason(self, sensor, connect, changes, message):
        connect(**changes)
        with pytest.raises(AirflowFailException, match=message):
            sensor.poke(context())

    def test_task_sensor_with_failed_connection_lookup_keeps_waiting(
        self, sensor, connect, monkeypatch, caplog
    ):
        def get_connection(*_):
            raise AirflowException("the API server is restarted")

        connect()
        with monkeypatch.context() as patch:
            patch.setattr(RenderbusHook, "get_connection", get_connection)
            assert not sensor.poke(context()).is_done
        assert "the connection cannot be looked up: the API server is restarted" in caplog.text
        assert not sensor.poke(context()).is_done
        assert refresh_messages(caplog)
