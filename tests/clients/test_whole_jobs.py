"""Tests of whole jobs with each client on the embedded farm, plain and layered."""

from __future__ import annotations

import asyncio
import json
from contextlib import contextmanager
from decimal import Decimal

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import UnknownTask
from airflow_provider_renderbus.api.states import FrameStatus, TaskStatus
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.clients.async_client import AsyncClient
from airflow_provider_renderbus.clients.client import Client
from tests.scenes import make_task_json

STEP, MAX_STEPS = 30, 200
LAYERS = ("beauty", "shadow")


def plain(frames, **info):
    content = make_task_json(frames=frames)
    content["task_info"] |= info
    return content


def layered(frames, **info):
    content = plain(frames, cg_id="2000", input_cg_file="/mnt/sh010.ma", **info)
    content["software_config"] = {"cg_name": "Maya", "cg_version": "2024", "plugins": {}}
    common = {**content["scene_info_render"]["common"], "renderer": "mayaSoftware"}
    layer = {"renderable": "1", "is_default_camera": "1", "option": "", "common": common}
    return content | {"layers": list(LAYERS), "scene_info_render": dict.fromkeys(LAYERS, layer)}


class BlockingFacade:
    """Runs the asynchronous client in synchronous tests, with one event loop for a whole job."""

    def __init__(self, settings, runner):
        self.client, self.runner = AsyncClient(settings), runner

    def send(self, call):
        return self.runner.run(self.client.send(call))

    def run(self, flow):
        return self.runner.run(self.client.run(flow))


@contextmanager
def asynchronous(settings):
    with asyncio.Runner() as runner:
        client = BlockingFacade(settings, runner)
        yield client
        runner.run(client.client.close())


class Customer:
    """Renders with one of the clients, and advances the farm's clock to wait."""

    def __init__(self, farm, client, job, leaves):
        self.farm, self.job, self.leaves = farm, job, leaves
        self.send, self.run = client.send, client.run

    def render(self, frames="1-4[1]", **info):
        """Create, describe and submit a task, and return its id."""
        (task_id,) = self.send(calls.create_task()).ids
        self.send(calls.upload_task_json(task_id, json.dumps(self.job(frames, **info))))
        assert not self.info(task_id).is_submitted
        self.send(calls.submit_task(task_id, producer="Ding"))
        task = self.info(task_id)
        assert task.is_submitted
        assert not task.is_terminal
        return task_id

    def info(self, task_id):
        return self.run(flows.get_task(task_id))

    def wait(self, task_id, until=lambda task: task.is_terminal):
        for _ in range(MAX_STEPS):
            task = self.info(task_id)
            if until(task):
                return task
            self.farm.advance(STEP)
        raise AssertionError(f"task {task_id} is still active after {MAX_STEPS * STEP} farm seconds")

    def frames(self, task_id):
        """Return the frames of each leaf."""
        return [self.run(flows.list_frames(leaf)) for leaf in self.run(flows.leaf_task_ids(task_id))]

    def frame_values(self, task_id, field):
        """Return a field of each leaf's frames by name, after checking that all leaves are equal."""
        first, *others = (
            {frame.name: getattr(frame, field) for frame in leaf} for leaf in self.frames(task_id)
        )
        assert len(others) + 1 == self.leaves
        assert all(other == first for other in others)
        return first


@pytest.fixture(params=[Client, asynchronous], ids=["blocking", "asynchronous"])
def client(request, settings):
    with request.param(settings) as opened:
        yield opened


@pytest.fixture(params=[(plain, 1), (layered, 2)], ids=["plain", "layered"])
def customer(request, farm, client):
    return Customer(farm, client, *request.param)


def done(names):
    return dict.fromkeys(names, FrameStatus.DONE)


def test_whole_job_from_profile_to_output_files(customer):
    profile = customer.send(calls.query_user_profile())
    setting = customer.send(calls.query_user_setting())
    bids = customer.send(calls.get_transfer_bid())
    assert (profile.user_id > 0, profile.available_funds, setting.task_over_time_sec) == (True, 510, 43200)
    config = customer.send(calls.get_transfer_config())
    assert (bids.input_bid, bids.output_bid, bids.config_bid) == (
        config.input_bid,
        config.output_bid,
        config.config_bid,
    )

    task_id = customer.render()
    task = customer.wait(task_id)
    leaves, frames = list(task.leaves()), customer.frames(task_id)
    assert task.status is TaskStatus.FINISHED
    assert (task.producer, task.user_id, task.scene_name[:5]) == ("Ding", profile.user_id, "sh010")
    assert (task.progress.total, task.progress.done) == (4 * customer.leaves, 4 * customer.leaves)
    assert [leaf.layer_name or "" for leaf in leaves] == ([""] if len(leaves) == 1 else [*LAYERS])
    assert customer.frame_values(task_id, "status") == done("1234")
    assert customer.frame_values(task_id, "recommits") == dict.fromkeys("1234", 0)
    assert [leaf.cost for leaf in leaves] == [sum(frame.cost for frame in each) for each in frames]
    assert (
        task.cost
        == profile.available_funds - customer.send(calls.query_user_profile()).available_funds
        > Decimal(0)
    )

    files = customer.run(flows.list_output_files(task_id))
    root = customer.farm.output_root
    expected = {f"/{path.relative_to(root)}": path.stat().st_size for path in root.rglob("*.png")}
    assert {file.path: file.size for file in files} == expected
    assert len(expected) == 4 * customer.leaves
    assert {path.split("/")[1] for path in expected} == set(task.output_folders)
    (listed,) = customer.send(calls.get_task_list()).items
    assert listed.id == task_id


@pytest.mark.parametrize("scenario", [{"renders": [{"fail_frames": "2", "fail_times": 1}]}])
def test_whole_job_with_failed_frames_recommits_them(customer):
    task_id = customer.render()
    task = customer.wait(task_id)
    assert task.status is TaskStatus.FINISHED_HAS_FAILED
    assert (task.progress.done, task.progress.failed) == (3 * customer.leaves, customer.leaves)
    assert customer.frame_values(task_id, "status") == done("134") | {"2": FrameStatus.ERROR}
    customer.send(calls.recommit_failed_frames([task_id]))
    assert not customer.info(task_id).is_terminal
    assert customer.wait(task_id).status is TaskStatus.FINISHED
    assert customer.frame_values(task_id, "status") == done("1234")
    assert customer.frame_values(task_id, "recommits") == {"1": 0, "2": 1, "3": 0, "4": 0}


def test_whole_job_recommits_frames_by_name_at_extra_cost(customer):
    task_id = customer.render("1-7[1]", frames_per_task="3")
    before = customer.wait(task_id).cost
    ids = customer.run(flows.frame_ids_by_name(task_id, ["4-6[1]", "7"]))
    frame_ids = [frame_id for leaf_ids in ids.values() for frame_id in leaf_ids]
    customer.send(calls.recommit_frames(ids=frame_ids))
    assert len(frame_ids) == 2 * customer.leaves
    assert not customer.info(task_id).is_terminal
    task = customer.wait(task_id)
    assert task.status is TaskStatus.FINISHED
    assert customer.frame_values(task_id, "recommits") == {"1-3[1]": 0, "4-6[1]": 1, "7": 1}
    assert task.cost == sum(frame.cost for leaf in customer.frames(task_id) for frame in leaf) > before


def test_whole_job_stops_frames_by_name(customer):
    task_id = customer.render()
    for leaf, ids in customer.run(flows.frame_ids_by_name(task_id, ["3"])).items():
        customer.send(calls.stop_frames(leaf, ids))
    task = customer.wait(task_id)
    assert task.progress.aborted == customer.leaves
    assert customer.frame_values(task_id, "status") == done("124") | {"3": FrameStatus.ABORTED}


def test_whole_job_is_stopped_and_started(customer):
    task_id = customer.render("1-40[1]")
    customer.wait(task_id, until=lambda task: task.progress.done)
    customer.send(calls.stop_task([task_id]))
    stopped = customer.info(task_id)
    assert stopped.is_terminal
    assert stopped.status is TaskStatus.STOP
    customer.farm.advance(100 * STEP)
    still = customer.info(task_id)
    assert (still.progress, still.cost) == (stopped.progress, stopped.cost)
    assert 0 < still.progress.done < still.progress.total
    customer.send(calls.start_task([task_id]))
    assert not customer.info(task_id).is_terminal
    assert customer.wait(task_id).status is TaskStatus.FINISHED
    assert customer.frame_values(task_id, "recommits") == {str(frame): 0 for frame in range(1, 41)}


def test_whole_job_pauses_after_test_frames_until_full_speed(customer):
    task_id = customer.render("1-9[1]", pre_frames="101", stop_after_test="1")
    task = customer.wait(task_id, until=lambda task: task.status is TaskStatus.FINISHED_TEST)
    assert not task.is_terminal
    statuses = customer.frame_values(task_id, "status")
    assert {name for name, status in statuses.items() if status is FrameStatus.DONE} == {"1", "9"}
    customer.farm.advance(100 * STEP)
    assert customer.info(task_id).status is TaskStatus.FINISHED_TEST
    customer.send(calls.full_speed([task_id]))
    assert customer.wait(task_id).status is TaskStatus.FINISHED
    assert customer.frame_values(task_id, "status") == done("123456789")


@pytest.mark.parametrize("scenario", [{"account": {"coupon": "0", "balance": "0.05"}}])
def test_whole_job_without_funds_continues_after_top_up(customer):
    task_id = customer.render("1-20[1]")
    assert customer.wait(task_id).status is TaskStatus.ARREARAGE_STOP
    customer.farm.top_up("50")
    assert customer.info(task_id).status is TaskStatus.ARREARAGE_STOP
    customer.send(calls.start_task([task_id]))
    task = customer.wait(task_id)
    assert task.status is TaskStatus.FINISHED
    assert customer.send(calls.query_user_profile()).available_funds == Decimal("50.05") - task.cost


def test_whole_job_is_abandoned_and_deleted(customer):
    def listed(**filters):
        return [task.id for task in customer.send(calls.get_task_list(**filters)).items]

    task_id = customer.render()
    customer.send(calls.abandon_task([task_id]))
    task = customer.info(task_id)
    assert (task.is_terminal, task.status) == (True, TaskStatus.ABANDON)
    assert listed() == [task_id]
    customer.send(calls.delete_task([task_id]))
    assert (listed(), listed(recycle_flag=1)) == ([], [task_id])


def test_unknown_job_raises_unknown_task(customer):
    with pytest.raises(UnknownTask):
        customer.info(99_999_999)
