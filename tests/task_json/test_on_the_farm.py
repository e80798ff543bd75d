"""The embedded farm accepts what the builder builds over HTTP, and renders it."""

import itertools

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.clients.client import Client
from airflow_provider_renderbus.task_json import build_task_json
from airflow_provider_renderbus.task_json.files import complete_task_json
from tests.task_json.test_builder import BLENDER, HOUDINI, MAYA

SMALL = {"frames": "1-3", "width": 32, "height": 18}


@pytest.mark.parametrize(
    "arguments",
    [
        BLENDER | {"camera": "Camera", "image_format": "PNG"},
        BLENDER | {"test_frames": "100", "os_name": "linux", "ram_gb": 128},
        MAYA | {"layers": ["beauty", "shadow"]},
        HOUDINI,
    ],
    ids=["Blender", "Blender with test frames", "Maya with two layers", "Houdini"],
)
def test_built_task_json_is_rendered(farm, settings, arguments):
    with Client(settings) as client:
        user = client.send(calls.query_user_profile()).user_id
        task_id = client.send(calls.create_task()).ids[0]
        content = complete_task_json(
            build_task_json(**(arguments | SMALL)), task_id=task_id, user_id=user, platform=settings.platform
        )
        client.send(calls.upload_task_json(task_id, content))
        client.send(calls.submit_task(task_id))
        for _ in itertools.repeat(None, 100):
            farm.advance(60)
            task = client.send(calls.query_task_info([task_id]))[task_id]
            if task.status is TaskStatus.FINISHED:
                break
    assert task.status is TaskStatus.FINISHED
