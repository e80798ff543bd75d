"""Whatever customers order, in whatever order: money adds up, and nothing runs or is paid twice by itself."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from decimal import Decimal
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from airflow_provider_renderbus.farm import Farm, ManualClock
from tests.farm.raw_client import (
    ABANDON,
    DELETE,
    FULL_SPEED,
    INFO,
    LIMIT,
    OVERTIME,
    PROFILE,
    RECOMMIT,
    RECOMMIT_FAILED,
    START,
    STOP,
    STOP_FRAMES,
    SUBMIT,
    RawClient,
    job,
    maya_job,
)

COST = Decimal("0.1234")
OPENED = Decimal("2.5") + Decimal(1)
SCENARIO = {
    "pictures": False,
    "account": {"coupon": "1", "balance": "2.5", "credit": "0.3"},
    "renders": [
        {"scene": "photon*", "passes": ["photon"], "cost": str(COST)},
        {"scene": "prepared*", "passes": ["preprocess", "photon"], "cost": str(COST)},
        {"scene": "broken*", "crashes": 1, "cost": str(COST)},
        {"failure_rate": 0.2, "fail_times": 2, "cost": str(COST)},
    ],
}
JOBS = {
    "plain": job(frames="1-7[1]"),
    "paused": job(frames="1-7[1]", pre_frames="101", stop_after_test="1"),
    "tiles": job(frames="1-2[1]", tiles="2"),
    "grouped": job(frames="1-7[1]", frames_per_task="3"),
    "hasty": job(frames="1-7[1]", task_stop_time="130"),
    "layered": maya_job(),
    "photon": job("photon.blend", frames="1-2[1]"),
    "prepared": job("prepared.blend", frames="1-2[1]"),
    "broken": job("broken.blend", frames="1-2[1]"),
}
WORKING, ENDED = {5, 8}, {10, 20, 23, 25, 30, 35, 40, 45}
ORDERS = (STOP, START, ABANDON, DELETE, FULL_SPEED, RECOMMIT_FAILED)
ANY = st.integers(0, 1 << 16)


class Customers(RuleBasedStateMachine):
    @initialize(kinds=st.lists(st.sampled_from(sorted(JOBS)), min_size=1, max_size=3))
    def open(self, kinds):
        self.folder = Path(tempfile.mkdtemp())
        self.clock = ManualClock()
        self.paid_in = Decimal(0)
        self._open()
        self.numbers = [self.client.submit(JOBS[kind]) for kind in kinds]

    def _open(self):
        self.client = RawClient(Farm(self.folder / "farm", self.clock, scenario=SCENARIO))

    def teardown(self):
        self.client.farm.close()
        shutil.rmtree(self.folder)

    def tasks(self):
        """Task numbers to their info, leaves with those that stand at the top."""
        infos = {}
        for info in self.client.call(INFO, taskIds=self.numbers)["items"]:
            infos[info["id"]] = info
            infos |= {leaf["id"]: leaf for leaf in info["respRenderingTaskList"] or []}
        return infos

    def any_task(self, chance):
        infos = sorted(self.tasks())
        return infos[chance % len(infos)]

    @rule(kind=st.sampled_from(sorted(JOBS)))
    def submit(self, kind):
        self.numbers.append(self.client.submit(JOBS[kind]))

    @rule()
    def create(self):
        self.numbers.append(self.client.create())

    @rule(seconds=st.sampled_from([0, 1, 59, 60, 100, 130, 500]), path=st.sampled_from(ORDERS), chance=ANY)
    def let_time_pass_and_order(self, seconds, path, chance):
        self.let_time_pass(seconds)
        self.order(path, chance)

    @rule(seconds=st.sampled_from([0, 1, 59, 60, 100, 130, 500]))
    def let_time_pass(self, seconds):
        before = self.tasks()
        self.client.farm.advance(seconds)
        after = self.tasks()
        for number, info in before.items():
            if info["taskStatus"] in ENDED:
                assert after[number] == info, "an ended task has gone on by itself"
            assert after[number]["doneFrames"] is None or after[number]["doneFrames"] >= info["doneFrames"]

    @rule(path=st.sampled_from(ORDERS), chance=ANY)
    def order(self, path, chance):
        assert self.client.request(path, {"taskIds": [self.any_task(chance)]})["code"] in {200, 404, 600}

    @rule(chance=ANY)
    def submit_again(self, chance):
        assert self.client.request(SUBMIT, {"taskId": self.any_task(chance)})["code"] in {404, 600, 601}

    @rule(path=st.sampled_from([RECOMMIT, STOP_FRAMES]), chance=ANY, all_frames=st.booleans())
    def order_frames(self, path, chance, all_frames):
        number = self.any_task(chance)
        ids = [frame["id"] for frame in self.frames(number)][chance % 3 :: 2]
        body = {"taskId": number, "ids": ids, "selectAll": int(all_frames)}
        assert self.client.request(path, body)["code"] in {200, 404, 600, 601}

    @rule(chance=ANY, machines=st.integers(1, 9), seconds=st.sampled_from([0, 50, 1000]))
    def limit(self, chance, machines, seconds):
        number = self.any_task(chance)
        assert self.client.request(LIMIT, {"taskId": number, "taskLimit": machines})["code"] in {200, 404}
        assert self.client.request(OVERTIME, {"taskIds": [number], "overTime": seconds})["code"] in {200, 404}

    @rule(amount=st.sampled_from(["0.0001", "0.2", "3"]))
    def pay_in(self, amount):
        self.client.farm.top_up(amount)
        self.paid_in += Decimal(amount)

    @rule()
    def restart(self):
        before = self.tasks()
        self.client.farm.close()
        self._open()
        assert self.tasks() == before

    @rule()
    def killed(self):
        before = self.tasks()
        image = Path(tempfile.mkdtemp(dir=self.folder)) / "farm"
        shutil.copytree(self.folder / "farm", image)
        self.client.farm.close()
        shutil.rmtree(self.folder / "farm")
        image.rename(self.folder / "farm")
        self._open()
        assert self.tasks() == before

    @rule()
    def wait_for_the_end(self):
        self.client.farm.advance(1_000_000)
        for number, info in self.tasks().items():
            task = self.client.farm._simulation.tasks[number]
            assert info["taskStatus"] not in WORKING
            waits = info["taskStatus"] == 0 and info["submitDate"] and not info["isOpen"]
            assert not waits or task.on_hold, "a task waits and nobody will wake it"

    def frames(self, number):
        answer = self.client.request("/api/render/handle/queryTaskFrames", {"taskId": number})
        return answer["data"]["items"] if answer["code"] == 200 else []

    @invariant()
    def the_money_adds_up(self):
        if not hasattr(self, "client"):
            return
        profile = self.client.call(PROFILE)
        means = _exact(profile["rmbbalance"]) + _exact(profile["coupon"])
        infos = [info for info in self.tasks().values() if not info["isOpen"]]
        consumed = sum((_exact(info["renderConsume"]) for info in infos), Decimal(0))
        assert means + consumed == OPENED + self.paid_in
        assert _exact(profile["coupon"]) >= 0
        owed = max(-_exact(profile["rmbbalance"]) - _exact(profile["credit"]), Decimal(0))
        assert sum((_exact(info["taskArrears"]) for info in infos), Decimal(0)) == owed
        for info in infos:
            parts = _exact(info["userAccountConsume"]) + _exact(info["couponConsume"])
            assert parts == _exact(info["renderConsume"])

    @invariant()
    def no_frame_is_paid_twice_without_a_recommit(self):
        if not hasattr(self, "client"):
            return
        for number, info in self.tasks().items():
            frames = self.frames(number)
            if not frames:
                continue
            paid = [_exact(frame["feeAmount"]) + _exact(frame["couponFee"]) for frame in frames]
            assert sum(paid) == _exact(info["renderConsume"])
            assert sum(_exact(frame["arrearsFee"] or 0) for frame in frames) == _exact(info["taskArrears"])
            for frame, fee in zip(frames, paid, strict=True):
                assert fee % COST == 0
                assert (frame["frameStatus"] == 4) <= fee // COST <= frame["recommitFlag"] + 1
            counted = Counter(frame["frameStatus"] for frame in frames)
            assert info["totalFrames"] == len(frames)
            assert info["doneFrames"] == counted[4]
            assert info["executingFrames"] == counted[2]
            assert info["abortFrames"] == counted[3]
            assert info["failedFrames"] == counted[5] + counted[11]
            assert info["executingFrames"] == 0 or info["taskStatus"] in WORKING
            if info["taskStatus"] == 25:
                assert counted[4] == len(frames)

    @invariant()
    def leaves_tell_the_state_of_their_parent(self):
        if not hasattr(self, "client"):
            return
        for number, info in self.tasks().items():
            leaves = info["respRenderingTaskList"]
            assert bool(info["isOpen"]) == bool(leaves)
            for leaf in leaves or []:
                assert info["taskStatus"] == 0
                assert leaf["layerParentId"] == number
            if leaves:
                whole = _whole([leaf["taskStatus"] for leaf in leaves])
                all_done = all(leaf["doneFrames"] == leaf["totalFrames"] for leaf in leaves)
                at_work = sum(leaf["executingFrames"] for leaf in leaves)
                lost = sum(leaf["failedFrames"] + leaf["abortFrames"] for leaf in leaves)
                assert whole != 25 or all_done
                assert whole in WORKING or at_work == 0
                assert whole not in {10, 20, 23, 30, 35, 45} or not all_done or whole == 35
                assert whole != 30 or lost > 0


def _whole(states):
    """The state of a layered task by the documents: active, else paused, else that of the worst leaf."""
    for group in (WORKING, {0}, {40}):
        if found := group & set(states):
            return max(found)
    return max(states, key=(25, 70, 30, 10, 15, 23, 20, 45, 65, 35).index)


def _exact(value):
    return Decimal(str(value))


TestCustomers = Customers.TestCase
TestCustomers.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
