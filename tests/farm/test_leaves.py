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
    maya,
)

LONG = 100_000


@pytest.fixture
def caller(opened):
    return opened(frame_seconds=[100, 100])


def kinds(leaves):
    return [(leaf["taskType"], leaf["layerName"], leaf["taskStatus"]) for leaf in leaves]


def test_the_parent_stays_at_0_while_its_leaves_finish(caller):
    number = caller.submit(maya())
    seen = []
    for seconds in (0, 60, LONG):
        caller.farm.advance(seconds)
        info = caller.info(number)
        leaves = info["respRenderingTaskList"]
        seen.append((info["taskStatus"], [leaf["taskStatus"] for leaf in leaves]))
        assert (info["isOpen"], info["outputFileName"], info["totalFrames"]) == (1, None, 0)
    assert seen == [(0, [0, 0]), (0, [5, 5]), (0, [25, 25])]
    assert kinds(leaves) == [("Render", "beauty", 25), ("Render", "shadow", 25)]
    for leaf in leaves:
        assert (leaf["isOpen"], leaf["respRenderingTaskList"], leaf["layerParentId"]) == (0, None, number)
        assert len(leaf) == len(info)
    assert [item["id"] for item in caller.call(LIST)["items"]] == [number]


def test_every_leaf_has_its_frames_and_its_folder(caller):
    number = caller.submit(maya())
    caller.farm.advance(LONG)
    folders = set()
    for leaf in caller.leaves(number):
        assert caller.states(leaf["id"]) == {"1": 4, "2": 4}
        (top,) = caller.call(FILES, taskId=leaf["id"], treePath="/")
        assert top["fileName"] == leaf["outputFileName"] == f"{leaf['id']}_shot"
        files = caller.call(FILES, treePath=top["filePath"])
        layer = leaf["layerName"]
        assert [file["fileName"] for file in files] == [f"shot_{layer}_0001.png", f"shot_{layer}_0002.png"]
        folders.add(top["filePath"])
    assert len(folders) == 2
    assert caller.frames(number)["items"] == []
    assert caller.call(FILES, taskId=number, treePath="/") == []


def test_a_leaf_can_be_asked_for_by_its_number(caller):
    number = caller.submit(maya())
    leaf = caller.leaves(number)[0]
    assert caller.info(leaf["id"]) == leaf


def test_orders_to_a_parent_go_to_its_leaves(opened):
    caller = opened(renders=[{"layer": "shadow", "fail_frames": "2", "fail_times": 1}])
    number = caller.submit(maya(pre_frames="100", stop_after_test="1"))
    caller.farm.advance(LONG)
    assert [leaf["taskStatus"] for leaf in caller.leaves(number)] == [40, 40]
    caller.call(FULL_SPEED, taskIds=[number])
    caller.farm.advance(LONG)
    assert [leaf["taskStatus"] for leaf in caller.leaves(number)] == [25, 30]
    caller.call(RECOMMIT_FAILED, taskIds=[number])
    caller.call(STOP, taskIds=[number])
    assert [leaf["taskStatus"] for leaf in caller.leaves(number)] == [25, 10]
    caller.call(START, taskIds=[number])
    caller.farm.advance(LONG)
    assert [leaf["taskStatus"] for leaf in caller.leaves(number)] == [25, 25]
    assert caller.status(number) == 0


def test_the_preprocessing_leaf_goes_first(opened):
    caller = opened(frame_seconds=[100, 100], renders=[{"passes": ["preprocess"]}])
    number = caller.submit()
    assert kinds(caller.leaves(number)) == [("PreRender", "", 0), ("Render", "", 0)]
    caller.farm.advance(60)
    info = caller.info(number)
    assert kinds(info["respRenderingTaskList"]) == [("PreRender", "", 8), ("Render", "", 0)]
    assert (info["preTaskStatus"], info["preStatusText"]) == (8, "render_task_status_8")
    frames = caller.frames(info["respRenderingTaskList"][0]["id"])["items"]
    assert [(frame["frameIndex"], frame["frameType"]) for frame in frames] == [("0", 1)]
    caller.farm.advance(100)
    assert kinds(caller.leaves(number)) == [("PreRender", "", 25), ("Render", "", 0)]
    caller.farm.advance(LONG)
    assert kinds(caller.leaves(number)) == [("PreRender", "", 25), ("Render", "", 25)]
    assert caller.info(number)["preTaskStatus"] == 25


def test_leaves_fail_with_their_preprocessing(opened):
    caller = opened(renders=[{"passes": ["preprocess"], "fail_frames": "0", "fail_times": 1}])
    number = caller.submit()
    caller.farm.advance(LONG)
    assert [leaf["taskStatus"] for leaf in caller.leaves(number)] == [45, 45]
    caller.call(START, taskIds=[number])
    caller.farm.advance(LONG)
    assert [leaf["taskStatus"] for leaf in caller.leaves(number)] == [25, 25]


def test_a_leaf_started_before_its_preprocessing_is_done_waits_for_it(opened):
    caller = opened(frame_seconds=[1000, 1000], renders=[{"passes": ["preprocess"]}])
    number = caller.submit()
    main = caller.leaves(number)[1]["id"]
    caller.call(STOP, taskIds=[main])
    caller.call(START, taskIds=[main])
    caller.farm.advance(500)
    assert [leaf["taskStatus"] for leaf in caller.leaves(number)] == [8, 0]
    caller.farm.advance(LONG)
    assert [leaf["taskStatus"] for leaf in caller.leaves(number)] == [25, 25]


def photon_done(opened):
    caller = opened(frame_seconds=[100, 100], renders=[{"passes": ["photon"]}])
    number = caller.submit(job(frames="1-2[1]"))
    caller.farm.advance(160)
    assert kinds(caller.leaves(number)) == [("RenderPhoton", "", 25)]
    return caller, number


def test_the_main_pass_is_listed_some_seconds_after_the_photon_pass(opened):
    caller, number = photon_done(opened)
    caller.farm.advance(3)
    assert len(caller.leaves(number)) == 1
    caller.farm.advance(8)
    assert kinds(caller.leaves(number)) == [("RenderPhoton", "", 25), ("Render", "", 0)]
    caller.farm.advance(LONG)
    assert kinds(caller.leaves(number)) == [("RenderPhoton", "", 25), ("Render", "", 25)]
    assert [frame["frameType"] for frame in caller.frames(caller.leaves(number)[0]["id"])["items"]] == [2]


def test_a_parent_stopped_between_its_passes_gets_its_main_leaf_stopped(opened):
    caller, number = photon_done(opened)
    caller.call(STOP, taskIds=[number])
    for _ in "ab":
        assert kinds(caller.leaves(number)) == [("RenderPhoton", "", 25), ("Render", "", 10)]
        caller.farm.advance(LONG)
    caller.call(START, taskIds=[number])
    caller.farm.advance(LONG)
    assert kinds(caller.leaves(number)) == [("RenderPhoton", "", 25), ("Render", "", 25)]


def test_a_parent_abandoned_between_its_passes_never_runs_again(opened):
    caller, number = photon_done(opened)
    paid = caller.call(PROFILE)
    caller.call(ABANDON, taskIds=[number])
    assert caller.refused(START, taskIds=[number])[0] == 600
    caller.farm.advance(LONG)
    assert kinds(caller.leaves(number)) == [("RenderPhoton", "", 25), ("Render", "", 35)]
    assert caller.call(PROFILE) == paid


def test_a_photon_pass_started_by_its_own_number_is_followed_by_the_main_pass(opened):
    caller = opened(frame_seconds=[100, 100], renders=[{"passes": ["photon"]}])
    number = caller.submit()
    caller.call(STOP, taskIds=[number])
    caller.call(START, taskIds=[caller.leaves(number)[0]["id"]])
    caller.farm.advance(LONG)
    assert kinds(caller.leaves(number)) == [("RenderPhoton", "", 25), ("Render", "", 25)]


def test_what_a_leaf_changes_is_told_by_its_parent_too(caller):
    number = caller.submit(maya())
    leaf = caller.leaves(number)[0]["id"]
    caller.call(STOP, taskIds=[leaf])
    assert [item["taskStatus"] for item in caller.leaves(number)] == [10, 0]
    assert len(caller.call(INFO, taskIds=[number, leaf])["items"]) == 2


def test_leaves_have_labels_producer_and_level_of_machines_of_their_parent(caller):
    number = caller.create(labels=["night"], artist="Ada")
    caller.upload(number, maya())
    caller.call("/api/render/submit/task", taskId=number, producer="Ada #7")
    for leaf in caller.leaves(number):
        assert (leaf["labels"], leaf["producer"]) == ('{"1": "night"}', "Ada #7")
