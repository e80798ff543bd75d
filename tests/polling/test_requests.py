"""How often the poller asks, for whom, and how soon."""

import asyncio
import itertools

import pytest

from airflow_provider_renderbus.polling.shared_queries import MAX_CONCURRENCY
from tests.polling.poller_harness import INTERVAL, scene


class TestRequests:
    @pytest.mark.parametrize(("count", "pages"), [(1, 1), (100, 1), (101, 2), (250, 3), (1000, 10)])
    def test_an_interval_takes_a_hundredth_spread_evenly(self, count, pages):
        async def body(it):
            it.join(*range(1, count + 1))
            await asyncio.sleep(1)
            assert it.farm.requests(0, 1) == pages
            await asyncio.sleep(3 * INTERVAL)
            for turn in range(2):
                start = 1 + turn * INTERVAL
                assert it.farm.requests(start, start + INTERVAL) == pages
            moments = [moment for moment, _ in it.farm.asked[pages:]]
            gaps = [after - before for before, after in itertools.pairwise(moments)]
            assert gaps == pytest.approx([INTERVAL / pages] * len(gaps), abs=1e-3)
            assert all(len(numbers) <= 100 for _, numbers in it.farm.asked)

        scene(range(1, count + 1), body)

    def test_every_task_has_its_turn_each_interval(self):
        async def body(it):
            it.join(*range(1, 251))
            await asyncio.sleep(1 + INTERVAL)
            for _ in range(3):
                start = it.loop.time()
                await asyncio.sleep(INTERVAL + 0.1)
                asked = {number for moment, page in it.farm.asked if moment >= start for number in page}
                assert asked == set(range(1, 251))

        scene(range(1, 251), body)

    def test_a_joiner_hears_within_a_second_and_shares_its_request(self):
        async def body(it):
            it.join(*range(1, 101))
            await asyncio.sleep(20)
            for number in range(101, 251):
                it.join(number)
                await asyncio.sleep(0.001)
            await asyncio.sleep(1)
            assert all(it.heard[number][0][0] < 21 for number in range(101, 251))
            assert sum(page[0] > 100 for _, page in it.farm.asked) == 2

        scene(range(1, 251), body)

    def test_pages_are_cut_anew_when_most_have_left(self):
        async def body(it):
            it.join(*range(1, 1001))
            await asyncio.sleep(INTERVAL)
            await it.leave(*(number for number in range(1, 1001) if number % 10))
            await asyncio.sleep(INTERVAL)
            start = it.loop.time()
            await asyncio.sleep(INTERVAL)
            assert it.farm.requests(start, start + INTERVAL) == 1
            assert set(it.farm.asked[-1][1]) == set(range(10, 1001, 10))

        scene(range(1, 1001), body)

    def test_only_so_many_are_under_way_at_once(self):
        async def body(it):
            it.farm.open.clear()
            it.join(*range(1, 1001))
            await asyncio.sleep(10)
            it.farm.open.set()
            await asyncio.sleep(1)
            assert it.farm.most_under_way == MAX_CONCURRENCY
            assert all(it.heard.values())

        scene(range(1, 1001), body)

    def test_nothing_is_asked_while_nobody_waits(self):
        async def body(it):
            await asyncio.sleep(1000)
            it.join(1)
            await asyncio.sleep(1)
            await it.leave(1)
            await asyncio.sleep(1000)
            assert len(it.farm.asked) == 1

        scene([1], body)


def test_another_interval_is_refused():
    async def body(it):
        with pytest.raises(ValueError, match=r"^interval: must be 60 s like the poller's, got 5 s"):
            await anext(it.poller.watch(1, 5.0, 1.0))

    scene([1], body)
