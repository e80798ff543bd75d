"""Which updates a wait gets, and which not."""

import asyncio
import logging

import pytest

from airflow_provider_renderbus.api.errors import InvalidResponse, NotFound, UnknownTask
from tests.polling.fake_farm import task_item
from tests.polling.poller_harness import DOWN, INTERVAL, run_with_poller


def nested(levels):
    leaves = []
    for _ in range(levels):
        leaves = [task_item(1, respRenderingTaskList=leaves)]
    return leaves


class TestUpdates:
    def test_watch_gets_changes_of_its_own_task_only(self):
        async def body(harness):
            harness.join(*range(1, 151))
            await asyncio.sleep(INTERVAL)
            harness.farm.items[7] = task_item(7, done=3)
            await asyncio.sleep(2 * INTERVAL)
            harness.farm.items[7] = task_item(7, status=25, done=10)
            await asyncio.sleep(2 * INTERVAL)
            assert harness.updates_of(7) == [[5, 0], [5, 3], [25, 10]]
            assert all(harness.updates_of(task_id) == [[5, 0]] for task_id in range(1, 151) if task_id != 7)

        run_with_poller(range(1, 151), body)

    def test_watch_same_sum_of_costs_gets_no_update(self):
        async def body(harness):
            harness.farm.items[1] = task_item(1, cost=2.0)
            harness.join(1)
            await asyncio.sleep(INTERVAL)
            harness.farm.items[1] = task_item(1, cost=0.0, couponConsume=2.0)
            await asyncio.sleep(2 * INTERVAL)
            assert len(harness.updates[1]) == 1

        run_with_poller([1], body)

    def test_watch_changed_leaf_gets_update(self):
        async def body(harness):
            leaves = [task_item(11), task_item(12)]
            harness.farm.items[1] = task_item(1, respRenderingTaskList=leaves)
            harness.join(1)
            await asyncio.sleep(INTERVAL)
            harness.farm.items[1] = task_item(1, respRenderingTaskList=[leaves[0], task_item(12, done=4)])
            await asyncio.sleep(2 * INTERVAL)
            assert harness.updates_of(1) == [[5, 0], [5, 4]]

        run_with_poller([1], body)

    def test_watch_same_task_twice_is_independent(self):
        async def body(harness):
            harness.join(1)
            first, first_updates = harness.waits[1], harness.updates[1]
            await asyncio.sleep(20)
            harness.join(1)
            await asyncio.sleep(1)
            assert harness.updates_of(1) == [[5, 0]]
            first.cancel()
            await asyncio.wait([first])
            harness.farm.items[1] = task_item(1, status=25)
            await asyncio.sleep(2 * INTERVAL)
            assert harness.updates_of(1) == [[5, 0], [25, 0]]
            assert len(first_updates) == 1

        run_with_poller([1], body)

    def test_watch_outdated_answer_is_ignored(self):
        async def body(harness):
            harness.join(1)
            await asyncio.sleep(1)
            harness.farm.gate.clear()
            await asyncio.sleep(INTERVAL)
            slow, harness.farm.gate = harness.farm.gate, asyncio.Event()
            harness.farm.gate.set()
            harness.farm.items[1] = task_item(1, status=25)
            await asyncio.sleep(INTERVAL)
            harness.farm.items[1] = task_item(1)
            slow.set()
            await asyncio.sleep(1)
            assert harness.updates_of(1) == [[5, 0], [25, 0]]

        run_with_poller([1], body)

    @pytest.mark.parametrize(
        ("leaves", "reason"),
        [
            ("?", "TaskInfo.respRenderingTaskList: must be a list, got a string"),
            ([None], "TaskInfo.respRenderingTaskList: TaskInfo: must be an object, got null"),
            (nested(260), "TaskInfo.respRenderingTaskList: nested too deep, must have at most 8 levels"),
        ],
        ids=["text", "null", "nested"],
    )
    def test_watch_invalid_task_does_not_affect_others(self, caplog, leaves, reason):
        async def body(harness):
            harness.farm.items[1] = task_item(1, respRenderingTaskList=leaves)
            harness.farm.items[3] = None
            harness.join(1, 2)
            await asyncio.sleep(5 * INTERVAL)
            assert not harness.updates[1]
            assert len(harness.updates[2]) == 1
            harness.farm.items[1] = task_item(1)
            await asyncio.sleep(2 * INTERVAL)
            assert len(harness.updates[1]) == 1

        caplog.set_level(logging.INFO, "airflow_provider_renderbus.polling")
        run_with_poller([1, 2], body)
        assert caplog.messages == [
            f"Render 1: poll failed, polling continues: {InvalidResponse('query_task_info', reason)}",
            "Render 1: polling works again after 0:05:00",
        ]


class TestLeaving:
    def test_watch_cancelled_in_any_state_leaves_poller_working(self):
        async def body(harness):
            harness.join(1)
            await harness.leave(1)  # before it has started
            harness.join(1)
            await asyncio.sleep(0.1)
            await harness.leave(1)  # in the join window, before its request
            assert not harness.farm.requests
            harness.farm.gate.clear()
            harness.join(1, 2)
            await asyncio.sleep(1)
            await harness.leave(1)  # its request in flight
            harness.farm.gate.set()
            await asyncio.sleep(1)
            assert harness.updates_of(2) == [[5, 0]]
            assert not harness.updates[1]
            await harness.leave(2)  # after its update
            harness.farm.error = DOWN
            harness.join(3)
            await asyncio.sleep(10)
            await harness.leave(3)  # during an outage
            harness.farm.error = None
            harness.join(1)
            await asyncio.sleep(INTERVAL + 1)
            assert harness.updates_of(1) == [[5, 0]]

        run_with_poller([1, 2, 3], body)


class TestMissing:
    def test_missing_task_ends_its_wait_after_three_polls(self, caplog):
        async def body(harness):
            del harness.farm.items[123]
            harness.join(*range(1, 251))
            await asyncio.sleep(1 + INTERVAL)
            assert harness.error_of(123) is None
            await asyncio.sleep(2 * INTERVAL)
            assert isinstance(harness.error_of(123), UnknownTask)
            assert harness.error_of(123).task_id == 123
            assert sum(task.done() for task in harness.waits.values()) == 1

        run_with_poller(range(1, 251), body)
        (line,) = caplog.messages
        assert line == f"Render 123: poll failed, polling continues: {UnknownTask(123)}"

    def test_missing_task_that_reappears_resets_misses(self):
        async def body(harness):
            harness.join(1, 2)
            await asyncio.sleep(1)
            for _ in range(3):
                removed = harness.farm.items.pop(1)
                await asyncio.sleep(2 * INTERVAL)
                harness.farm.items[1] = removed
                await asyncio.sleep(INTERVAL)
            assert harness.error_of(1) is None
            assert harness.updates_of(1) == [[5, 0]]

        run_with_poller([1, 2], body)

    def test_page_refused_because_of_one_task_ends_its_wait_only(self):
        def refuse(task_ids):
            return NotFound("query_task_info", 404, "") if 77 in task_ids else None

        async def body(harness):
            harness.farm.error = refuse
            harness.join(*range(1, 151))
            await asyncio.sleep(INTERVAL)
            assert isinstance(harness.error_of(77), NotFound)
            assert sum(task.done() for task in harness.waits.values()) == 1
            assert sum(map(bool, harness.updates.values())) == 149

        run_with_poller(range(1, 151), body)
