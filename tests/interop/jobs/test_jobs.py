"""Tests of whole jobs with the vendor's released client on the embedded farm."""

from __future__ import annotations

from decimal import Decimal

import pytest

from airflow_provider_renderbus.api import calls
from tests.interop.jobs.customer import STEP

WAITING, RENDERING = 0, 5
STOPPED, OUT_OF_FUNDS, TIME_OUT, FINISHED, FINISHED_HAS_FAILED = 10, 20, 23, 25, 30
ABANDONED, PAUSED, FAILED = 35, 40, 45
FRAME_ABORTED, FRAME_DONE, FRAME_FAILED = 3, 4, 5


def job(frames="1-4[1]", scene="sh010.blend", **info):
    return {
        "software_config": {"cg_name": "Blender", "cg_version": "4.2", "plugins": {}},
        "task_info": {"cg_id": "2007", "input_cg_file": f"/mnt/shots/{scene}", **info},
        "scene_info_render": {"common": {"frames": frames, "width": "32", "height": "18"}},
    }


def layered_job(*layers, scene="sh020.mb"):
    """Return a Maya job that renders each layer as a task of its own."""
    common = {"frames": "1-3[1]", "width": "32", "height": "18", "renderer": "mayaSoftware"}
    return {
        "software_config": {"cg_name": "Maya", "cg_version": "2022", "plugins": {}},
        "task_info": {"cg_id": "2000", "input_cg_file": f"/mnt/shots/{scene}", "is_layer_rendering": "1"},
        "scene_info_render": {
            layer: {"renderable": "1", "is_default_camera": "1", "option": "", "common": common}
            for layer in layers
        },
        "layers": list(layers),
    }


def states(frames):
    return {name: frame["frameStatus"] for name, frame in frames.items()}


def recommits(frames):
    return {name: frame["recommitFlag"] for name, frame in frames.items()}


def test_plain_task_renders_all_frames(customer):
    task_id = customer.render(job())
    assert not customer.has_ended(task_id)
    assert customer.wait(task_id) == FINISHED
    info = customer.info(task_id)
    assert (info["totalFrames"], info["doneFrames"], info["failedFrames"]) == (4, 4, 0)
    assert info["producer"] == "Ding"
    frames = customer.frames(task_id)
    assert states(frames) == dict.fromkeys("1234", FRAME_DONE)
    costs = [
        Decimal(str(frame[part] or 0)) for frame in frames.values() for part in ("feeAmount", "couponFee")
    ]
    assert sum(costs) == Decimal(str(info["renderConsume"])) > 0
    assert customer.folders(task_id) == [f"{task_id}_sh010"]
    assert customer.files(task_id) == [f"sh010_000{frame}.png" for frame in "1234"]


def test_layered_task_renders_all_layers(customer):
    task_id = customer.render(layered_job("beauty", "shadow"))
    assert not customer.has_ended(task_id)
    leaves = customer.call("query.get_small_task_id", task_id=task_id)
    assert len(leaves) == 2
    # The vendor's client waits for the leaves, because the parent's own state stays at WAITING.
    assert customer.wait(task_id) == WAITING
    assert [customer.state(leaf) for leaf in leaves] == [FINISHED, FINISHED]
    parts = customer.info(task_id)["respRenderingTaskList"]
    assert [part["layerName"] for part in parts] == ["beauty", "shadow"]
    assert {int(part["layerParentId"]) for part in parts} == {task_id}
    assert customer.folders(task_id) == [part["outputFileName"] for part in parts]
    for leaf in leaves:
        assert states(customer.frames(leaf)) == dict.fromkeys("123", FRAME_DONE)
        assert len(customer.files(leaf)) == 3


@pytest.mark.parametrize("scenario", [{"renders": [{"scene": "sh030", "passes": ["photon"]}]}])
def test_main_pass_follows_photon_pass(customer, client):
    """Between the passes the vendor's client treats the task as ended. Ours must not."""
    task_id = customer.render(job(scene="sh030.blend"))
    customer.wait(task_id, step=2)
    (photons,) = customer.call("query.get_small_task_id", task_id=task_id)
    assert (customer.state(photons), customer.info(photons)["taskType"]) == (FINISHED, "RenderPhoton")
    assert not client.send(calls.query_task_info([task_id]))[task_id].is_terminal
    customer.farm.advance(STEP)
    assert customer.wait(task_id) == WAITING
    assert client.send(calls.query_task_info([task_id]))[task_id].is_terminal
    _, pictures = customer.call("query.get_small_task_id", task_id=task_id)
    assert states(customer.frames(pictures)) == dict.fromkeys("1234", FRAME_DONE)


@pytest.mark.parametrize("scenario", [{"renders": [{"fail_frames": "2", "fail_times": 1}]}])
class TestFailedFrames:
    def test_failed_frames_are_recommitted(self, customer):
        task_id = customer.render(job())
        assert customer.wait(task_id) == FINISHED_HAS_FAILED
        assert states(customer.frames(task_id)) == dict.fromkeys("134", FRAME_DONE) | {"2": FRAME_FAILED}
        customer.call("query.restart_failed_frames", task_param_list=[task_id])
        assert not customer.has_ended(task_id)
        assert customer.wait(task_id) == FINISHED
        frames = customer.frames(task_id)
        assert states(frames) == dict.fromkeys("1234", FRAME_DONE)
        assert recommits(frames) == {"1": 0, "2": 1, "3": 0, "4": 0}

    def test_frames_with_selected_statuses_are_recommitted(self, customer):
        task_id = customer.render(job())
        customer.wait(task_id)
        statuses = [FRAME_DONE, FRAME_FAILED]
        customer.call("query.restart_failed_frames", task_param_list=[task_id], status=statuses)
        assert customer.wait(task_id) == FINISHED
        assert recommits(customer.frames(task_id)) == dict.fromkeys("1234", 1)


def test_frames_are_recommitted_by_name_and_all_together(customer):
    task_id = customer.render(job(frames="1-7[1]", frames_per_task="3"))
    assert customer.wait(task_id) == FINISHED
    customer.call("query.get_custome_frames", task_id=task_id, restartframes=["4-6[1]", "7"])
    assert not customer.has_ended(task_id)
    assert customer.wait(task_id) == FINISHED
    assert recommits(customer.frames(task_id)) == {"1-3[1]": 0, "4-6[1]": 1, "7": 1}
    customer.call("query.restart_frame", task_id=task_id)
    assert customer.wait(task_id) == FINISHED
    assert recommits(customer.frames(task_id)) == {"1-3[1]": 1, "4-6[1]": 2, "7": 2}


def test_task_is_stopped_and_started(customer):
    task_id = customer.render(job("1-40[1]"))
    customer.wait_for(task_id, RENDERING)
    customer.call("task.stop_task", task_param_list=[task_id])
    assert customer.has_ended(task_id)
    assert customer.state(task_id) == STOPPED
    before = customer.info(task_id)
    customer.farm.advance(STEP * 100)
    assert customer.info(task_id)["doneFrames"] == before["doneFrames"] < 40
    customer.call("task.start_task", task_param_list=[task_id])
    assert not customer.has_ended(task_id)
    assert customer.wait(task_id) == FINISHED
    frames = customer.frames(task_id)
    assert len(frames) == 40
    assert set(recommits(frames).values()) == {0}


def test_frame_is_stopped_by_name(customer):
    task_id = customer.render(job())
    customer.call("query.frame_number_to_stop", task_id=task_id, stop_frame=["3"])
    customer.wait(task_id)
    assert states(customer.frames(task_id)) == dict.fromkeys("124", FRAME_DONE) | {"3": FRAME_ABORTED}


def test_task_pauses_after_test_frames_until_full_speed(customer):
    task_id = customer.render(job("1-9[1]", pre_frames="101", stop_after_test="1"))
    assert customer.wait(task_id, paused_is_ended=True) == PAUSED
    assert not customer.has_ended(task_id)
    frames = customer.frames(task_id)
    assert sorted(name for name, frame in frames.items() if frame["frameStatus"] == FRAME_DONE) == ["1", "9"]
    customer.call("task.full_speed", task_id_list=[task_id])
    assert customer.wait(task_id) == FINISHED
    assert states(customer.frames(task_id)) == dict.fromkeys("123456789", FRAME_DONE)


def test_task_is_abandoned_and_deleted(customer):
    task_id = customer.render(job())
    customer.call("task.abort_task", task_param_list=[task_id])
    assert customer.wait(task_id) == ABANDONED
    listed = customer.call("query.get_task_list")
    assert [task["id"] for task in listed["items"]] == [task_id]
    customer.call("task.delete_task", task_param_list=[task_id])
    assert customer.call("query.get_task_list")["items"] == []
    assert [task["id"] for task in customer.call("query.get_task_list", recycle_flag=1)["items"]] == [task_id]


@pytest.mark.parametrize(
    ("scenario", "info", "state"),
    [
        ({"account": {"coupon": "0", "balance": "1", "credit": "0"}}, {}, OUT_OF_FUNDS),
        ({}, {"task_stop_time": "300"}, TIME_OUT),
        ({"renders": [{"crashes": 1}]}, {}, FAILED),
    ],
)
def test_other_terminal_states_end_the_vendors_wait(customer, info, state):
    """Covers the terminal states that the other tests do not reach."""
    task_id = customer.render(job("1-400[1]", **info))
    assert not customer.has_ended(task_id)
    assert customer.wait(task_id) == state
    assert customer.info(task_id)["doneFrames"] < 400


@pytest.mark.parametrize("scenario", [{"renders": [{"passes": ["preprocess"]}]}])
def test_preprocessed_task_has_two_leaves(customer):
    task_id = customer.render(job())
    assert customer.wait(task_id) == WAITING
    first, main = customer.call("query.get_small_task_id", task_id=task_id)
    assert [customer.state(leaf) for leaf in (first, main)] == [FINISHED, FINISHED]
    assert len(customer.files(main)) == 4
