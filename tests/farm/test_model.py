"""Random orders of customers: money adds up, and nothing runs or is charged twice by itself."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from decimal import Decimal
from pathlib import Path

from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from airflow_provider_renderbus.farm import ManualClock
from dev.harness.embedded_farm import StockedFarm
from tests.farm.raw_client import (
    ABANDON,
    CREATE,
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

FRAME_COST = Decimal("0.1234")
INITIAL_FUNDS = Decimal("2.5") + Decimal(1)
SCENARIO = {
    "pictures": False,
    "account": {"coupon": "1", "balance": "2.5", "credit": "0.3"},
    "renders": [
        {"scene": "photon*", "passes": ["photon"], "cost": str(FRAME_COST)},
        {"scene": "prepared*", "passes": ["preprocess", "photon"], "cost": str(FRAME_COST)},
        {"scene": "broken*", "crashes": 1, "cost": str(FRAME_COST)},
        {"failure_rate": 0.2, "fail_times": 2, "cost": str(FRAME_COST)},
    ],
}
JOBS = {
    "plain": job(frames="1-7[1]"),
    "paused": job(frames="1-7[1]", pre_frames="101", stop_after_test="1"),
    "tiles": job(frames="1-2[1]", tiles="2"),
    "grouped": job(frames="1-7[1]", frames_per_task="3"),
    "timeout": job(frames="1-7[1]", task_stop_time="130"),
    "layered": maya_job(),
    "photon": job("photon.blend", frames="1-2[1]"),
    "prepared": job("prepared.blend", frames="1-2[1]"),
    "broken": job("broken.blend", frames="1-2[1]"),
}
WORKING, ENDED = {5, 8}, {10, 20, 23, 25, 30, 35, 40, 45}
ORDERS = (STOP, START, ABANDON, DELETE, FULL_SPEED, RECOMMIT_FAILED)
ANY = st.integers(0, 1 << 16)


class CustomerMachine(RuleBasedStateMachine):
    @initialize(names=st.lists(st.sampled_from(sorted(JOBS)), min_size=1, max_size=3))
    def open(self, names):
        self.folder = Path(tempfile.mkdtemp())
        self.clock = ManualClock()
        self.paid_in = Decimal(0)
        self._open()
        self.task_ids = [self.client.submit(JOBS[name]) for name in names]

    def _open(self):
        self.client = RawClient(StockedFarm(self.folder / "farm", self.clock, scenario=SCENARIO))

    def teardown(self):
        self.client.farm.close()
        shutil.rmtree(self.folder)

    def tasks(self):
        """Map task ids to their info, for tasks and their leaves."""
        infos = {}
        for info in self.client.call(INFO, taskIds=self.task_ids)["items"]:
            infos[info["id"]] = info
            infos |= {leaf["id"]: leaf for leaf in info["respRenderingTaskList"] or []}
        return infos

    def any_task(self, pick):
        infos = sorted(self.tasks())
        return infos[pick % len(infos)]

    def is_out_of_funds(self):
        """Return whether the account is out of funds; the farm creates a task just if it is not."""
        code = self.client.request(CREATE, {})["code"]
        profile = self.client.call(PROFILE)
        funds = _to_decimal(profile["rmbbalance"]) + _to_decimal(profile["credit"])
        is_out = profile["coupon"] <= 0 and funds <= 0
        assert code == (507 if is_out else 200)
        return is_out

    @rule(name=st.sampled_from(sorted(JOBS)))
    def submit(self, name):
        if self.is_out_of_funds():
            return
        self.task_ids.append(self.client.submit(JOBS[name]))

    @rule()
    def create(self):
        if self.is_out_of_funds():
            return
        self.task_ids.append(self.client.create())

    @rule(seconds=st.sampled_from([0, 1, 59, 60, 100, 130, 500]), path=st.sampled_from(ORDERS), pick=ANY)
    def advance_and_order(self, seconds, path, pick):
        self.advance(seconds)
        self.order(path, pick)

    @rule(seconds=st.sampled_from([0, 1, 59, 60, 100, 130, 500]))
    def advance(self, seconds):
        before = self.tasks()
        self.client.farm.advance(seconds)
        after = self.tasks()
        for task_id, info in before.items():
            if info["taskStatus"] in ENDED:
                assert after[task_id] == info, "a task that has ended has changed by itself"
            assert after[task_id]["doneFrames"] is None or after[task_id]["doneFrames"] >= info["doneFrames"]

    @rule(path=st.sampled_from(ORDERS), pick=ANY)
    def order(self, path, pick):
        assert self.client.request(path, {"taskIds": [self.any_task(pick)]})["code"] in {
            200,
            937,
            507,
            600,
            700,
        }

    @rule(pick=ANY)
    def submit_again(self, pick):
        assert self.client.request(SUBMIT, {"taskId": self.any_task(pick)})["code"] in {937, 600, 601, 749}

    @rule(path=st.sampled_from([RECOMMIT, STOP_FRAMES]), pick=ANY, all_frames=st.booleans())
    def order_frames(self, path, pick, all_frames):
        task_id = self.any_task(pick)
        ids = [frame["id"] for frame in self.frames(task_id)][pick % 3 :: 2]
        body = {"taskId": task_id, "ids": ids, "selectAll": int(all_frames)}
        assert self.client.request(path, body)["code"] in {200, 937, 507, 600, 601, 700}

    @rule(pick=ANY, machines=st.integers(1, 9), seconds=st.sampled_from([0, 50, 1000]))
    def limit(self, pick, machines, seconds):
        task_id = self.any_task(pick)
        assert self.client.request(LIMIT, {"taskId": task_id, "taskLimit": machines})["code"] in {200, 937}
        assert self.client.request(OVERTIME, {"taskIds": [task_id], "overTime": seconds})["code"] in {
            200,
            937,
        }

    @rule(amount=st.sampled_from(["0.0001", "0.2", "3"]))
    def top_up(self, amount):
        self.client.farm.top_up(amount)
        self.paid_in += Decimal(amount)

    @rule()
    def restart(self):
        before = self.tasks()
        self.client.farm.close()
        self._open()
        assert self.tasks() == before

    @rule()
    def kill(self):
        before = self.tasks()
        image = Path(tempfile.mkdtemp(dir=self.folder)) / "farm"
        shutil.copytree(self.folder / "farm", image)
        self.client.farm.close()
        shutil.rmtree(self.folder / "farm")
        image.rename(self.folder / "farm")
        self._open()
        assert self.tasks() == before

    @rule()
    def advance_to_the_end(self):
        self.client.farm.advance(1_000_000)
        for task_id, info in self.tasks().items():
            task = self.client.farm._simulation.tasks[task_id]
            assert info["taskStatus"] not in WORKING
            is_waiting = info["taskStatus"] == 0 and info["submitDate"] and not info["isOpen"]
            assert not is_waiting or task.on_hold, "a waiting task has no next event"

    def frames(self, task_id):
        answer = self.client.request("/api/render/handle/queryTaskFrames", {"taskId": task_id})
        return answer["data"]["items"] if answer["code"] == 200 else []

    @invariant()
    def money_adds_up(self):
        profile = self.client.call(PROFILE)
        funds = _to_decimal(profile["rmbbalance"]) + _to_decimal(profile["coupon"])
        infos = [info for info in self.tasks().values() if not info["isOpen"]]
        consumed = sum((_to_decimal(info["renderConsume"]) for info in infos), Decimal(0))
        assert funds + consumed == INITIAL_FUNDS + self.paid_in
        assert _to_decimal(profile["coupon"]) >= 0
        unpaid = max(-_to_decimal(profile["rmbbalance"]) - _to_decimal(profile["credit"]), Decimal(0))
        assert sum((_to_decimal(info["taskArrears"]) for info in infos), Decimal(0)) == unpaid
        for info in infos:
            parts = _to_decimal(info["userAccountConsume"]) + _to_decimal(info["couponConsume"])
            assert parts == _to_decimal(info["renderConsume"])

    @invariant()
    def frames_are_charged_once_per_attempt(self):
        for task_id, info in self.tasks().items():
            frames = self.frames(task_id)
            if not frames:
                continue
            paid = [_to_decimal(frame["feeAmount"]) + _to_decimal(frame["couponFee"]) for frame in frames]
            assert sum(paid) == _to_decimal(info["renderConsume"])
            assert sum(_to_decimal(frame["arrearsFee"] or 0) for frame in frames) == _to_decimal(
                info["taskArrears"]
            )
            for frame, fee in zip(frames, paid, strict=True):
                assert fee % FRAME_COST == 0
                assert (frame["frameStatus"] == 4) <= fee // FRAME_COST <= frame["recommitFlag"] + 1
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
    def parents_agree_with_their_leaves(self):
        for task_id, info in self.tasks().items():
            leaves = info["respRenderingTaskList"]
            assert bool(info["isOpen"]) == bool(leaves)
            for leaf in leaves or []:
                assert info["taskStatus"] == 0
                assert leaf["layerParentId"] == task_id
            if leaves:
                combined = _combined_state([leaf["taskStatus"] for leaf in leaves])
                all_done = all(leaf["doneFrames"] == leaf["totalFrames"] for leaf in leaves)
                executing = sum(leaf["executingFrames"] for leaf in leaves)
                failed = sum(leaf["failedFrames"] + leaf["abortFrames"] for leaf in leaves)
                assert combined != 25 or all_done
                assert combined in WORKING or executing == 0
                assert combined not in {10, 20, 23, 30, 35, 45} or not all_done or combined == 35
                assert combined != 30 or failed > 0


def _combined_state(states):
    """Return the state of a layered task by the documents: active, paused, or that of the worst leaf."""
    for group in (WORKING, {0}, {40}):
        if found := group & set(states):
            return max(found)
    return max(states, key=(25, 70, 30, 10, 15, 23, 20, 45, 65, 35).index)


def _to_decimal(value):
    return Decimal(str(value))


TestCustomers = CustomerMachine.TestCase
TestCustomers.settings = settings(
    stateful_step_count=40,
    suppress_health_check=list(HealthCheck),
)
