"""Queries that are polled, and shared by their key."""

import asyncio
import contextlib
import logging
from collections import Counter
from functools import partial

import pytest

from airflow_provider_renderbus.api.errors import AuthError
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.polling.shared_queries import MAX_CONCURRENCY
from airflow_provider_renderbus.polling.watchers import FINAL_POLL_TIMEOUT, DeadlineExceeded
from tests.polling.poller_harness import DOWN, INTERVAL, WRONG_KEY, run_with_poller


class TestPoll:
    async def _poll(self, harness, deadline, results):
        async for task in harness.poller.queries.poll(
            lambda: flows.get_task(1), INTERVAL, deadline, "task 1"
        ):
            results.append((harness.loop.time(), task.id))

    def test_poll_deadline_polls_once_more(self):
        async def body(harness):
            results = []
            with pytest.raises(DeadlineExceeded):
                await self._poll(harness, 200.0, results)
            first, second, third, fourth, last = [moment for moment, _ in results]
            assert (first, last) == pytest.approx((0.0, 200.0))
            assert second < INTERVAL
            assert (third - second, fourth - third) == pytest.approx((INTERVAL, INTERVAL))

        run_with_poller([1], body)

    def test_poll_farm_hangs_ends_after_final_poll_timeout(self):
        async def body(harness):
            harness.farm.gate.clear()
            with pytest.raises(DeadlineExceeded):
                await self._poll(harness, 100.0, [])
            assert harness.loop.time() == pytest.approx(100.0 + FINAL_POLL_TIMEOUT)

        run_with_poller([1], body)

    def test_poll_outage_ends_nothing_and_warns_once(self, caplog):
        async def body(harness):
            caplog.set_level(logging.INFO, "airflow_provider_renderbus.polling")
            harness.farm.error = DOWN
            results = []
            harness.join(1)
            waits = [asyncio.ensure_future(self._poll(harness, 500.0, results)) for _ in range(20)]
            await asyncio.sleep(3 * INTERVAL)
            harness.farm.error = None
            await asyncio.sleep(INTERVAL)
            assert len(results) == 20
            for wait in waits:
                wait.cancel()
            await asyncio.wait(waits)

        run_with_poller([1], body)
        lines = Counter(line.partition(" after ")[0] for line in caplog.messages)
        failed, again = "poll failed, polling continues: query_task_info: down", "polling works again"
        assert lines == {
            f"task 1: {failed}": 20,
            f"task 1: {again}": 20,
            f"Render 1: {failed}": 1,
            f"Render 1: {again}": 1,
        }

    def test_poll_wrong_key_raises(self):
        async def body(harness):
            harness.farm.error = WRONG_KEY
            with pytest.raises(AuthError):
                await self._poll(harness, 500.0, [])

        run_with_poller([1], body)

    def test_poll_same_key_shares_requests(self):
        async def body(harness):
            results = []
            waits = []
            for _ in range(20):
                waits.append(asyncio.ensure_future(self._poll(harness, 1e6, results)))
                await asyncio.sleep(0.1)
            await asyncio.sleep(INTERVAL)
            start, count = harness.loop.time(), len(results)
            await asyncio.sleep(3 * INTERVAL)
            assert harness.farm.request_count(start, harness.loop.time()) == 3
            assert len(results) - count == 60
            for wait in waits:
                wait.cancel()
            await asyncio.wait(waits)

        run_with_poller([1], body)

    def test_poll_without_key_is_not_shared(self):
        async def body(harness):
            for _ in range(2):
                results = harness.poller.queries.poll(lambda: flows.get_task(1), INTERVAL, 1e6)
                async with contextlib.aclosing(results):
                    assert (await anext(results)).id == 1
            assert len(harness.farm.requests) == 2

        run_with_poller([1], body)

    def test_poll_sender_is_cancelled_others_get_results(self):
        async def body(harness):
            harness.farm.delay = 1.0
            results = []
            first, *others = [asyncio.ensure_future(self._poll(harness, 1e6, results)) for _ in range(3)]
            await asyncio.sleep(0.5)
            first.cancel()
            await asyncio.sleep(2)
            assert len(results) == 2
            assert len(harness.farm.requests) == 2
            for wait in others:
                wait.cancel()
            await asyncio.wait(others)

        run_with_poller([1], body)

    def test_poll_many_keys_stays_below_max_concurrency(self):
        async def body(harness):
            harness.farm.gate.clear()
            queries = harness.poller.queries
            waits = [
                asyncio.ensure_future(
                    anext(queries.poll(partial(flows.get_task, task_id), INTERVAL, 1e6, f"task {task_id}"))
                )
                for task_id in range(1, 21)
            ]
            await asyncio.sleep(1)
            harness.farm.gate.set()
            assert [task.id for task in await asyncio.gather(*waits)] == list(range(1, 21))
            assert harness.farm.max_in_flight == MAX_CONCURRENCY

        run_with_poller(range(1, 21), body)
