"""The embedded farm accepts what the builder builds over HTTP, and renders it."""

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.clients.client import Client
from airflow_provider_renderbus.task_json import build_task_json
from airflow_provider_renderbus.task_json.files import complete_task_json
from tests.task_json.builds import BUILDS

SMALL = {"width": 32, "height": 18}
CASES = {
    **{software: (software, {}) for software in BUILDS},
    "test frames": ("Blender", {"test_frames": "100", "ram_gb": 128, "camera": "Camera"}),
    "two layers": ("Maya", {"layers": ["beauty", "shadow"]}),
    "simulation": ("Houdini", {"geo_nodes": ["/out/a", "/out/b"], "geo_nodes_in_order": True}),
    "distributed simulation": ("Houdini", {"distributed_sims": {"/out/sim": 4}}),
    "image": ("Clarisse", {"layers": None, "images": ["project://scene/cam"]}),
    "video": ("Nuke", {"image_format": "mov"}),
    "two sequences": ("Unreal Engine", {"sequences": ["/Game/One", "/Game/Two"]}),
}


@pytest.mark.parametrize(("software", "more"), CASES.values(), ids=CASES)
def test_built_and_changed_task_json_is_rendered(farm, settings, software, more):
    built = build_task_json(software=software, **(BUILDS[software] | more))
    frames = {} if software == "V-Ray Standalone" else {"frames": "3-4"}
    size = SMALL if "width" in BUILDS[software] else {}
    changed = build_task_json(base=built, **frames, **size)
    with Client(settings) as client:
        user = client.send(calls.query_user_profile()).user_id
        for task_json in (built, changed):
            task_id = client.send(calls.create_task()).ids[0]
            content = complete_task_json(task_json, task_id=task_id, user_id=user, platform=settings.platform)
            client.send(calls.upload_task_json(task_id, content))
            client.send(calls.submit_task(task_id))
            for _ in range(100):
                farm.advance(60)
                task = client.send(calls.query_task_info([task_id]))[task_id]
                if task.is_terminal:
                    break
            assert {leaf.status for leaf in task.leaves()} == {TaskStatus.FINISHED}
        rendered = [
            {frame.name for frame in client.run(flows.list_frames(leaf.id))} for leaf in task.leaves()
        ]
    # Simulations and videos are one task for all frames.
    assert not frames or {"3", "4"} in rendered or {"3-4[1]"} in rendered
