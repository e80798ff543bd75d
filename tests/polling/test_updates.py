"""What a watcher of the poller hears, and what it does not."""

import asyncio

from airflow_provider_renderbus.api.errors import NotFound, UnknownTask
from tests.polling.fake_farm import item
from tests.polling.poller_harness import DOWN, INTERVAL, scene


class TestNews:
    def test_a_watcher_hears_of_its_own_changes_only(self):
        async def body(it):
            it.join(*range(1, 151))
            await asyncio.sleep(INTERVAL)
            it.farm.items[7] = item(7, done=3)
            await asyncio.sleep(2 * INTERVAL)
            it.farm.items[7] = item(7, status=25, done=10)
            await asyncio.sleep(2 * INTERVAL)
            assert it.hears(7) == [[5, 0], [5, 3], [25, 10]]
            assert all(it.hears(number) == [[5, 0]] for number in range(1, 151) if number != 7)

        scene(range(1, 151), body)

    def test_a_change_that_is_none_in_sum_is_no_news(self):
        async def body(it):
            it.farm.items[1] = item(1, cost=2.0)
            it.join(1)
            await asyncio.sleep(INTERVAL)
            it.farm.items[1] = item(1, cost=0.0, couponConsume=2.0)
            await asyncio.sleep(2 * INTERVAL)
            assert len(it.heard[1]) == 1

        scene([1], body)

    def test_a_change_in_a_leaf_is_news(self):
        async def body(it):
            leaves = [item(11), item(12)]
            it.farm.items[1] = item(1, respRenderingTaskList=leaves)
            it.join(1)
            await asyncio.sleep(INTERVAL)
            it.farm.items[1] = item(1, respRenderingTaskList=[leaves[0], item(12, done=4)])
            await asyncio.sleep(2 * INTERVAL)
            assert it.hears(1) == [[5, 0], [5, 4]]

        scene([1], body)

    def test_two_watchers_of_a_task_hear_the_same_and_one_may_leave(self):
        async def body(it):
            it.join(1)
            first, heard = it.waiting[1], it.heard[1]
            await asyncio.sleep(20)
            it.join(1)
            await asyncio.sleep(1)
            assert it.hears(1) == [[5, 0]]
            first.cancel()
            await asyncio.wait([first])
            it.farm.items[1] = item(1, status=25)
            await asyncio.sleep(2 * INTERVAL)
            assert it.hears(1) == [[5, 0], [25, 0]]
            assert len(heard) == 1

        scene([1], body)

    def test_an_answer_that_was_overtaken_is_not_news(self):
        async def body(it):
            it.join(1)
            await asyncio.sleep(1)
            it.farm.open.clear()
            await asyncio.sleep(INTERVAL)
            slow, it.farm.open = it.farm.open, asyncio.Event()
            it.farm.open.set()
            it.farm.items[1] = item(1, status=25)
            await asyncio.sleep(INTERVAL)
            it.farm.items[1] = item(1)
            slow.set()
            await asyncio.sleep(1)
            assert it.hears(1) == [[5, 0], [25, 0]]

        scene([1], body)

    def test_a_task_that_cannot_be_read_holds_nobody_else_up(self, caplog):
        async def body(it):
            it.farm.items[1] = item(1, respRenderingTaskList="?")
            it.farm.items[3] = None
            it.join(1, 2)
            await asyncio.sleep(5 * INTERVAL)
            assert not it.heard[1]
            assert len(it.heard[2]) == 1
            it.farm.items[1] = item(1)
            await asyncio.sleep(2 * INTERVAL)
            assert len(it.heard[1]) == 1

        scene([1, 2], body)
        assert len(caplog.messages) == 1


class TestLeaving:
    def test_a_watcher_may_be_cancelled_in_every_state(self):
        async def body(it):
            it.join(1)
            await it.leave(1)  # before it has begun
            it.join(1)
            await asyncio.sleep(0.1)
            await it.leave(1)  # gathered, not yet asked for
            assert not it.farm.asked
            it.farm.open.clear()
            it.join(1, 2)
            await asyncio.sleep(1)
            await it.leave(1)  # its request under way
            it.farm.open.set()
            await asyncio.sleep(1)
            assert it.hears(2) == [[5, 0]]
            assert not it.heard[1]
            await it.leave(2)  # having heard
            it.farm.error = DOWN
            it.join(3)
            await asyncio.sleep(10)
            await it.leave(3)  # in an outage
            it.farm.error = None
            it.join(1)
            await asyncio.sleep(INTERVAL + 1)
            assert it.hears(1) == [[5, 0]]

        scene([1, 2, 3], body)


class TestMissing:
    def test_one_of_250_that_is_missing_ends_alone_after_three_looks(self, caplog):
        async def body(it):
            del it.farm.items[123]
            it.join(*range(1, 251))
            await asyncio.sleep(1 + INTERVAL)
            assert it.ends(123) is None
            await asyncio.sleep(2 * INTERVAL)
            assert isinstance(it.ends(123), UnknownTask)
            assert it.ends(123).task_id == 123
            assert sum(task.done() for task in it.waiting.values()) == 1

        scene(range(1, 251), body)
        assert [line for line in caplog.messages if "lacks" in line] == [
            "Renders: the farm's answer lacks [123], polling continues"
        ]

    def test_one_that_comes_back_starts_anew(self):
        async def body(it):
            it.join(1, 2)
            await asyncio.sleep(1)
            for _ in range(3):
                known = it.farm.items.pop(1)
                await asyncio.sleep(2 * INTERVAL)
                it.farm.items[1] = known
                await asyncio.sleep(INTERVAL)
            assert it.ends(1) is None
            assert it.hears(1) == [[5, 0]]

        scene([1, 2], body)

    def test_a_number_for_which_the_whole_page_is_refused_ends_alone(self):
        def refuse(numbers):
            return NotFound("query_task_info", 404, "") if 77 in numbers else None

        async def body(it):
            it.farm.error = refuse
            it.join(*range(1, 151))
            await asyncio.sleep(INTERVAL)
            assert isinstance(it.ends(77), NotFound)
            assert sum(task.done() for task in it.waiting.values()) == 1
            assert sum(map(bool, it.heard.values())) == 149

        scene(range(1, 151), body)
