"""A folder with a shot, a connection with the farm's transfer command, and a render."""

from __future__ import annotations

import json

import pytest

from airflow_provider_renderbus.api import calls

UNUSUAL_NAMES = [
    "a b.exr",
    'it\'s "quoted".exr',
    "纹理/木头.png",
    "$(touch x);`y`.vdb",
    "[1].exr",
    "(2) 100%.abc",
]


@pytest.fixture(autouse=True)
def _connection(transfers):
    """All tests here have a connection with the command."""


@pytest.fixture
def shot(tmp_path):
    folder = tmp_path / "shot"
    for name in ("sh010.ma", "textures/a.exr", "textures/b.exr", *UNUSUAL_NAMES):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}")
    return folder


@pytest.fixture
def submit(client):
    """Returns a function that submits a task.json and returns the task id."""

    def submit(task_json):
        task_id = client.send(calls.create_task()).ids[0]
        client.send(calls.upload_task_json(task_id, json.dumps(task_json)))
        client.send(calls.submit_task(task_id))
        return task_id

    return submit


@pytest.fixture
def render(farm, submit):
    """Returns a function that renders a task.json and returns the task id."""

    def render(task_json):
        task_id = submit(task_json)
        farm.advance(3600)
        return task_id

    return render


@pytest.fixture
def frames(tmp_path):
    return tmp_path / "frames"
