"""Files as analyses and the vendor's packages write them: valid, changed by the builder, and rendered."""

from __future__ import annotations

import copy
import json

import pytest

from airflow_provider_renderbus.task_json import build_task_json
from airflow_provider_renderbus.task_json.schema import validate
from airflow_provider_renderbus.task_json.software import BUILDABLE
from tests.farm.raw_client import LOG, RawClient
from tests.task_json.builds import BUILDS
from tests.task_json.shapes import SCENES, make_task_json

FINISHED = 25
# KeyShot has no documents, so the farm has none of it.
SOFTWARE = [software for software in SCENES if software != "2012 KeyShot"]
VERSIONS = {name: build["version"] for name, build in BUILDS.items()}
EXTENSIONS = {name: build["scene"].rpartition(".")[2] for name, build in BUILDS.items()}
# What a caller of the vendor's packages leaves out is null.
NULLS = {"software_config": "plugins", "task_info": "project_name"}
CHANGES = [
    {"frames": "3-4"},
    {"width": 32, "height": 18},
    {"frames": 7, "width": 32, "height": 18},
    {"ram_gb": 128},
    {"os_name": "windows"},
]


def real_file(software, *, nulls=False):
    name = {"2003 Arnold": "Arnold Standalone"}.get(software, software.partition(" ")[2])
    task_json = copy.deepcopy(make_task_json(software, "scene_info"))
    task_json["software_config"]["cg_version"] = VERSIONS[name]
    task_json["task_info"] |= {
        "input_cg_file": f"D:/shots/sh010.{EXTENSIONS[name]}",
        "project_name": "",
        "hardwareConfigIds": [],
        "os_name": "1",
    }
    has_renderer_with_plugin = software == "2000 Maya"
    for section, field in NULLS.items() if nulls else ():
        if not (has_renderer_with_plugin and field == "plugins"):
            task_json[section][field] = None
    return task_json


@pytest.fixture
def client(farm):
    return RawClient(farm)


def assert_is_rendered(client, task_json):
    task_id = client.submit(task_json)
    client.farm.advance(100_000)
    info = client.task_info(task_id)
    for leaf in info["respRenderingTaskList"] or [info]:
        frames = client.frames(leaf["id"])["items"]
        log = client.call(LOG, id=frames[0]["id"], pageNum=1, pageSize=1)["items"]
        assert leaf["taskStatus"] == FINISHED, log


@pytest.mark.parametrize("nulls", [False, True], ids=["", "nulls"])
@pytest.mark.parametrize("software", SOFTWARE)
def test_real_file_is_valid_and_rendered(client, software, nulls):
    task_json = real_file(software, nulls=nulls)
    assert not [line for line in validate("task.json", task_json) if "must" in line]
    assert_is_rendered(client, task_json)


@pytest.mark.parametrize(
    ("software", "changes"),
    [
        (software, changes)
        for software in SOFTWARE
        for changes in CHANGES
        if changes.keys() <= {*BUILDABLE[int(software[:4])].scene_arguments(), "ram_gb", "os_name"}
    ],
    ids=json.dumps,
)
def test_real_file_is_changed_and_rendered(client, software, changes):
    changed = build_task_json(base=real_file(software, nulls=True), **changes)
    assert_is_rendered(client, changed)


NUKE = {
    "software_config": {"cg_name": "Nuke", "cg_version": "12.1", "plugins": {}},
    "task_info": {"cg_id": "2015", "input_cg_file": "D:/p/a.nk", "concurrent_tasks": "1"},
    "concurrent_tasks": "1",
    "scene_info": {
        "write_nodes": [
            {
                "node": "Write1",
                "frames": "1-10[1]",
                "renderable": "1",
                "render_mode": "0",
                "option": "-1",
                "width": "1920",
                "height": "1080",
            }
        ]
    },
}
V_RAY = {
    "software_config": {"cg_name": "VR Standalone", "cg_version": "standalone_vray5.00.05", "plugins": {}},
    "task_info": {
        "cg_id": "2008",
        "input_cg_file": "D:/p/a.vrscene",
        "frames_per_task": "1",
        "is_distribute_render": "1",
        "distribute_render_node": "3",
        "os_name": "1",
    },
    "scene_info": {},
}
HOUDINI = {
    "software_config": {"cg_name": "Houdini", "cg_version": "20.5.332", "plugins": None},
    "task_info": {
        "cg_id": "2004",
        "input_cg_file": "D:/p/a.hip",
        "project_name": None,
        "os_name": "1",
        "hardwareConfigId": "",
        "hardwareConfigIds": [],
        "graphics_cards_num": "2",
    },
    "scene_info": {},
    "scene_info_render": {
        "rop_node": [{"node": "/out/mantra1", "frames": "1-10[1]", "option": "-1", "render": "1"}],
        "geo_node": [],
    },
}


@pytest.mark.parametrize("task_json", [NUKE, V_RAY, HOUDINI], ids=["Nuke", "V-Ray", "Houdini"])
def test_file_without_analysis_or_with_nulls_passes_without_a_warning(client, task_json):
    assert validate("task.json", task_json) == ()
    assert_is_rendered(client, task_json)
    assert_is_rendered(client, build_task_json(base=task_json, ram_gb=128))
