"""Fixtures for Airflow tests: a client, renders on the farm, and a connection with a transfer command."""

from __future__ import annotations

import importlib
import json
import time

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.calls import account as account_calls
from airflow_provider_renderbus.api.models import account as account_models
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.clients.client import Client
from airflow_provider_renderbus.clients.clock import Clock
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from tests.airflow.airflow_task import AirflowTask
from tests.airflow_version import reset_secrets_masker
from tests.scenes import make_task_json
from tests.transfer_command import transfer_command


@pytest.fixture(autouse=True)
def _no_join_window(monkeypatch):
    """Batches start at once instead of waiting half a second for others to join.

    Polls do wait: until then the clock of a test's farm advances, and the next poll is a minute later.
    """
    importlib.import_module("airflow_provider_renderbus.polling.page_schedule")
    monkeypatch.setattr("airflow_provider_renderbus.polling.batching.JOIN_WINDOW", 0.0)


@pytest.fixture(autouse=True)
def _no_secrets_of_earlier_tests():
    """Airflow masks the secrets of this test only: a thousand keys would slow down each later test."""
    reset_secrets_masker()


@pytest.fixture(autouse=True)
def _own_state_folder(monkeypatch, tmp_path):
    """Each test has its own folder of a worker, and so its own copy of the farm's lists."""
    monkeypatch.setenv("AIRFLOW__RENDERBUS__TRANSFER_STATE_FOLDER", str(tmp_path / "state"))


@pytest.fixture
def client(settings):
    with Client(settings) as client:
        yield client


@pytest.fixture
def created(client):
    """The id of a render that has its task.json and is not submitted."""
    task_id = client.send(calls.create_task()).ids[0]
    client.send(calls.upload_task_json(task_id, json.dumps(make_task_json())))
    return task_id


@pytest.fixture
def submitted(client, created):
    """The id of a render that is submitted."""
    client.send(calls.submit_task(created))
    return created


@pytest.fixture
def hidden_funds(monkeypatch):
    """An account that hides its funds."""
    read = account_models.read_user_profile
    monkeypatch.setattr(
        account_calls, "read_user_profile", lambda data: read({**data, "hideBalance": 1, "rmbbalance": 0})
    )


@pytest.fixture
def state(client):
    """Returns the name of the state of a render on the farm."""

    def state(task_id):
        return client.send(calls.query_task_info([task_id]))[task_id].status.name

    return state


@pytest.fixture
def hook_sleeps(monkeypatch):
    """Replaces the sleep of every hook; its clock advances only while it sleeps."""

    def hook_sleeps(sleep):
        slept = [0.0]

        def sleep_and_count(seconds):
            slept[0] += seconds
            sleep(seconds)

        monkeypatch.setattr(RenderbusHook, "clock", Clock(monotonic=lambda: slept[0], sleep=sleep_and_count))

    return hook_sleeps


@pytest.fixture
def no_stop_poll_interval(monkeypatch, hook_sleeps):
    """Confirms stops without a pause between polls, on a worker and in the triggerer."""
    monkeypatch.setattr("airflow_provider_renderbus.polling.batched_stop.STOP_POLL_INTERVAL", 0.0)
    hook_sleeps(lambda seconds: time.sleep(min(seconds, 0.01)))


@pytest.fixture
def command(tmp_path):
    """The farm's transfer command."""
    return transfer_command(tmp_path / "command")


@pytest.fixture
def connect(farm, monkeypatch, tmp_path):
    """Sets the connection with a transfer command."""
    monkeypatch.setenv("AIRFLOW__RENDERBUS__TRANSFER_STATE_FOLDER", str(tmp_path / "transfer_state"))

    def connect(command, **extra):
        connection = farm.connection()
        connection["extra"] |= {"transfer_command": str(command), **extra}
        monkeypatch.setenv("AIRFLOW_CONN_RENDERBUS_DEFAULT", json.dumps(connection))

    return connect


@pytest.fixture
def transfers(connect, command):
    """A connection with a transfer command."""
    connect(command)


@pytest.fixture(params=[True, False], ids=["store", "marker"])
def airflow_task(request, farm, hook_sleeps):
    hook_sleeps(farm.advance)
    return AirflowTask(farm, request.param)


@pytest.fixture
def submitted_ids(client):
    """Returns the ids of all submitted tasks."""

    def submitted_ids():
        return [task.id for page in client.iter_pages(flows.task_pages()) for task in page.items]

    return submitted_ids
