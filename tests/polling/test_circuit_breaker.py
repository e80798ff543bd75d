"""The circuit breaker of a poller blocks pages and queries together during an outage."""

import asyncio
import itertools
import logging
from collections import Counter
from functools import partial

import pytest

from airflow_provider_renderbus.api.errors import NoResponse
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.polling.watchers import FINAL_POLL_TIMEOUT, DeadlineExceeded
from tests.polling.poller_harness import DOWN, INTERVAL, run_with_poller

MANY = range(1, 1001)


async def start_queries(harness, task_ids, deadline=1e6):
    """Start a query per task, wait two intervals and return the times of their results."""
    answered = {task_id: [] for task_id in task_ids}

    async def poll(task_id):
        make_flow = partial(flows.get_task, task_id)
        async for task in harness.poller.queries.poll(make_flow, INTERVAL, deadline, f"files of {task_id}"):
            assert task.id == task_id
            answered[task_id].append(harness.loop.time())

    for task_id in task_ids:
        harness.waits["query", task_id] = asyncio.ensure_future(poll(task_id))
    await asyncio.sleep(2 * INTERVAL)
    return answered


def is_answered_since(answered, moment):
    return [moments[-1] >= moment for moments in answered.values()]


class TestOutage:
    @pytest.mark.parametrize("count", [1, 2, 30, 300])
    @pytest.mark.parametrize("lasts", [1.0, 47.0, 600.0, 604.3])
    def test_queries_after_outage_are_all_answered_within_an_interval(self, count, lasts):
        async def body(harness):
            answered = await start_queries(harness, range(1, count + 1))
            harness.farm.error = DOWN
            await asyncio.sleep(lasts)
            harness.farm.error = None
            back = harness.loop.time()
            await asyncio.sleep(INTERVAL + 0.1)
            assert all(is_answered_since(answered, back))
            before = len(harness.farm.requests)
            await asyncio.sleep(2 * INTERVAL)
            assert len(harness.farm.requests) - before == pytest.approx(2 * count, abs=2)

        run_with_poller(MANY, body)

    def test_thousand_queries_during_outage_send_as_few_requests_as_one_page(self, caplog):
        async def body(harness):
            harness.join(*range(1, 201))
            await start_queries(harness, MANY)
            harness.farm.error = DOWN
            harness.farm.max_in_flight = 0
            start = harness.loop.time()
            await asyncio.sleep(10 * INTERVAL)
            assert harness.farm.request_count(start, start + INTERVAL) <= 10  # after 1, 2, 4, 8, 15, 15, 15 s
            assert harness.farm.request_count(start + INTERVAL, start + 10 * INTERVAL) <= 9 * 5
            assert harness.farm.max_in_flight == 1
            assert not any(wait.done() for wait in harness.waits.values())

        run_with_poller(MANY, body)
        lines = Counter(line.getMessage() for line in caplog.records if line.levelno == logging.WARNING)
        assert len(lines) == 200 + len(MANY), "one line for each wait"
        assert set(lines.values()) == {1}

    def test_backlog_after_outage_is_worked_off_at_double_speed_at_most(self):
        async def body(harness):
            answered = await start_queries(harness, MANY)
            harness.farm.error = DOWN
            await asyncio.sleep(3 * INTERVAL)
            harness.farm.error = None
            back = harness.loop.time()
            await asyncio.sleep(INTERVAL + 0.1)
            assert all(is_answered_since(answered, back))
            for second in range(int(INTERVAL)):
                # The backlog and the regular queries, which are spread a little unevenly.
                assert (
                    harness.farm.request_count(back + second, back + second + 1) <= 4 * len(MANY) / INTERVAL
                )

        run_with_poller(MANY, body)

    def test_probe_hangs_queries_end_at_their_deadline(self):
        async def body(harness):
            harness.join(*range(1, 201))
            deadline = 10 * INTERVAL
            await start_queries(harness, range(1, 51), deadline)
            harness.farm.error = DOWN
            await asyncio.sleep(INTERVAL)
            harness.farm.max_in_flight = 0
            harness.farm.gate.clear()  # it hangs now
            await asyncio.sleep(deadline + FINAL_POLL_TIMEOUT + 0.1 - harness.loop.time())
            assert harness.farm.max_in_flight == 1
            errors = {type(harness.error_of(key)) for key in harness.waits if isinstance(key, tuple)}
            assert errors == {DeadlineExceeded}

        run_with_poller(MANY, body)


async def assert_stop_is_sent_at_once(harness):
    start = harness.loop.time()
    stop = harness.poller.queries.poll(partial(flows.get_task, 2), 1.0, start + 20)
    assert (await anext(stop)).id == 2
    assert harness.loop.time() == start
    await stop.aclose()


class TestPagesAndQueries:
    def test_failed_page_blocks_queries(self):
        async def body(harness):
            harness.join(1)
            await start_queries(harness, range(201, 231))
            harness.farm.error = NoResponse("query_task_info", "busy", retry_after=200.0)
            await asyncio.sleep(INTERVAL)
            harness.farm.error = None
            start = harness.farm.failures[0]
            assert not harness.farm.request_count(start + 0.1, start + 199)
            await asyncio.sleep(200 + INTERVAL)
            assert harness.farm.request_count(start + 200, start + 200 + INTERVAL) >= 31

        run_with_poller(MANY, body)

    def test_failed_query_blocks_pages(self):
        def refuse(task_ids):
            return NoResponse("query_task_info", "busy", retry_after=200.0) if task_ids == [1000] else None

        async def body(harness):
            harness.join(*range(1, 301))
            await asyncio.sleep(INTERVAL)
            harness.farm.error = refuse
            queries = asyncio.ensure_future(start_queries(harness, [1000]))
            await asyncio.sleep(1)
            (start,) = harness.farm.failures
            await queries
            assert not harness.farm.request_count(start + 0.1, harness.loop.time())

        run_with_poller(MANY, body)

    def test_stop_during_back_off_is_sent_at_once(self):
        async def body(harness):
            harness.join(1)
            harness.farm.error = NoResponse("query_task_info", "busy", retry_after=200.0)
            await asyncio.sleep(1)
            harness.farm.error = None
            await assert_stop_is_sent_at_once(harness)

        run_with_poller(MANY, body)

    def test_stop_with_slow_queries_is_sent_at_once(self):
        async def body(harness):
            await start_queries(harness, range(1, 31))
            harness.farm.gate.clear()
            await asyncio.sleep(INTERVAL)
            harness.farm.gate = asyncio.Event()  # for later requests
            harness.farm.gate.set()
            await assert_stop_is_sent_at_once(harness)

        run_with_poller(MANY, body)

    def test_queries_after_outage_return_to_their_interval(self):
        async def body(harness):
            answered = await start_queries(harness, range(1, 31))
            harness.farm.error = DOWN
            await asyncio.sleep(INTERVAL)
            harness.farm.error = None
            await asyncio.sleep(4 * INTERVAL)
            for moments in answered.values():
                *_, first, second, third = moments
                assert [b - a for a, b in itertools.pairwise([first, second, third])] == pytest.approx(
                    [INTERVAL] * 2
                )

        run_with_poller(MANY, body)
