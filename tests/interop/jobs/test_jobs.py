"""The vendor's released client lives through whole jobs on the embedded farm."""

from __future__ import annotations

from decimal import Decimal

import pytest

from airflow_provider_renderbus.api import calls
from tests.interop.jobs.customer import STEP

WAITING, RENDERING = 0, 5
STOPPED, NO_MONEY, TIME_OUT, FINISHED, FINISHED_HAS_FAILED = 10, 20, 23, 25, 30
ABANDONED, PAUSED, FAILED = 35, 40, 45
FRAME_ABORTED, FRAME_DONE, FRAME_FAILED = 3, 4, 5


def job(frames="1-4[1]", scene="sh010.blend", **info):
    return {
        "software_config": {"cg_name": "Blender", "cg_version": "4.2", "plugins": {}},
        "task_info": {"cg_id": "2007", "input_cg_file": f"/mnt/shots/{scene}", **info},
        "scene_info_render": {"common": {"frames": frames, "width": "32", "height": "18"}},
    }


def layered_job(*layers, scene="sh020.mb"):
    """A Maya scene, of which each layer is rendered as a task of its own."""
    common = {"frames": "1-3[1]", "width": "32", "height": "18"}
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


def test_a_plain_task(customer):
    number = customer.render(job())
    assert not customer.has_ended(number)
    assert customer.wait(number) == FINISHED
    info = customer.info(number)
    assert (info["totalFrames"], info["doneFrames"], info["failedFrames"]) == (4, 4, 0)
    assert info["producer"] == "Ding"
    frames = customer.frames(number)
    assert states(frames) == dict.fromkeys("1234", FRAME_DONE)
    costs = [
        Decimal(str(frame[part] or 0)) for frame in frames.values() for part in ("feeAmount", "couponFee")
    ]
    assert sum(costs) == Decimal(str(info["renderConsume"])) > 0
    assert customer.folders(number) == [f"{number}_sh010"]
    assert customer.files(number) == [f"sh010_000{frame}.png" for frame in "1234"]


def test_a_layered_task(customer):
    number = customer.render(layered_job("beauty", "shadow"))
    assert not customer.has_ended(number)
    leaves = customer.ask("query.get_small_task_id", task_id=number)
    assert len(leaves) == 2
    # The vendor's client waits for the leaves: the parent itself shows that it is waiting, for ever.
    assert customer.wait(number) == WAITING
    assert [customer.state(leaf) for leaf in leaves] == [FINISHED, FINISHED]
    parts = customer.info(number)["respRenderingTaskList"]
    assert [part["layerName"] for part in parts] == ["beauty", "shadow"]
    assert {int(part["layerParentId"]) for part in parts} == {number}
    assert customer.folders(number) == [part["outputFileName"] for part in parts]
    for leaf in leaves:
        assert states(customer.frames(leaf)) == dict.fromkeys("123", FRAME_DONE)
        assert len(customer.files(leaf)) == 3


@pytest.mark.parametrize("scenario", [{"renders": [{"scene": "sh030", "passes": ["photon"]}]}])
def test_the_main_pass_follows_the_photon_pass(customer, client):
    """In between, the vendor's client takes the task for ended. Ours must not."""
    number = customer.render(job(scene="sh030.max"))
    customer.wait(number, step=2)
    (photons,) = customer.ask("query.get_small_task_id", task_id=number)
    assert (customer.state(photons), customer.info(photons)["taskType"]) == (FINISHED, "RenderPhoton")
    assert not client.send(calls.query_task_info([number]))[number].is_terminal
    customer.farm.advance(STEP)
    assert customer.wait(number) == WAITING
    assert client.send(calls.query_task_info([number]))[number].is_terminal
    _, pictures = customer.ask("query.get_small_task_id", task_id=number)
    assert states(customer.frames(pictures)) == dict.fromkeys("1234", FRAME_DONE)


@pytest.mark.parametrize("scenario", [{"renders": [{"fail_frames": "2", "fail_times": 1}]}])
class TestFailedFrames:
    def test_they_are_recommitted(self, customer):
        number = customer.render(job())
        assert customer.wait(number) == FINISHED_HAS_FAILED
        assert states(customer.frames(number)) == dict.fromkeys("134", FRAME_DONE) | {"2": FRAME_FAILED}
        customer.ask("query.restart_failed_frames", task_param_list=[number])
        assert not customer.has_ended(number)
        assert customer.wait(number) == FINISHED
        frames = customer.frames(number)
        assert states(frames) == dict.fromkeys("1234", FRAME_DONE)
        assert recommits(frames) == {"1": 0, "2": 1, "3": 0, "4": 0}

    def test_all_frames_in_chosen_states_are_recommitted(self, customer):
        number = customer.render(job())
        customer.wait(number)
        chosen = [FRAME_DONE, FRAME_FAILED]
        customer.ask("query.restart_failed_frames", task_param_list=[number], status=chosen)
        assert customer.wait(number) == FINISHED
        assert recommits(customer.frames(number)) == dict.fromkeys("1234", 1)


def test_frames_are_recommitted_by_name_and_all_at_once(customer):
    number = customer.render(job(frames="1-7[1]", frames_per_task="3"))
    assert customer.wait(number) == FINISHED
    customer.ask("query.get_custome_frames", task_id=number, restartframes=["4-6[1]", "7"])
    assert not customer.has_ended(number)
    assert customer.wait(number) == FINISHED
    assert recommits(customer.frames(number)) == {"1-3[1]": 0, "4-6[1]": 1, "7": 1}
    customer.ask("query.restart_frame", task_id=number)
    assert customer.wait(number) == FINISHED
    assert recommits(customer.frames(number)) == {"1-3[1]": 1, "4-6[1]": 2, "7": 2}


def test_a_task_is_stopped_and_started(customer):
    number = customer.render(job("1-40[1]"))
    customer.wait_for(number, RENDERING)
    customer.ask("task.stop_task", task_param_list=[number])
    assert customer.has_ended(number)
    assert customer.state(number) == STOPPED
    before = customer.info(number)
    customer.farm.advance(STEP * 100)
    assert customer.info(number)["doneFrames"] == before["doneFrames"] < 40
    customer.ask("task.start_task", task_param_list=[number])
    assert not customer.has_ended(number)
    assert customer.wait(number) == FINISHED
    frames = customer.frames(number)
    assert len(frames) == 40
    assert set(recommits(frames).values()) == {0}


def test_one_frame_is_stopped_by_name(customer):
    number = customer.render(job())
    customer.ask("query.frame_number_to_stop", task_id=number, stop_frame=["3"])
    customer.wait(number)
    assert states(customer.frames(number)) == dict.fromkeys("124", FRAME_DONE) | {"3": FRAME_ABORTED}


def test_a_task_pauses_after_its_priority_frames_until_full_speed_is_asked_for(customer):
    number = customer.render(job("1-9[1]", pre_frames="101", stop_after_test="1"))
    assert customer.wait(number, paused_is_ended=True) == PAUSED
    assert not customer.has_ended(number)
    frames = customer.frames(number)
    assert sorted(name for name, frame in frames.items() if frame["frameStatus"] == FRAME_DONE) == ["1", "9"]
    customer.ask("task.full_speed", task_id_list=[number])
    assert customer.wait(number) == FINISHED
    assert states(customer.frames(number)) == dict.fromkeys("123456789", FRAME_DONE)


def test_a_task_is_given_up_and_deleted(customer):
    number = customer.render(job())
    customer.ask("task.abort_task", task_param_list=[number])
    assert customer.wait(number) == ABANDONED
    listed = customer.ask("query.get_task_list")
    assert [task["id"] for task in listed["items"]] == [number]
    customer.ask("task.delete_task", task_param_list=[number])
    assert customer.ask("query.get_task_list")["items"] == []
    assert [task["id"] for task in customer.ask("query.get_task_list", recycle_flag=1)["items"]] == [number]


@pytest.mark.parametrize(
    ("scenario", "info", "state"),
    [
        ({"account": {"coupon": "0", "balance": "1", "credit": "0"}}, {}, NO_MONEY),
        ({}, {"task_stop_time": "300"}, TIME_OUT),
        ({"renders": [{"crashes": 1}]}, {}, FAILED),
    ],
)
def test_every_other_end_is_one_to_the_vendors_client(customer, info, state):
    """The ends that the tests above do not come to."""
    number = customer.render(job("1-400[1]", **info))
    assert not customer.has_ended(number)
    assert customer.wait(number) == state
    assert customer.info(number)["doneFrames"] < 400


@pytest.mark.parametrize("scenario", [{"renders": [{"passes": ["preprocess"]}]}])
def test_a_preprocessed_task(customer):
    number = customer.render(job())
    assert customer.wait(number) == WAITING
    first, main = customer.ask("query.get_small_task_id", task_id=number)
    assert [customer.state(leaf) for leaf in (first, main)] == [FINISHED, FINISHED]
    assert len(customer.files(main)) == 4
