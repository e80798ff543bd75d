"""A render is waited for on a real farm, with a connection whose access key is changed meanwhile."""

import asyncio
import json
import logging
import time

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.renders.results import Outcome, WaitResult
from airflow_provider_renderbus.sensors.tasks import RenderbusTaskSensor
from airflow_provider_renderbus.triggers.tasks import RenderbusTaskTrigger
from tests.airflow.context import context

# Of an account that the farm has given another one since.
OLD_KEY = "0123456789abcdef" * 4
OTHERWISE = [
    ({"password": OLD_KEY}, "the access id or the key is wrong"),
    ({"login": "another"}, "was changed to another account"),
]


@pytest.fixture
def connect(connection, monkeypatch, caplog):
    """Sets Airflow's connection, which begins with the old key."""
    caplog.set_level(logging.INFO, "airflow_provider_renderbus")

    def connect(**changes):
        monkeypatch.setenv("AIRFLOW_CONN_RENDERBUS_DEFAULT", json.dumps(connection | changes))

    connect(password=OLD_KEY)
    return connect


def about_the_key(caplog):
    return [record.message for record in caplog.records if record.name.endswith("credential_refresh")]


class TestInTheTriggerer:
    @pytest.fixture
    def waits(self, connect, farm, submitted, monkeypatch):
        """Returns how three waits ended, and how often the connection was looked up, which changes once."""
        looked_up = []

        def waits(**changes):
            async def look_up(hook):
                settings = await as_ever(hook)
                looked_up.append(settings)
                connect(**changes)
                return settings

            async def run():
                return await asyncio.gather(*(anext(aiter(trigger.run())) for _ in range(3)))

            as_ever = RenderbusHook.async_settings
            monkeypatch.setattr(RenderbusHook, "async_settings", look_up)
            trigger = RenderbusTaskTrigger(
                "renderbus_default", [submitted], [TaskStatus.FINISHED], None, 60.0, time.time() + 60
            )
            farm.advance(3600)
            events = asyncio.run(run())
            return [WaitResult.from_dict(event.payload) for event in events], len(looked_up)

        return waits

    def test_all_go_on_with_the_new_key(self, waits, connection, caplog):
        events, looked_up = waits()
        assert [event.outcome for event in events] == [Outcome.SUCCEEDED] * 3
        assert looked_up == 2
        assert len(about_the_key(caplog)) == 1
        assert connection["password"] not in caplog.text

    @pytest.mark.parametrize(("changes", "told"), OTHERWISE)
    def test_otherwise_they_end_and_say_why(self, waits, changes, told, caplog):
        events, looked_up = waits(**changes)
        assert [event.outcome for event in events] == [Outcome.FAILED_PERMANENTLY] * 3
        assert all(told in event.message for event in events)
        assert looked_up == 2
        assert not about_the_key(caplog)


class TestOnAWorker:
    @pytest.fixture
    def waiting(self, connect, submitted):
        """A sensor that has read the connection."""
        waiting = RenderbusTaskSensor(task_id="wait", render_task_id=submitted)
        assert waiting.hook.settings.access_key == OLD_KEY
        return waiting

    def test_a_sensor_goes_on_with_the_new_key(self, waiting, connect, connection, farm, caplog):
        connect()
        assert not waiting.poke(context()).is_done
        farm.advance(3600)
        assert waiting.poke(context()).xcom_value["state"] == "FINISHED"
        assert len(about_the_key(caplog)) == 1
        assert connection["password"] not in caplog.text

    def test_so_does_a_stop_afterwards(self, waiting, connect, submitted):
        connect()
        waiting.poke(context())
        with waiting.hook.no_retry_client() as client:
            assert client.send(calls.query_task_info([submitted]))

    @pytest.mark.parametrize(("changes", "told"), OTHERWISE)
    def test_otherwise_it_ends_and_says_why(self, waiting, connect, changes, told):
        connect(**changes)
        with pytest.raises(AirflowFailException, match=told):
            waiting.poke(context())

    def test_an_airflow_that_does_not_answer_ends_nothing(self, waiting, connect, monkeypatch, caplog):
        def no_answer(*_):
            raise AirflowException("the API server is restarted")

        connect()
        with monkeypatch.context() as patch:
            patch.setattr(RenderbusHook, "get_connection", no_answer)
            assert not waiting.poke(context()).is_done
        assert "the connection cannot be looked up: the API server is restarted" in caplog.text
        assert not waiting.poke(context()).is_done
        assert about_the_key(caplog)
