"""How often the poller sends requests, for which tasks, and how soon."""

import asyncio
import itertools

import pytest

from airflow_provider_renderbus.polling.shared_queries import MAX_CONCURRENCY
from tests.polling.poller_harness import INTERVAL, run_with_poller


class TestRequests:
    @pytest.mark.parametrize(("count", "pages"), [(1, 1), (100, 1), (101, 2), (250, 3), (1000, 10)])
    def test_poller_n_tasks_sends_n_over_100_requests_evenly(self, count, pages):
        async def body(harness):
            harness.join(*range(1, count + 1))
            await asyncio.sleep(1)
            assert harness.farm.request_count(0, 1) == pages
            await asyncio.sleep(3 * INTERVAL)
            for interval in range(2):
                start = 1 + interval * INTERVAL
                assert harness.farm.request_count(start, start + INTERVAL) == pages
            moments = [moment for moment, _ in harness.farm.requests[pages:]]
            gaps = [after - before for before, after in itertools.pairwise(moments)]
            assert gaps == pytest.approx([INTERVAL / pages] * len(gaps), abs=1e-3)
            assert all(len(task_ids) <= 100 for _, task_ids in harness.farm.requests)

        run_with_poller(range(1, count + 1), body)

    def test_poller_each_interval_polls_every_task(self):
        async def body(harness):
            harness.join(*range(1, 251))
            await asyncio.sleep(1 + INTERVAL)
            for _ in range(3):
                start = harness.loop.time()
                await asyncio.sleep(INTERVAL + 0.1)
                polled = {
                    task_id for moment, page in harness.farm.requests if moment >= start for task_id in page
                }
                assert polled == set(range(1, 251))

        run_with_poller(range(1, 251), body)

    def test_join_gets_update_within_a_second_and_shares_request(self):
        async def body(harness):
            harness.join(*range(1, 101))
            await asyncio.sleep(20)
            for task_id in range(101, 251):
                harness.join(task_id)
                await asyncio.sleep(0.001)
            await asyncio.sleep(1)
            assert all(harness.updates[task_id][0][0] < 21 for task_id in range(101, 251))
            assert sum(page[0] > 100 for _, page in harness.farm.requests) == 2

        run_with_poller(range(1, 251), body)

    def test_pages_most_tasks_left_are_cut_from_the_rest(self):
        async def body(harness):
            harness.join(*range(1, 1001))
            await asyncio.sleep(INTERVAL)
            await harness.leave(*(task_id for task_id in range(1, 1001) if task_id % 10))
            await asyncio.sleep(INTERVAL)
            start = harness.loop.time()
            await asyncio.sleep(INTERVAL)
            assert harness.farm.request_count(start, start + INTERVAL) == 1
            assert set(harness.farm.requests[-1][1]) == set(range(10, 1001, 10))

        run_with_poller(range(1, 1001), body)

    def test_requests_farm_is_slow_stay_below_max_concurrency(self):
        async def body(harness):
            harness.farm.gate.clear()
            harness.join(*range(1, 1001))
            await asyncio.sleep(10)
            harness.farm.gate.set()
            await asyncio.sleep(1)
            assert harness.farm.max_in_flight == MAX_CONCURRENCY
            assert all(harness.updates.values())

        run_with_poller(range(1, 1001), body)

    def test_poller_without_waits_sends_nothing(self):
        async def body(harness):
            await asyncio.sleep(1000)
            harness.join(1)
            await asyncio.sleep(1)
            await harness.leave(1)
            await asyncio.sleep(1000)
            assert len(harness.farm.requests) == 1

        run_with_poller([1], body)


def test_watch_other_interval_is_refused():
    async def body(harness):
        with pytest.raises(ValueError, match=r"^interval: must be 60 s like the poller's, got 5 s"):
            harness.poller.watch(1, 5.0, 1.0)

    run_with_poller([1], body)
