"""Parameters, answers and refusals of the main calls."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_renderbus.farm.calls import ROUTES
from tests.farm.raw_client import CREATE, FILES, FRAMES, INFO, PROFILE, STOP, SUBMIT, UPLOAD, job

ENDPOINTS = json.loads((Path(__file__).parents[1] / "data" / "endpoints.json").read_text())["endpoints"]


def test_routes_serve_every_call_at_all_its_paths():
    assert len(ENDPOINTS) == 49
    expected = {path: endpoint["name"] for endpoint in ENDPOINTS for path in endpoint["paths"]}
    assert {path: call.__name__ for path, call in ROUTES.items()} == expected


def test_query_user_profile_returns_all_fields(client):
    profile = client.call(PROFILE)
    assert (profile["userId"], profile["platform"], profile["shareMainCapital"]) == (100001, 2, 0)
    assert (profile["rmbbalance"], profile["coupon"], profile["cpuPrice"]) == (500, 10, 0.67)
    assert len(profile) == 46


def test_create_task_returns_ids_and_aliases(client):
    data = client.call(CREATE, count=3, taskUserLevel=60)
    assert data == {
        "aliasTaskIdList": ["2W35000001", "2W35000002", "2W35000003"],
        "taskIdList": [35000001, 35000002, 35000003],
        "userId": 100001,
    }


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        (CREATE, {"count": 0}, 600),
        (CREATE, {"count": 101}, 600),
        (CREATE, {"count": "1"}, 600),
        (CREATE, {"count": True}, 600),
        (CREATE, {"taskUserLevel": 55}, 600),
        (CREATE, {"labels": "night"}, 600),
        (CREATE, {"labels": [1]}, 600),
        (SUBMIT, {}, 601),
        (SUBMIT, {"taskId": None}, 601),
        (SUBMIT, {"taskId": -1}, 600),
        (SUBMIT, {"taskId": 1}, 937),
        (UPLOAD, {"taskId": 1, "content": "{}"}, 937),
        (INFO, {}, 601),
        (INFO, {"taskIds": 1}, 600),
        (INFO, {"taskIds": ["1"]}, 600),
        (FRAMES, {"taskId": 1}, 937),
        (STOP, {"taskIds": [1]}, 937),
        (FILES, {"taskId": 1, "treePath": "/"}, 937),
        (FILES, {"treePath": "/nothing"}, 404),
        (FILES, {"treePath": "/../.."}, 404),
        (FILES, {"treePath": "/\0"}, 404),
        (FILES, {"treePath": "/" + "a" * 5000}, 404),
    ],
)
def test_call_invalid_parameter_refuses(client, path, body, code):
    assert client.call_refused(path, **body)[0] == code


@pytest.mark.parametrize(
    "body",
    [
        {"fileName": "../task.json", "content": "{}"},
        {"fileName": "scene.blend", "content": "{}"},
        {"content": "{"},
        {"content": "[]"},
        {"content": "[" * 100_000},
        {"content": {}},
    ],
)
def test_upload_unknown_file_or_invalid_json_refuses(client, body):
    assert client.call_refused(UPLOAD, taskId=client.create(), **body)[0] == 600


def test_submit_without_task_json_refuses(client):
    task_id = client.create()
    client.call(UPLOAD, taskId=task_id, fileName="upload.json", content='{"asset": []}')
    code, message = client.call_refused(SUBMIT, taskId=task_id)
    assert code == 601
    assert "upload it first" in message


def test_submit_and_upload_after_submit_refuse(client):
    task_id = client.submit()
    code, message = client.call_refused(SUBMIT, taskId=task_id)
    assert (code, f"Task {task_id} is submitted already" in message) == (749, True)
    assert client.call_refused(UPLOAD, taskId=task_id, content="{}") == (
        600,
        f"Task {task_id} was submitted or stopped before",
    )


def test_submit_of_task_stopped_before_submit_refuses(client):
    task_id = client.create()
    client.upload(task_id, job())
    client.call(STOP, taskIds=[task_id])
    assert client.call_refused(SUBMIT, taskId=task_id)[0] == 600


@pytest.mark.parametrize(
    ("task_json", "code", "message"),
    [
        (job(frames="10-1[1]"), 510, "10-1[1]"),
        (job(frames="all"), 510, "all"),
        (job(pre_frames="000:x"), 510, "x"),
        (job(frames="1-30000[1]"), 511, "at most 20000"),
        (job(width="0"), 600, "size"),
        ({"task_info": 1}, 600, "task_info"),
        ({}, 741, "is empty"),
    ],
)
def test_submit_invalid_task_json_refuses(client, task_json, code, message):
    task_id = client.create()
    client.upload(task_id, task_json)
    refused_with, text = client.call_refused(SUBMIT, taskId=task_id)
    assert (refused_with, message in text) == (code, True)
    client.upload(task_id, job())
    client.call(SUBMIT, taskId=task_id)


def test_submit_scene_name_with_lone_surrogate_is_answered(client):
    task_id = client.submit(job("\ud800.blend", layer="\ud800"))
    client.farm.advance(1000)
    info = client.task_info(task_id)
    # No storage has a file of that name.
    assert (info["taskStatus"], info["sceneName"], info["outputFileName"]) == (30, "?.blend", f"{task_id}__")


def test_refusal_message_in_chinese(client):
    answer = client.request(SUBMIT, {"taskId": 1}, languageFlag="0")
    assert answer["message"] == "任务 1 不存在"


def test_query_task_info_contains_values_of_task_json(client):
    task_id = client.create()
    client.upload(task_id, job("衣帽间.max", project_name="Night", ram="128", cg_id="2001", time_out="60"))
    client.call(SUBMIT, taskId=task_id, producer="Ada #42")
    info = client.task_info(task_id)
    expected = {
        "sceneName": "衣帽间.max",
        "outputFileName": f"{task_id}_衣帽间",
        "framesRange": "1-4[1]",
        "projectName": "Night",
        "producer": "Ada #42",
        "cgId": 2001,
        "taskRam": 128,
        "taskOverTime": 60,
        "isOpen": 0,
        "respRenderingTaskList": None,
    }
    assert {name: info[name] for name in expected} == expected
    assert len(info) == 55


def test_query_task_info_returns_at_most_100_tasks(client):
    task_ids = client.call(CREATE, count=100)["taskIdList"] + client.call(CREATE, count=20)["taskIdList"]
    page = client.call(INFO, taskIds=[7, *task_ids])
    assert [item["id"] for item in page["items"]] == task_ids[:100]
    assert (page["pageCount"], page["pageNum"], page["total"], page["size"]) == (1, 1, 100, 100)


def test_query_task_frames_is_paged(client):
    task_id = client.submit(job(frames="1-250[1]"))
    page = client.frames(task_id, pageNum=2, pageSize=40)
    assert [item["frameIndex"] for item in page["items"]] == [str(frame) for frame in range(41, 81)]
    assert (page["pageCount"], page["pageNum"], page["total"], page["size"]) == (7, 2, 250, 40)
    assert len(client.frames(task_id)["items"]) == 100
    capped = client.frames(task_id, pageSize=1000, pageNum=3)
    assert (len(capped["items"]), capped["size"], capped["pageCount"]) == (50, 100, 3)
    assert client.frames(task_id, pageNum=4)["items"] == []
    assert client.call_refused(FRAMES, taskId=task_id, pageNum=0)[0] == 600


def test_query_task_frames_keyword_matches_part_of_name(client):
    task_id = client.submit(job(frames="1-24[1]"))
    found = client.frames(task_id, searchKeyword="4")["items"]
    assert [frame["frameIndex"] for frame in found] == ["4", "14", "24"]


def test_query_task_frames_returns_all_fields(client):
    first, second = client.submit(), client.submit()
    client.farm.advance(1000)
    frames = client.frames(first)["items"] + client.frames(second)["items"]
    assert len({frame["id"] for frame in frames}) == 8
    assert len(frames[0]) == 24
    assert [frame["munuJobId"] for frame in frames] == ["0", "1", "2", "3"] * 2
    for frame in frames:
        assert (frame["frameStatus"], frame["frameStatusText"], frame["frameType"]) == (
            4,
            "task_frame_status_4",
            5,
        )
        assert frame["endTime"] - frame["startTime"] == frame["frameExecuteTime"] * 1000


def test_get_output_files_lists_root_and_folders(client):
    task_id = client.submit()
    assert client.call(FILES, taskId=task_id, treePath="/") == []
    assert client.call(FILES, treePath="/") == []
    client.farm.advance(1000)
    (top,) = client.call(FILES, taskId=task_id, treePath="/")
    assert (top["fileName"], top["filePath"]) == (f"{task_id}_sh010", f"/{task_id}_sh010")
    assert (top["directory"], top["fileSize"], top["fileType"], top["isArrears"]) == (True, None, None, 0)
    assert client.call(FILES, treePath="/") == [top]

    files = client.call(FILES, treePath=top["filePath"])
    assert [file["fileName"] for file in files] == [f"sh010_{frame:04d}.png" for frame in (1, 2, 3, 4)]
    first = files[0]
    path = client.farm.output_root / first["filePath"].lstrip("/")
    assert (first["directory"], first["fileType"], first["fileSize"]) == (False, "png", path.stat().st_size)
    assert len(first["lastModify"]) == len("2021-01-15 12:11:59")


def test_get_output_files_link_out_of_storage_refuses(client, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (client.farm.output_root / "link").symlink_to(outside)
    assert client.call_refused(FILES, treePath="/link")[0] == 404


def test_get_transfer_bid_matches_output_folder(client):
    data = client.call("/api/render/transfer/getBid")
    assert client.farm.output_root.name == f"{data['output_bid']}-100001"
