"""The farm's lists for tests, from data as the farm would send it, or from errors."""

from __future__ import annotations

from airflow_provider_renderbus.api.errors import api_error
from airflow_provider_renderbus.clients.clock import Clock
from airflow_provider_renderbus.preflight.farm_lists import QueriedLists

SOFTWARE = {
    "renderInfoList": [
        {"cgId": 2000, "cgName": "Maya", "cgType": "ma;mb", "isSupportLinux": 1},
        {"cgId": 2004, "cgName": "Houdini", "cgType": "hip;hiplc;hipnc", "isSupportLinux": 1},
        {"cgId": 2005, "cgName": "Cinema 4D", "cgType": "c4d", "isSupportLinux": 0},
        {"cgId": 2007, "cgName": "Blender", "cgType": "blend", "isSupportLinux": 0},
    ]
}
MAYA = {
    "cgVersion": [{"id": 1, "cgVersion": "2020"}, {"id": 2, "cgVersion": "2024"}],
    "cgPlugin": [
        {
            "cvId": version_id,
            "pluginName": name,
            "pluginVersions": [{"pluginName": name, "pluginVersion": f"{name} {version}"}],
        }
        for version_id, name, version in (
            (1, "mtoa", "4.0.4.2"),
            (1, "pgYetiMaya", "3.6.2"),
            (2, "mtoa", "5.3.4"),
            (2, "vrayformaya", "6.20.00"),
        )
    ],
}
BLENDER = {"cgVersion": [{"id": 7, "cgVersion": "4.1"}, {"id": 8, "cgVersion": "4.2"}], "cgPlugin": []}
HOUDINI = {
    "cgVersion": [{"id": 4, "cgVersion": "20.0.547"}, {"id": 5, "cgVersion": "20.0.724"}],
    "cgPlugin": [],
}
PLATFORMS = [{"platform": 2, "name": "W2", "status": 1}, {"platform": 21, "name": "GPU", "status": 0}]
HARDWARE = [
    {"id": 301, "platform": 2, "model": "Default", "ram": "64GB", "gpuNum": None, "status": 1},
    {"id": 303, "platform": 2, "model": "Default", "ram": "128GB", "gpuNum": None, "status": 0},
    {
        "id": 337,
        "platform": 2,
        "model": "1080Ti",
        "ram": "64GB",
        "gpuNum": "1*GPU",
        "status": 1,
        "notSupportCgId": [2007],
    },
    {"id": 339, "platform": 21, "model": "2080Ti", "ram": "64GB", "gpuNum": "2*GPU", "status": 1},
]
PROJECTS = {
    "projectNameList": [{"projectId": 1, "projectName": "Sun"}, {"projectId": 2, "projectName": "Night"}]
}

DATA = {
    "query_software_list": SOFTWARE,
    "query_software_detail 2000": MAYA,
    "query_software_detail 2004": HOUDINI,
    "query_software_detail 2005": {"cgVersion": [{"id": 5, "cgVersion": "R21"}], "cgPlugin": []},
    "query_software_detail 2007": BLENDER,
    "query_platforms": PLATFORMS,
    "list_hardware_configs": HARDWARE,
    "list_projects": PROJECTS,
}


class FakeFarm:
    """Answers calls with data by their name, or by their name and the value of one field."""

    def __init__(self, **data):
        self.data = DATA | data
        self.requests = []

    def send(self, call):
        self.requests.append(call.name)
        for key in (*(f"{call.name} {value}" for value in reversed(call.body.values())), call.name):
            if key in self.data:
                data = self.data[key]
                if isinstance(data, Exception):
                    raise data
                return call.read(data)
        raise api_error(call.name, 404, "no such thing")


def lists(farm=None, cache=None, clock=None, **data):
    """Return the lists of a farm that answers with `data`, else as usual."""
    return QueriedLists((farm or FakeFarm(**data)).send, 1, cache, clock or Clock())


def task_json(cg_id="2007", version="4.2", scene="/mnt/sh010.blend", name=None, plugins=None, **info):
    names = {"2000": "Maya", "2004": "Houdini", "2005": "CINEMA 4D", "2007": "Blender"}
    config = {"cg_name": name or names.get(cg_id, "Blender"), "cg_version": version, "plugins": plugins or {}}
    return {
        "software_config": config,
        "task_info": {"cg_id": cg_id, "input_cg_file": scene, "os_name": "1", **info},
    }


def maya(version="2024", plugins=None, scene="/mnt/sh010.ma", **info):
    return task_json("2000", version, scene, plugins=plugins, **info)
