"""What the poller does while the farm does not answer, and when time is over."""

import asyncio
import itertools
import logging

import pytest

from airflow_provider_renderbus.api.errors import AuthError, NoResponse
from airflow_provider_renderbus.polling.shared_queries import MAX_CONCURRENCY
from airflow_provider_renderbus.polling.watchers import FINAL_POLL_TIMEOUT, DeadlineExceeded
from tests.polling.fake_farm import item
from tests.polling.poller_harness import DOWN, INTERVAL, WRONG_KEY, scene


class TestFailures:
    def test_a_wrong_key_reaches_every_watcher_and_those_who_come_later(self):
        async def body(it):
            it.farm.error = WRONG_KEY
            it.join(*range(1, 151))
            await asyncio.sleep(1)
            assert {type(it.ends(number)) for number in range(1, 151)} == {AuthError}
            it.join(200)
            await asyncio.sleep(1)
            assert isinstance(it.ends(200), AuthError)

        scene(range(1, 151), body)

    def test_after_an_outage_all_are_served_within_an_interval(self, caplog):
        async def body(it):
            it.join(*range(1, 1001))
            await asyncio.sleep(INTERVAL)
            it.farm.error = DOWN
            before = len(it.farm.asked)
            await asyncio.sleep(INTERVAL)
            assert len(it.farm.asked) - before < 10
            it.join(*range(1001, 1051))
            await asyncio.sleep(INTERVAL)
            it.farm.error = None
            for number in range(1, 1001):
                it.farm.items[number] = item(number, status=25)
            await asyncio.sleep(INTERVAL)
            assert all(it.hears(number) == [[5, 0], [25, 0]] for number in range(1, 1001))
            assert all(it.hears(number) == [[5, 0]] for number in range(1001, 1051))
            turns = [moment for moment, page in it.farm.asked if moment > 3 * INTERVAL and page[0] <= 1000]
            assert all(after - before > INTERVAL / 25 for before, after in itertools.pairwise(turns))

        scene(range(1, 1051), body)
        assert len([line for line in caplog.records if line.levelno == logging.WARNING]) == 1

    def test_a_page_that_failed_is_asked_for_first(self):
        async def body(it):
            it.join(*range(1, 1001))
            await asyncio.sleep(INTERVAL)
            it.farm.error = DOWN
            await asyncio.sleep(INTERVAL / 10)
            it.farm.error = None
            before = len(it.farm.asked)
            await asyncio.sleep(INTERVAL / 10)
            assert it.farm.asked[before][1] == it.farm.asked[before - 1][1]

        scene(range(1, 1001), body)

    def test_while_it_is_down_one_request_at_a_time_finds_out(self):
        async def body(it):
            it.farm.error = DOWN
            it.farm.delay = 20.0
            it.join(*range(1, 1001))
            await asyncio.sleep(INTERVAL)
            it.farm.most_under_way = 0
            await asyncio.sleep(3 * INTERVAL)
            assert it.farm.most_under_way == 1

        scene(range(1, 1001), body)

    def test_a_very_long_outage_ends_nothing(self):
        async def body(it):
            it.farm.error = DOWN
            it.join(1)
            await asyncio.sleep(1200 * INTERVAL)
            it.farm.error = None
            await asyncio.sleep(INTERVAL + 1)
            assert it.hears(1) == [[5, 0]]

        scene([1], body)

    def test_the_farm_is_left_alone_for_as_long_as_it_asks(self):
        async def body(it):
            it.farm.error = NoResponse("query_task_info", "busy", retry_after=200.0)
            it.join(*range(1, 301))
            await asyncio.sleep(200)
            assert len(it.farm.asked) <= MAX_CONCURRENCY
            await asyncio.sleep(2)
            assert len(it.farm.asked) <= MAX_CONCURRENCY + 1

        scene(range(1, 301), body)

    def test_an_answer_to_somebody_else_does_not_cut_that_short(self):
        async def body(it):
            busy = NoResponse("query_task_info", "busy", retry_after=100.0)
            it.farm.error = lambda numbers: busy if 1 in numbers else None
            it.join(*range(1, 301))
            await asyncio.sleep(100)
            assert len(it.farm.asked) <= MAX_CONCURRENCY

        scene(range(1, 301), body)

    def test_an_error_that_nobody_thought_of_reaches_every_watcher(self):
        async def body(it):
            it.poller.fail(LookupError("a bug"))
            it.join(1)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert isinstance(it.ends(1), LookupError)

        scene([1], body)


class TestDeadlines:
    @pytest.mark.parametrize("deadline", [0.0, 0.2, 100.0])
    def test_there_is_a_look_at_the_deadline(self, deadline):
        async def body(it):
            it.join(1, deadline=deadline)
            await asyncio.sleep(deadline + 1)
            assert isinstance(it.ends(1), DeadlineExceeded)
            assert it.farm.asked[-1][0] >= deadline
            assert it.hears(1) == [[5, 0]]

        scene([1], body)

    def test_the_last_look_may_bring_news(self):
        async def body(it):
            it.join(1, deadline=100.0)
            await asyncio.sleep(90)
            it.farm.items[1] = item(1, status=25)
            await asyncio.sleep(11)
            assert it.hears(1) == [[5, 0], [25, 0]]

        scene([1], body)

    def test_a_farm_that_hangs_holds_no_deadline_up(self):
        async def body(it):
            it.join(*range(1, 1001), deadline=100.0)
            await asyncio.sleep(1)
            it.farm.open.clear()
            await asyncio.sleep(99 + FINAL_POLL_TIMEOUT)
            await asyncio.sleep(0.1)
            assert {type(it.ends(number)) for number in range(1, 1001)} == {DeadlineExceeded}

        scene(range(1, 1001), body)

    def test_a_farm_that_is_down_holds_no_deadline_up(self):
        async def body(it):
            it.farm.error = DOWN
            it.join(1, deadline=0.0)
            await asyncio.sleep(1)
            assert isinstance(it.ends(1), DeadlineExceeded)

        scene([1], body)
