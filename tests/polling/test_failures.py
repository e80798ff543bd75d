"""The poller during an outage, and at a deadline."""

import asyncio
import itertools
import logging

import pytest

from airflow_provider_renderbus.api.errors import AuthError, NoResponse
from airflow_provider_renderbus.polling.shared_queries import MAX_CONCURRENCY
from airflow_provider_renderbus.polling.watchers import FINAL_POLL_TIMEOUT, DeadlineExceeded
from tests.polling.fake_farm import task_item
from tests.polling.poller_harness import DOWN, INTERVAL, WRONG_KEY, run_with_poller


class TestFailures:
    def test_wrong_key_ends_all_waits_and_later_ones(self):
        async def body(harness):
            harness.farm.error = WRONG_KEY
            harness.join(*range(1, 151))
            await asyncio.sleep(1)
            assert {type(harness.error_of(task_id)) for task_id in range(1, 151)} == {AuthError}
            harness.join(200)
            await asyncio.sleep(1)
            assert isinstance(harness.error_of(200), AuthError)

        run_with_poller(range(1, 151), body)

    def test_outage_end_polls_all_tasks_within_an_interval(self, caplog):
        async def body(harness):
            harness.join(*range(1, 1001))
            await asyncio.sleep(INTERVAL)
            harness.farm.error = DOWN
            before = len(harness.farm.requests)
            await asyncio.sleep(INTERVAL)
            assert len(harness.farm.requests) - before < 10
            harness.join(*range(1001, 1051))
            await asyncio.sleep(INTERVAL)
            harness.farm.error = None
            for task_id in range(1, 1001):
                harness.farm.items[task_id] = task_item(task_id, status=25)
            await asyncio.sleep(INTERVAL)
            assert all(harness.updates_of(task_id) == [[5, 0], [25, 0]] for task_id in range(1, 1001))
            assert all(harness.updates_of(task_id) == [[5, 0]] for task_id in range(1001, 1051))
            moments = [
                moment for moment, page in harness.farm.requests if moment > 3 * INTERVAL and page[0] <= 1000
            ]
            assert all(after - before > INTERVAL / 25 for before, after in itertools.pairwise(moments))

        run_with_poller(range(1, 1051), body)
        assert len([line for line in caplog.records if line.levelno == logging.WARNING]) == 1

    def test_failed_page_is_polled_first(self):
        async def body(harness):
            harness.join(*range(1, 1001))
            await asyncio.sleep(INTERVAL)
            harness.farm.error = DOWN
            await asyncio.sleep(INTERVAL / 10)
            harness.farm.error = None
            before = len(harness.farm.requests)
            await asyncio.sleep(INTERVAL / 10)
            assert harness.farm.requests[before][1] == harness.farm.requests[before - 1][1]

        run_with_poller(range(1, 1001), body)

    def test_outage_sends_one_request_at_a_time(self):
        async def body(harness):
            harness.farm.error = DOWN
            harness.farm.delay = 20.0
            harness.join(*range(1, 1001))
            await asyncio.sleep(INTERVAL)
            harness.farm.max_in_flight = 0
            await asyncio.sleep(3 * INTERVAL)
            assert harness.farm.max_in_flight == 1

        run_with_poller(range(1, 1001), body)

    def test_very_long_outage_ends_no_wait(self):
        async def body(harness):
            harness.farm.error = DOWN
            harness.join(1)
            await asyncio.sleep(1200 * INTERVAL)
            harness.farm.error = None
            await asyncio.sleep(INTERVAL + 1)
            assert harness.updates_of(1) == [[5, 0]]

        run_with_poller([1], body)

    def test_retry_after_blocks_requests(self):
        async def body(harness):
            harness.farm.error = NoResponse("query_task_info", "busy", retry_after=200.0)
            harness.join(*range(1, 301))
            await asyncio.sleep(200)
            assert len(harness.farm.requests) <= MAX_CONCURRENCY
            await asyncio.sleep(2)
            assert len(harness.farm.requests) <= MAX_CONCURRENCY + 1

        run_with_poller(range(1, 301), body)

    def test_retry_after_is_not_shortened_by_other_answers(self):
        async def body(harness):
            busy = NoResponse("query_task_info", "busy", retry_after=100.0)
            harness.farm.error = lambda task_ids: busy if 1 in task_ids else None
            harness.join(*range(1, 301))
            await asyncio.sleep(100)
            assert len(harness.farm.requests) <= MAX_CONCURRENCY

        run_with_poller(range(1, 301), body)

    def test_fail_unexpected_error_ends_all_waits(self):
        async def body(harness):
            harness.poller.fail(LookupError("a bug"))
            harness.join(1)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert isinstance(harness.error_of(1), LookupError)

        run_with_poller([1], body)


class TestDeadlines:
    @pytest.mark.parametrize("deadline", [0.0, 0.2, 100.0])
    def test_deadline_polls_once_more(self, deadline):
        async def body(harness):
            harness.join(1, deadline=deadline)
            await asyncio.sleep(deadline + 1)
            assert isinstance(harness.error_of(1), DeadlineExceeded)
            assert harness.farm.requests[-1][0] >= deadline
            assert harness.updates_of(1) == [[5, 0]]

        run_with_poller([1], body)

    def test_final_poll_with_change_is_delivered(self):
        async def body(harness):
            harness.join(1, deadline=100.0)
            await asyncio.sleep(90)
            harness.farm.items[1] = task_item(1, status=25)
            await asyncio.sleep(11)
            assert harness.updates_of(1) == [[5, 0], [25, 0]]

        run_with_poller([1], body)

    def test_deadline_farm_hangs_ends_wait(self):
        async def body(harness):
            harness.join(*range(1, 1001), deadline=100.0)
            await asyncio.sleep(1)
            harness.farm.gate.clear()
            await asyncio.sleep(99 + FINAL_POLL_TIMEOUT)
            await asyncio.sleep(0.1)
            assert {type(harness.error_of(task_id)) for task_id in range(1, 1001)} == {DeadlineExceeded}

        run_with_poller(range(1, 1001), body)

    def test_deadline_farm_is_down_ends_wait(self):
        async def body(harness):
            harness.farm.error = DOWN
            harness.join(1, deadline=0.0)
            await asyncio.sleep(1)
            assert isinstance(harness.error_of(1), DeadlineExceeded)

        run_with_poller([1], body)
