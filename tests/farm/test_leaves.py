"""Layered scenes: leaves, passes, and the parent whose state remains 0."""

from __future__ import annotations

import pytest

from tests.farm.raw_client import (
    ABANDON,
    FILES,
    FULL_SPEED,
    INFO,
    LIST,
    PROFILE,
    RECOMMIT_FAILED,
    START,
    STOP,
    job,
    maya_job,
)

LONG = 100_000


@pytest.fixture
def client(open_client):
    return open_client(frame_seconds=[100, 100])


def summary(leaves):
    return [(leaf["taskType"], leaf["layerName"], leaf["taskStatus"]) for leaf in leaves]


def test_parent_state_remains_0_while_leaves_finish(client):
    task_id = client.submit(maya_job())
    states = []
    for seconds in (0, 60, LONG):
        client.farm.advance(seconds)
        info = client.task_info(task_id)
        leaves = info["respRenderingTaskList"]
        states.append((info["taskStatus"], [leaf["taskStatus"] for leaf in leaves]))
        assert (info["isOpen"], info["outputFileName"], info["totalFrames"]) == (1, None, 0)
    assert states == [(0, [0, 0]), (0, [5, 5]), (0, [25, 25])]
    assert summary(leaves) == [("Render", "beauty", 25), ("Render", "shadow", 25)]
    for leaf in leaves:
        assert (leaf["isOpen"], leaf["respRenderingTaskList"], leaf["layerParentId"]) == (0, None, task_id)
        assert len(leaf) == len(info)
    assert [item["id"] for item in client.call(LIST)["items"]] == [task_id]


def test_leaves_have_own_frames_and_folders(client):
    task_id = client.submit(maya_job())
    client.farm.advance(LONG)
    folders = set()
    for leaf in client.leaves(task_id):
        assert client.frame_states(leaf["id"]) == {"1": 4, "2": 4}
        (top,) = client.call(FILES, taskId=leaf["id"], treePath="/")
        assert top["fileName"] == leaf["outputFileName"] == f"{leaf['id']}_shot"
        files = client.call(FILES, treePath=top["filePath"])
        layer = leaf["layerName"]
        assert [file["fileName"] for file in files] == [f"shot_{layer}_0001.png", f"shot_{layer}_0002.png"]
        folders.add(top["filePath"])
    assert len(folders) == 2
    assert client.frames(task_id)["items"] == []
    assert client.call(FILES, taskId=task_id, treePath="/") == []


def test_leaf_is_returned_by_its_id(client):
    task_id = client.submit(maya_job())
    leaf = client.leaves(task_id)[0]
    assert client.task_info(leaf["id"]) == leaf


def test_orders_to_parent_apply_to_leaves(open_client):
    client = open_client(renders=[{"layer": "shadow", "fail_frames": "2", "fail_times": 1}])
    task_id = client.submit(maya_job(pre_frames="100", stop_after_test="1"))
    client.farm.advance(LONG)
    assert [leaf["taskStatus"] for leaf in client.leaves(task_id)] == [40, 40]
    client.call(FULL_SPEED, taskIds=[task_id])
    client.farm.advance(LONG)
    assert [leaf["taskStatus"] for leaf in client.leaves(task_id)] == [25, 30]
    client.call(RECOMMIT_FAILED, taskIds=[task_id])
    client.call(STOP, taskIds=[task_id])
    assert [leaf["taskStatus"] for leaf in client.leaves(task_id)] == [25, 10]
    client.call(START, taskIds=[task_id])
    client.farm.advance(LONG)
    assert [leaf["taskStatus"] for leaf in client.leaves(task_id)] == [25, 25]
    assert client.task_state(task_id) == 0


def test_preprocessing_leaf_runs_first(open_client):
    client = open_client(frame_seconds=[100, 100], renders=[{"passes": ["preprocess"]}])
    task_id = client.submit()
    assert summary(client.leaves(task_id)) == [("PreRender", "", 0), ("Render", "", 0)]
    client.farm.advance(60)
    info = client.task_info(task_id)
    assert summary(info["respRenderingTaskList"]) == [("PreRender", "", 8), ("Render", "", 0)]
    assert (info["preTaskStatus"], info["preStatusText"]) == (8, "render_task_status_8")
    frames = client.frames(info["respRenderingTaskList"][0]["id"])["items"]
    assert [(frame["frameIndex"], frame["frameType"]) for frame in frames] == [("0", 1)]
    client.farm.advance(100)
    assert summary(client.leaves(task_id)) == [("PreRender", "", 25), ("Render", "", 0)]
    client.farm.advance(LONG)
    assert summary(client.leaves(task_id)) == [("PreRender", "", 25), ("Render", "", 25)]
    assert client.task_info(task_id)["preTaskStatus"] == 25


def test_leaves_fail_if_preprocessing_fails(open_client):
    client = open_client(renders=[{"passes": ["preprocess"], "fail_frames": "0", "fail_times": 1}])
    task_id = client.submit()
    client.farm.advance(LONG)
    assert [leaf["taskStatus"] for leaf in client.leaves(task_id)] == [45, 45]
    client.call(START, taskIds=[task_id])
    client.farm.advance(LONG)
    assert [leaf["taskStatus"] for leaf in client.leaves(task_id)] == [25, 25]


def test_leaf_started_during_preprocessing_waits(open_client):
    client = open_client(frame_seconds=[1000, 1000], renders=[{"passes": ["preprocess"]}])
    task_id = client.submit()
    main = client.leaves(task_id)[1]["id"]
    client.call(STOP, taskIds=[main])
    client.call(START, taskIds=[main])
    client.farm.advance(500)
    assert [leaf["taskStatus"] for leaf in client.leaves(task_id)] == [8, 0]
    client.farm.advance(LONG)
    assert [leaf["taskStatus"] for leaf in client.leaves(task_id)] == [25, 25]


def open_after_photon_pass(open_client):
    client = open_client(frame_seconds=[100, 100], renders=[{"passes": ["photon"]}])
    task_id = client.submit(job(frames="1-2[1]"))
    client.farm.advance(160)
    assert summary(client.leaves(task_id)) == [("RenderPhoton", "", 25)]
    return client, task_id


def test_main_pass_is_listed_seconds_after_photon_pass(open_client):
    client, task_id = open_after_photon_pass(open_client)
    client.farm.advance(3)
    assert len(client.leaves(task_id)) == 1
    client.farm.advance(8)
    assert summary(client.leaves(task_id)) == [("RenderPhoton", "", 25), ("Render", "", 0)]
    client.farm.advance(LONG)
    assert summary(client.leaves(task_id)) == [("RenderPhoton", "", 25), ("Render", "", 25)]
    assert [frame["frameType"] for frame in client.frames(client.leaves(task_id)[0]["id"])["items"]] == [2]


def test_parent_stopped_between_passes_gets_stopped_main_leaf(open_client):
    client, task_id = open_after_photon_pass(open_client)
    client.call(STOP, taskIds=[task_id])
    for _ in "ab":
        assert summary(client.leaves(task_id)) == [("RenderPhoton", "", 25), ("Render", "", 10)]
        client.farm.advance(LONG)
    client.call(START, taskIds=[task_id])
    client.farm.advance(LONG)
    assert summary(client.leaves(task_id)) == [("RenderPhoton", "", 25), ("Render", "", 25)]


def test_parent_abandoned_between_passes_never_runs_again(open_client):
    client, task_id = open_after_photon_pass(open_client)
    profile = client.call(PROFILE)
    client.call(ABANDON, taskIds=[task_id])
    assert client.call_refused(START, taskIds=[task_id])[0] == 600
    client.farm.advance(LONG)
    assert summary(client.leaves(task_id)) == [("RenderPhoton", "", 25), ("Render", "", 35)]
    assert client.call(PROFILE) == profile


def test_photon_leaf_started_by_its_id_is_followed_by_main_pass(open_client):
    client = open_client(frame_seconds=[100, 100], renders=[{"passes": ["photon"]}])
    task_id = client.submit()
    client.call(STOP, taskIds=[task_id])
    client.call(START, taskIds=[client.leaves(task_id)[0]["id"]])
    client.farm.advance(LONG)
    assert summary(client.leaves(task_id)) == [("RenderPhoton", "", 25), ("Render", "", 25)]


def test_change_of_leaf_is_visible_in_parent(client):
    task_id = client.submit(maya_job())
    leaf = client.leaves(task_id)[0]["id"]
    client.call(STOP, taskIds=[leaf])
    assert [item["taskStatus"] for item in client.leaves(task_id)] == [10, 0]
    assert len(client.call(INFO, taskIds=[task_id, leaf])["items"]) == 2


def test_leaves_inherit_labels_and_producer(client):
    task_id = client.create(labels=["night"], artist="Ada")
    client.upload(task_id, maya_job())
    client.call("/api/render/submit/task", taskId=task_id, producer="Ada #7")
    for leaf in client.leaves(task_id):
        assert (leaf["labels"], leaf["producer"]) == ('{"1": "night"}', "Ada #7")
