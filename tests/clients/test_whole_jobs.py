"""Each client lives through whole jobs on the embedded farm, plain and layered."""

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

STEP, MOST_STEPS = 30, 200
LAYERS = ("beauty", "shadow")


def plain(frames, **info):
    content = make_task_json(frames=frames)
    content["task_info"] |= info
    return content


def layered(frames, **info):
    content = plain(frames, cg_id="2000", input_cg_file="/mnt/sh010.ma", **info)
    content["software_config"] = {"cg_name": "Maya", "cg_version": "2024", "plugins": {}}
    layer = {"renderable": "1", "is_default_camera": "1", "option": "", **content["scene_info_render"]}
    return content | {"layers": list(LAYERS), "scene_info_render": dict.fromkeys(LAYERS, layer)}


class Async:
    """The asynchronous client for tests that are not; one client and one event loop for a whole job."""

    def __init__(self, settings, runner):
        self.client, self.runner = AsyncClient(settings), runner

    def send(self, call):
        return self.runner.run(self.client.send(call))

    def run(self, sequence):
        return self.runner.run(self.client.run(sequence))


@contextmanager
def asynchronous(settings):
    with asyncio.Runner() as runner:
        client = Async(settings, runner)
        yield client
        runner.run(client.client.close())


class Customer:
    """Renders through one of the clients, and lets the farm's time pass while waiting."""

    def __init__(self, farm, client, job, leaves):
        self.farm, self.job, self.leaves = farm, job, leaves
        self.send, self.run = client.send, client.run

    def render(self, frames="1-4[1]", **info):
        """Create, describe and submit a task, and return its number."""
        (number,) = self.send(calls.create_task()).ids
        self.send(calls.upload_task_json(number, json.dumps(self.job(frames, **info))))
        assert not self.info(number).is_submitted
        self.send(calls.submit_task(number, producer="Ding"))
        task = self.info(number)
        assert task.is_submitted
        assert not task.is_terminal
        return number

    def info(self, number):
        return self.run(flows.get_task(number))

    def wait(self, number, until=lambda task: task.is_terminal):
        for _ in range(MOST_STEPS):
            task = self.info(number)
            if until(task):
                return task
            self.farm.advance(STEP)
        raise AssertionError(f"nothing came of it in {MOST_STEPS * STEP} farm seconds")

    def frames(self, number):
        """The frames of each leaf."""
        return [self.run(flows.list_frames(leaf)) for leaf in self.run(flows.leaf_task_ids(number))]

    def each(self, number, what):
        """What the frames of each leaf tell, by their names; it must be the same for all leaves."""
        first, *others = (
            {frame.name: getattr(frame, what) for frame in leaf} for leaf in self.frames(number)
        )
        assert len(others) + 1 == self.leaves
        assert all(other == first for other in others)
        return first


@pytest.fixture
def pictures():
    return False


@pytest.fixture(params=[Client, asynchronous], ids=["blocking", "asynchronous"])
def client(request, settings):
    with request.param(settings) as opened:
        yield opened


@pytest.fixture(params=[(plain, 1), (layered, 2)], ids=["plain", "layered"])
def customer(request, farm, client):
    return Customer(farm, client, *request.param)


def done(names):
    return dict.fromkeys(names, FrameStatus.DONE)


def test_a_job_from_log_in_to_its_frames(customer):
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

    number = customer.render()
    task = customer.wait(number)
    leaves, frames = list(task.leaves()), customer.frames(number)
    assert task.status is TaskStatus.FINISHED
    assert (task.producer, task.user_id, task.scene_name[:5]) == ("Ding", profile.user_id, "sh010")
    assert (task.progress.total, task.progress.done) == (4 * customer.leaves, 4 * customer.leaves)
    assert [leaf.layer_name or "" for leaf in leaves] == ([""] if len(leaves) == 1 else [*LAYERS])
    assert customer.each(number, "status") == done("1234")
    assert customer.each(number, "recommits") == dict.fromkeys("1234", 0)
    assert [leaf.cost for leaf in leaves] == [sum(frame.cost for frame in each) for each in frames]
    assert (
        task.cost
        == profile.available_funds - customer.send(calls.query_user_profile()).available_funds
        > Decimal(0)
    )

    files = customer.run(flows.list_output_files(number))
    root = customer.farm.output_root
    there = {f"/{path.relative_to(root)}": path.stat().st_size for path in root.rglob("*.png")}
    assert {file.path: file.size for file in files} == there
    assert len(there) == 4 * customer.leaves
    assert {path.split("/")[1] for path in there} == set(task.output_folders)
    (listed,) = customer.send(calls.get_task_list()).items
    assert listed.id == number


@pytest.mark.parametrize("scenario", [{"renders": [{"fail_frames": "2", "fail_times": 1}]}])
def test_failed_frames_are_recommitted(customer):
    number = customer.render()
    task = customer.wait(number)
    assert task.status is TaskStatus.FINISHED_HAS_FAILED
    assert (task.progress.done, task.progress.failed) == (3 * customer.leaves, customer.leaves)
    assert customer.each(number, "status") == done("134") | {"2": FrameStatus.ERROR}
    customer.send(calls.recommit_failed_frames([number]))
    assert not customer.info(number).is_terminal
    assert customer.wait(number).status is TaskStatus.FINISHED
    assert customer.each(number, "status") == done("1234")
    assert customer.each(number, "recommits") == {"1": 0, "2": 1, "3": 0, "4": 0}


def test_frames_are_recommitted_by_name_and_paid_again(customer):
    number = customer.render("1-7[1]", frames_per_task="3")
    before = customer.wait(number).cost
    ids = customer.run(flows.frame_ids_by_name(number, ["4-6[1]", "7"]))
    chosen = [each for of_leaf in ids.values() for each in of_leaf]
    customer.send(calls.recommit_frames(ids=chosen))
    assert len(chosen) == 2 * customer.leaves
    assert not customer.info(number).is_terminal
    task = customer.wait(number)
    assert task.status is TaskStatus.FINISHED
    assert customer.each(number, "recommits") == {"1-3[1]": 0, "4-6[1]": 1, "7": 1}
    assert task.cost == sum(frame.cost for leaf in customer.frames(number) for frame in leaf) > before


def test_frames_are_stopped_by_name(customer):
    number = customer.render()
    for leaf, ids in customer.run(flows.frame_ids_by_name(number, ["3"])).items():
        customer.send(calls.stop_frames(leaf, ids))
    task = customer.wait(number)
    assert task.progress.aborted == customer.leaves
    assert customer.each(number, "status") == done("124") | {"3": FrameStatus.ABORTED}


def test_a_job_is_stopped_and_started(customer):
    number = customer.render("1-40[1]")
    customer.wait(number, until=lambda task: task.progress.done)
    customer.send(calls.stop_task([number]))
    stopped = customer.info(number)
    assert stopped.is_terminal
    assert stopped.status is TaskStatus.STOP
    customer.farm.advance(100 * STEP)
    still = customer.info(number)
    assert (still.progress, still.cost) == (stopped.progress, stopped.cost)
    assert 0 < still.progress.done < still.progress.total
    customer.send(calls.start_task([number]))
    assert not customer.info(number).is_terminal
    assert customer.wait(number).status is TaskStatus.FINISHED
    assert customer.each(number, "recommits") == {str(frame): 0 for frame in range(1, 41)}


def test_a_job_pauses_until_full_speed_is_asked_for(customer):
    number = customer.render("1-9[1]", pre_frames="101", stop_after_test="1")
    task = customer.wait(number, until=lambda task: task.status is TaskStatus.FINISHED_TEST)
    assert not task.is_terminal
    statuses = customer.each(number, "status")
    assert {name for name, status in statuses.items() if status is FrameStatus.DONE} == {"1", "9"}
    customer.farm.advance(100 * STEP)
    assert customer.info(number).status is TaskStatus.FINISHED_TEST
    customer.send(calls.full_speed([number]))
    assert customer.wait(number).status is TaskStatus.FINISHED
    assert customer.each(number, "status") == done("123456789")


@pytest.mark.parametrize("scenario", [{"account": {"coupon": "0", "balance": "0.05"}}])
def test_a_job_goes_on_when_money_is_there_again(customer):
    number = customer.render("1-20[1]")
    assert customer.wait(number).status is TaskStatus.ARREARAGE_STOP
    customer.farm.top_up("50")
    assert customer.info(number).status is TaskStatus.ARREARAGE_STOP
    customer.send(calls.start_task([number]))
    task = customer.wait(number)
    assert task.status is TaskStatus.FINISHED
    assert customer.send(calls.query_user_profile()).available_funds == Decimal("50.05") - task.cost


def test_a_job_is_given_up_and_deleted(customer):
    def listed(**filters):
        return [task.id for task in customer.send(calls.get_task_list(**filters)).items]

    number = customer.render()
    customer.send(calls.abandon_task([number]))
    task = customer.info(number)
    assert (task.is_terminal, task.status) == (True, TaskStatus.ABANDON)
    assert listed() == [number]
    customer.send(calls.delete_task([number]))
    assert (listed(), listed(recycle_flag=1)) == ([], [number])


def test_a_job_that_there_is_not(customer):
    with pytest.raises(UnknownTask):
        customer.info(99_999_999)
