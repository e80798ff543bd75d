"""Every call returns the documented shape, also those that no operator uses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_renderbus.farm.software import MAYA, RENDERER_PLUGINS, SOFTWARE
from airflow_provider_renderbus.task_json.names import software_id
from airflow_provider_renderbus.task_json.software import BUILDABLE, RENDERER_PLUGINS as BUILDER_PLUGINS
from tests.farm.raw_client import CREATE, LIST, LOG, STOP, job

ENDPOINTS = json.loads((Path(__file__).parents[1] / "data" / "endpoints.json").read_text())["endpoints"]
PATHS = {endpoint["name"]: endpoint["paths"] for endpoint in ENDPOINTS}
ENV = {
    "cgId": 2007,
    "cgName": "Blender",
    "cgVersion": "4.2",
    "editName": "night",
    "renderSystem": 1,
    "pluginIds": [20071],
}
HARDWARE = {"hardwareConfigIds": ["303"], "model": "Default", "gpuNum": "", "ram": "128GB"}
DATES = {"pageNum": 1, "pageSize": 10, "startDate": "", "endDate": ""}


def bodies(task_id, frame_id):
    """Return a body for every call; calls that are missing take none."""
    tasks, one = {"taskIds": [task_id]}, {"taskId": task_id}
    return {
        "update_user_setting": {"taskOverTimeSec": 7200},
        "create_task": {"count": 1, "taskUserLevel": 50, "outUserId": 7, "labels": ["a"], "artist": "Ada"},
        "submit_task": one,
        "query_error_detail": {"code": "15000", "language": "1"},
        "get_task_list": {"pageNum": 1, "pageSize": 10},
        **dict.fromkeys(
            ("stop_task", "start_task", "delete_task", "full_speed", "query_task_info"),
            tasks,
        ),
        "recommit_failed_frames": {**tasks, "status": [4]},
        "abandon_task": tasks,
        "query_task_frames": one,
        "recommit_frames": {**one, "selectAll": 1},
        "stop_frames": {**one, "selectAll": 1},
        "show_log": {"renderingType": "render", "pageNum": 0, "pageSize": 16384, "id": frame_id},
        "load_frame_thumbnail": {"id": frame_id, "frameStatus": 4},
        "load_task_process_img": {**one, "frameType": 5},
        "update_task_user_level": {**one, "taskUserLevel": 60},
        "set_task_overtime_stop": {**tasks, "overTime": 3600},
        "update_task_limit": {**one, "taskLimit": 2},
        "edit_task_hardware_config": {**tasks, **HARDWARE},
        "get_server_info": {"zone": 2},
        "upload_task_json": {**one, "fileName": "task.json", "content": json.dumps(job())},
        "get_output_files": {**one, "treePath": "/"},
        "list_hardware_configs": {"taskIds": [str(task_id)], "cloneTask": "false"},
        "query_platforms": {"zone": 1},
        "add_project": {"newName": "film", "status": 0},
        "delete_project": {"delName": "old"},
        "list_projects": {"flag": 0},
        "add_task_label": {**tasks, "label": "night"},
        "delete_task_label": {**tasks, "labelNames": ["night"], "labelIds": []},
        "query_software_detail": {"cgId": 2007, "osName": "linux"},
        "add_render_env": ENV,
        "edit_render_env": {**ENV, "editName": "day"},
        "delete_render_env": {"editName": "day"},
        "set_default_render_env": {"editName": "day"},
        "get_render_env": {"cgIds": ["2007"], "osName": 1},
        "task_records": {"platform": 2, **DATES},
        "login_records": DATES,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "path", "answer"),
    [(endpoint["name"], path, endpoint["answer"]) for endpoint in ENDPOINTS for path in endpoint["paths"]],
)
def test_call_returns_documented_shape(client, name, path, answer):
    task_id = client.submit()
    client.farm.advance(1000)
    if name in {"upload_task_json", "submit_task"}:
        finished, task_id = task_id, client.create()
        frame_id = client.frames(finished)["items"][0]["id"]
        client.upload(task_id, job())
    else:
        frame_id = client.frames(task_id)["items"][0]["id"]
    if name == "start_task":
        task_id = client.submit()
        client.call(STOP, taskIds=[task_id])
    if name == "stop_task":
        task_id = client.submit()
    client.call(*PATHS["add_project"], newName="old")
    client.call(*PATHS["add_render_env"], **ENV | {"editName": "day"})
    data = client.call(path, **bodies(task_id, frame_id).get(name, {}))
    match answer:
        case "page":
            assert set(data) == {"pageCount", "pageNum", "total", "size", "items"}
            assert isinstance(data["items"], list)
        case "list":
            assert isinstance(data, list)
        case "object":
            assert isinstance(data, dict)
        case "none":
            assert data in (None, "成功")


@pytest.mark.parametrize("name", sorted(set(PATHS) - {"query_user_profile"}))
def test_call_wrong_field_types_are_refused(client, name):
    task_id = client.create()
    for field in bodies(task_id, 1).get(name, {}):
        for value in (-1, "x", [], {}, None, 1.5, True, ["x", {}], 10**30, "\0", "a" * 5000):
            answer = client.request(PATHS[name][0], bodies(task_id, 1)[name] | {field: value})
            assert answer["code"] in {200, 400, 404, 503, 504, 600, 601, 700, 937}, (field, value, answer)
    client.call(CREATE)


def test_user_setting_is_stored(client):
    (update,), (query, _) = PATHS["update_user_setting"], PATHS["query_user_setting"]
    assert client.call(query)["taskOverTimeSec"] == 43_200
    client.call(update, taskOverTimeSec=7200)
    setting = client.call(query)
    assert (setting["taskOverTime"], setting["taskOverTimeSec"], setting["shareMainCapital"]) == (2, 7200, 0)


def test_projects_are_unique_and_deletable(client):
    (add,), (delete,), (names,) = PATHS["add_project"], PATHS["delete_project"], PATHS["list_projects"]
    client.call(add, newName="film")
    assert client.call_refused(add, newName="film") == (503, "The name film exists")
    assert client.call(names, flag=0) == {"projectNameList": [{"projectId": 1, "projectName": "film"}]}
    client.call(delete, delName="film")
    assert client.call_refused(delete, delName="film")[0] == 404


def test_task_labels_are_added_and_deleted(client):
    task_id = client.create(labels=["a"])
    (add,), (delete, _) = PATHS["add_task_label"], PATHS["delete_task_label"]
    client.call(add, label="夜间", taskIds=[task_id])
    client.call(add, label="夜间", taskIds=[task_id])
    assert json.loads(client.task_info(task_id)["labels"]) == {"1": "a", "2": "夜间"}
    client.call(delete, taskIds=[task_id], labelNames=["a"])
    assert json.loads(client.task_info(task_id)["labels"]) == {"1": "夜间"}


def test_render_environments_are_stored(client):
    (add,), (get,) = PATHS["add_render_env"], PATHS["get_render_env"]
    assert client.call(add, **ENV) == {"editName": "night"}
    assert client.call_refused(add, **ENV)[0] == 504
    client.call(add, **ENV | {"editName": "day"})
    client.call(*PATHS["set_default_render_env"], editName="day")
    client.call(*PATHS["edit_render_env"], **ENV | {"cgVersion": "3.6"})
    envs = {env["editName"]: env for env in client.call(get, cgId=2007)}
    assert [(name, env["cgVersion"], env["isDefault"]) for name, env in envs.items()] == [
        ("night", "3.6", 0),
        ("day", "4.2", 1),
    ]
    assert client.call(get, cgId=2001) == []
    client.call(*PATHS["delete_render_env"], editName="day")
    assert [env["editName"] for env in client.call(get, cgIds=["2007"])] == ["night"]


def test_hardware_configs_have_fields_read_by_vendor_client(client):
    configs = client.call(*PATHS["list_hardware_configs"], cloneTask="false")
    keys = {
        "status", "platform", "model", "ram", "gpuNum", "notSupportCgId",
        "notSupportCode", "notSupportCgVersions", "notSupportPluginList",
    }  # fmt: skip
    assert all(keys <= set(config) for config in configs)
    task_id = client.create()
    client.call(*PATHS["edit_task_hardware_config"], taskIds=[task_id], **HARDWARE)
    current = client.call(*PATHS["list_hardware_configs"], taskIds=[str(task_id)])
    assert {config["id"] for config in current if config["current"]} == {303}


def test_transfer_config_has_fields_read_by_vendor_client(client):
    engines = {
        engine["engineName"]: engine for engine in client.call(*PATHS["get_transfer_config"])["resqEngines"]
    }
    (line,) = engines["Aspera"]["respTaskEngineLines"]
    assert (line["server"], line["isDefault"]) == ("127.0.0.1", 1)
    assert type(line["port"]) is str


def test_storage_passwords_and_raysync_keys_are_distinct_and_repeatable(client):
    bids = client.call(PATHS["get_transfer_bid"][0])
    engines = client.call(*PATHS["get_transfer_config"])["resqEngines"]
    accounts = [account for engine in engines for account in engine["resqEngineAccounts"] or ()]
    assert {account["bid"] for account in accounts} == {
        bids[bid] for bid in ("input_bid", "output_bid", "config_bid")
    }
    key, again = (client.call(PATHS["get_raysync_user_key"][0]) for _ in range(2))
    keys = [key[name] for name in ("raySyncUserKey", "userKey", "signature")]
    assert keys == [again[name] for name in ("raySyncUserKey", "userKey", "signature")]
    secrets = {*keys, *(account["password"] for account in accounts), client.farm.connection()["password"]}
    assert len(secrets) == 7
    assert all(len(secret) > 40 for secret in secrets)


# The software list of the documents: id, name, whether a scene must be analyzed (2: not), and Linux.
DOCUMENTED = [
    (2000, "Maya", 1, 1),
    (2001, "3ds Max", 1, 0),
    (2004, "Houdini", 1, 1),
    (2005, "Cinema 4D", 1, 0),
    (2007, "Blender", 1, 0),
    (2008, "VR Standalone", 2, 0),
    (2013, "Clarisse", 1, 1),
]


def test_software_list_is_that_of_the_documents(client):
    listed = client.call(*PATHS["query_software_list"])["renderInfoList"]
    fields = ("cgId", "cgName", "isNeedAnalyse", "isSupportLinux")
    assert set(DOCUMENTED) <= {tuple(each[name] for name in fields) for each in listed}
    assert {each["cgId"]: each["isNeedAnalyse"] for each in listed}.items() >= {(2003, 2), (2015, 2)}
    # The builder has the same software, with the same extensions and systems.
    assert {each["cgId"]: each["cgType"].split(";") for each in listed} == {
        each.cg_id: list(each.extensions) for each in BUILDABLE.values()
    }
    for each in listed:
        assert bool(each["isSupportLinux"]) is (BUILDABLE[each["cgId"]].has_linux is not False)
        assert software_id("name", each["cgName"]) == each["cgId"]


def test_farm_has_each_format_and_renderer_of_the_builder():
    for software in BUILDABLE.values():
        farm = SOFTWARE[software.cg_id]
        assert {each.upper() for each in software.formats.values()} <= set(farm.formats), software.name
        known = farm.renderers if software.cg_id == MAYA else {each.lower() for each in farm.renderers}
        names = software.renderers.values()
        assert {name if software.cg_id == MAYA else name.lower() for name in names} <= set(known)
    assert RENDERER_PLUGINS == BUILDER_PLUGINS


def test_software_detail_has_version_ids(client):
    detail = client.call(*PATHS["query_software_detail"], cgId=2007, osName="linux")
    assert all(version["id"] for version in detail["cgVersion"])
    assert {"2.81", "3.6", "4.2"} <= {version["cgVersion"] for version in detail["cgVersion"]}
    assert detail["cgPlugin"][0]["pluginVersions"][0].keys() == {"pluginId", "pluginName", "pluginVersion"}


def test_task_records_list_operations(client):
    task_id = client.submit()
    client.call(STOP, taskIds=[task_id])
    records = client.call(*PATHS["task_records"], platform=2, **DATES)["items"]
    assert [record["operateType"] for record in records] == ["stop", "submit", "create"]
    assert json.loads(records[0]["taskIds"]) == [f"2W{task_id}"]


def test_query_error_detail_marks_blocking_codes(client):
    details = client.call(*PATHS["query_error_detail"], codes=["15000", "35001", "no such"])
    assert [(item["code"], item["type"], item["isOpen"]) for item in details] == [
        ("15000", 1, 1),
        ("35001", 0, 1),
    ]


def test_get_task_list_filters_by_name_id_state_and_time(client):
    first, second = client.submit(job("sh010.blend")), client.submit(job("sh020.blend"))
    client.create()
    client.farm.advance(1000)
    third = client.submit(job("sh030.blend"))

    def listed(**body):
        return [item["id"] for item in client.call(LIST, **body)["items"]]

    assert listed() == [third, second, first]
    assert listed(pageNum=2, pageSize=2) == [first]
    assert listed(pageNum=3, pageSize=2) == []
    assert listed(searchKeyword="sh02") == [second]
    assert listed(searchKeyword=str(first)[-4:]) == [first]
    assert listed(statusList=[25]) == [second, first]
    assert listed(startTime="2026-01-01 08:10:00") == [third]
    assert listed(endTime="2026-01-01 08:10:00") == [second, first]
    assert client.call_refused(LIST, startTime="yesterday")[0] == 600


def test_show_log_is_paged_by_bytes(open_client):
    client = open_client(renders=[{"fail_frames": "1"}])
    task_id = client.submit()
    client.farm.advance(1000)
    frame_id = client.frames(task_id)["items"][0]["id"]
    full_log = client.call(LOG, renderingType="render", pageNum=0, pageSize=16384, id=frame_id)
    assert full_log["items"][-1].startswith("Error: ")
    assert full_log == client.call(LOG, renderingType="render", pageNum=1, pageSize=16384, id=frame_id) | {
        "pageNum": 0
    }
    chunks = [
        "\n".join(client.call(LOG, renderingType="render", pageNum=page, pageSize=10, id=frame_id)["items"])
        for page in range(1, -(-full_log["total"] // 10) + 1)
    ]
    assert "".join(chunks).replace("\n", "") == "".join(full_log["items"])
    assert client.call(LOG, renderingType="render", pageNum=99, pageSize=10, id=frame_id)["items"] == []
