"""Layered scenes: leaves, passes, and the parent that stays at 0."""

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


def kinds(leaves):
    return [(leaf["taskType"], leaf["layerName"], leaf["taskStatus"]) for leaf in leaves]


def test_the_parent_stays_at_0_while_its_leaves_finish(client):
    number = client.submit(maya_job())
    seen = []
    for seconds in (0, 60, LONG):
        client.farm.advance(seconds)
        info = client.task_info(number)
        leaves = info["respRenderingTaskList"]
        seen.append((info["taskStatus"], [leaf["taskStatus"] for leaf in leaves]))
        assert (info["isOpen"], info["outputFileName"], info["totalFrames"]) == (1, None, 0)
    assert seen == [(0, [0, 0]), (0, [5, 5]), (0, [25, 25])]
    assert kinds(leaves) == [("Render", "beauty", 25), ("Render", "shadow", 25)]
    for leaf in leaves:
        assert (leaf["isOpen"], leaf["respRenderingTaskList"], leaf["layerParentId"]) == (0, None, number)
        assert len(leaf) == len(info)
    assert [item["id"] for item in client.call(LIST)["items"]] == [number]


def test_every_leaf_has_its_frames_and_its_folder(client):
    number = client.submit(maya_job())
    client.farm.advance(LONG)
    folders = set()
    for leaf in client.leaves(number):
        assert client.frame_states(leaf["id"]) == {"1": 4, "2": 4}
        (top,) = client.call(FILES, taskId=leaf["id"], treePath="/")
        assert top["fileName"] == leaf["outputFileName"] == f"{leaf['id']}_shot"
        files = client.call(FILES, treePath=top["filePath"])
        layer = leaf["layerName"]
        assert [file["fileName"] for file in files] == [f"shot_{layer}_0001.png", f"shot_{layer}_0002.png"]
        folders.add(top["filePath"])
    assert len(folders) == 2
    assert client.frames(number)["items"] == []
    assert client.call(FILES, taskId=number, treePath="/") == []


def test_a_leaf_can_be_asked_for_by_its_number(client):
    number = client.submit(maya_job())
    leaf = client.leaves(number)[0]
    assert client.task_info(leaf["id"]) == leaf


def test_orders_to_a_parent_go_to_its_leaves(open_client):
    client = open_client(renders=[{"layer": "shadow", "fail_frames": "2", "fail_times": 1}])
    number = client.submit(maya_job(pre_frames="100", stop_after_test="1"))
    client.farm.advance(LONG)
    assert [leaf["taskStatus"] for leaf in client.leaves(number)] == [40, 40]
    client.call(FULL_SPEED, taskIds=[number])
    client.farm.advance(LONG)
    assert [leaf["taskStatus"] for leaf in client.leaves(number)] == [25, 30]
    client.call(RECOMMIT_FAILED, taskIds=[number])
    client.call(STOP, taskIds=[number])
    assert [leaf["taskStatus"] for leaf in client.leaves(number)] == [25, 10]
    client.call(START, taskIds=[number])
    client.farm.advance(LONG)
    assert [leaf["taskStatus"] for leaf in client.leaves(number)] == [25, 25]
    assert client.task_state(number) == 0


def test_the_preprocessing_leaf_goes_first(open_client):
    client = open_client(frame_seconds=[100, 100], renders=[{"passes": ["preprocess"]}])
    number = client.submit()
    assert kinds(client.leaves(number)) == [("PreRender", "", 0), ("Render", "", 0)]
    client.farm.advance(60)
    info = client.task_info(number)
    assert kinds(info["respRenderingTaskList"]) == [("PreRender", "", 8), ("Render", "", 0)]
    assert (info["preTaskStatus"], info["preStatusText"]) == (8, "render_task_status_8")
    frames = client.frames(info["respRenderingTaskList"][0]["id"])["items"]
    assert [(frame["frameIndex"], frame["frameType"]) for frame in frames] == [("0", 1)]
    client.farm.advance(100)
    assert kinds(client.leaves(number)) == [("PreRender", "", 25), ("Render", "", 0)]
    client.farm.advance(LONG)
    assert kinds(client.leaves(number)) == [("PreRender", "", 25), ("Render", "", 25)]
    assert client.task_info(number)["preTaskStatus"] == 25


def test_leaves_fail_with_their_preprocessing(open_client):
    client = open_client(renders=[{"passes": ["preprocess"], "fail_frames": "0", "fail_times": 1}])
    number = client.submit()
    client.farm.advance(LONG)
    assert [leaf["taskStatus"] for leaf in client.leaves(number)] == [45, 45]
    client.call(START, taskIds=[number])
    client.farm.advance(LONG)
    assert [leaf["taskStatus"] for leaf in client.leaves(number)] == [25, 25]


def test_a_leaf_started_before_its_preprocessing_is_done_waits_for_it(open_client):
    client = open_client(frame_seconds=[1000, 1000], renders=[{"passes": ["preprocess"]}])
    number = client.submit()
    main = client.leaves(number)[1]["id"]
    client.call(STOP, taskIds=[main])
    client.call(START, taskIds=[main])
    client.farm.advance(500)
    assert [leaf["taskStatus"] for leaf in client.leaves(number)] == [8, 0]
    client.farm.advance(LONG)
    assert [leaf["taskStatus"] for leaf in client.leaves(number)] == [25, 25]


def photon_done(open_client):
    client = open_client(frame_seconds=[100, 100], renders=[{"passes": ["photon"]}])
    number = client.submit(job(frames="1-2[1]"))
    client.farm.advance(160)
    assert kinds(client.leaves(number)) == [("RenderPhoton", "", 25)]
    return client, number


def test_the_main_pass_is_listed_some_seconds_after_the_photon_pass(open_client):
    client, number = photon_done(open_client)
    client.farm.advance(3)
    assert len(client.leaves(number)) == 1
    client.farm.advance(8)
    assert kinds(client.leaves(number)) == [("RenderPhoton", "", 25), ("Render", "", 0)]
    client.farm.advance(LONG)
    assert kinds(client.leaves(number)) == [("RenderPhoton", "", 25), ("Render", "", 25)]
    assert [frame["frameType"] for frame in client.frames(client.leaves(number)[0]["id"])["items"]] == [2]


def test_a_parent_stopped_between_its_passes_gets_its_main_leaf_stopped(open_client):
    client, number = photon_done(open_client)
    client.call(STOP, taskIds=[number])
    for _ in "ab":
        assert kinds(client.leaves(number)) == [("RenderPhoton", "", 25), ("Render", "", 10)]
        client.farm.advance(LONG)
    client.call(START, taskIds=[number])
    client.farm.advance(LONG)
    assert kinds(client.leaves(number)) == [("RenderPhoton", "", 25), ("Render", "", 25)]


def test_a_parent_abandoned_between_its_passes_never_runs_again(open_client):
    client, number = photon_done(open_client)
    paid = client.call(PROFILE)
    client.call(ABANDON, taskIds=[number])
    assert client.call_refused(START, taskIds=[number])[0] == 600
    client.farm.advance(LONG)
    assert kinds(client.leaves(number)) == [("RenderPhoton", "", 25), ("Render", "", 35)]
    assert client.call(PROFILE) == paid


def test_a_photon_pass_started_by_its_own_number_is_followed_by_the_main_pass(open_client):
    client = open_client(frame_seconds=[100, 100], renders=[{"passes": ["photon"]}])
    number = client.submit()
    client.call(STOP, taskIds=[number])
    client.call(START, taskIds=[client.leaves(number)[0]["id"]])
    client.farm.advance(LONG)
    assert kinds(client.leaves(number)) == [("RenderPhoton", "", 25), ("Render", "", 25)]


def test_what_a_leaf_changes_is_told_by_its_parent_too(client):
    number = client.submit(maya_job())
    leaf = client.leaves(number)[0]["id"]
    client.call(STOP, taskIds=[leaf])
    assert [item["taskStatus"] for item in client.leaves(number)] == [10, 0]
    assert len(client.call(INFO, taskIds=[number, leaf])["items"]) == 2


def test_leaves_have_labels_producer_and_level_of_machines_of_their_parent(client):
    number = client.create(labels=["night"], artist="Ada")
    client.upload(number, maya_job())
    client.call("/api/render/submit/task", taskId=number, producer="Ada #7")
    for leaf in client.leaves(number):
        assert (leaf["labels"], leaf["producer"]) == ('{"1": "night"}', "Ada #7")
