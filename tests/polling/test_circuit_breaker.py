"""While the farm is down, all that one poller asks leaves it alone together."""

import asyncio
import itertools
import logging
from functools import partial

import pytest

from airflow_provider_renderbus.api.errors import NoResponse
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.polling.watchers import FINAL_POLL_TIMEOUT, DeadlineExceeded
from tests.polling.poller_harness import DOWN, INTERVAL, scene

MANY = range(1, 1001)


async def questions(it, numbers, deadline=1e6):
    """Ask about each of some tasks, let all find their turns, and return when each was answered."""
    heard = {number: [] for number in numbers}

    async def listen(number):
        sequence = partial(flows.get_task, number)
        async for task in it.poller.queries.poll(sequence, INTERVAL, deadline, f"files of {number}"):
            assert task.id == number
            heard[number].append(it.loop.time())

    for number in numbers:
        it.waiting["question", number] = asyncio.ensure_future(listen(number))
    await asyncio.sleep(2 * INTERVAL)
    return heard


def since(heard, moment):
    return [moments[-1] >= moment for moments in heard.values()]


class TestAnOutage:
    @pytest.mark.parametrize("count", [1, 2, 30, 1000])
    @pytest.mark.parametrize("lasts", [1.0, 47.0, 600.0, 604.3])
    def test_nobody_is_lost_and_all_are_served_within_an_interval(self, count, lasts):
        async def body(it):
            heard = await questions(it, range(1, count + 1))
            it.farm.error = DOWN
            await asyncio.sleep(lasts)
            it.farm.error = None
            back = it.loop.time()
            await asyncio.sleep(INTERVAL + 0.1)
            assert all(since(heard, back))
            before = len(it.farm.asked)
            await asyncio.sleep(2 * INTERVAL)
            assert len(it.farm.asked) - before == pytest.approx(2 * count, abs=2)

        scene(MANY, body)

    def test_a_thousand_questions_ask_a_farm_that_is_down_as_seldom_as_one_page(self, caplog):
        async def body(it):
            it.join(*range(1, 201))
            await questions(it, MANY)
            it.farm.error = DOWN
            it.farm.most_under_way = 0
            start = it.loop.time()
            await asyncio.sleep(10 * INTERVAL)
            assert it.farm.requests(start, start + INTERVAL) <= 10  # after 1, 2, 4, 8, 15, 15, 15 s
            assert it.farm.requests(start + INTERVAL, start + 10 * INTERVAL) <= 9 * 5
            assert it.farm.most_under_way == 1
            assert not any(wait.done() for wait in it.waiting.values())

        scene(MANY, body)
        assert len([line for line in caplog.records if line.levelno == logging.WARNING]) == 1

    def test_what_has_piled_up_is_caught_up_with_at_no_more_than_double_speed(self):
        async def body(it):
            heard = await questions(it, MANY)
            it.farm.error = DOWN
            await asyncio.sleep(3 * INTERVAL)
            it.farm.error = None
            back = it.loop.time()
            await asyncio.sleep(INTERVAL + 0.1)
            assert all(since(heard, back))
            for second in range(int(INTERVAL)):
                # Those of the past and those whose turn it is, which are spread a little unevenly.
                assert it.farm.requests(back + second, back + second + 1) <= 4 * len(MANY) / INTERVAL

        scene(MANY, body)

    def test_one_at_a_time_finds_out_and_holds_no_deadline_up(self):
        async def body(it):
            it.join(*range(1, 201))
            deadline = 10 * INTERVAL
            await questions(it, range(1, 51), deadline)
            it.farm.error = DOWN
            await asyncio.sleep(INTERVAL)
            it.farm.most_under_way = 0
            it.farm.open.clear()  # now it hangs
            await asyncio.sleep(deadline + FINAL_POLL_TIMEOUT + 0.1 - it.loop.time())
            assert it.farm.most_under_way == 1
            ends = {type(it.ends(who)) for who in it.waiting if isinstance(who, tuple)}
            assert ends == {DeadlineExceeded}

        scene(MANY, body)


async def stops_at_once(it):
    start = it.loop.time()
    stop = it.poller.queries.poll(partial(flows.get_task, 2), 1.0, start + 20)
    assert (await anext(stop)).id == 2
    assert it.loop.time() == start
    await stop.aclose()


class TestAllTogether:
    def test_a_page_without_an_answer_holds_the_questions(self):
        async def body(it):
            it.join(1)
            await questions(it, range(201, 231))
            it.farm.error = NoResponse("query_task_info", "busy", retry_after=200.0)
            await asyncio.sleep(INTERVAL)
            it.farm.error = None
            start = it.farm.failed[0]
            assert not it.farm.requests(start + 0.1, start + 199)
            await asyncio.sleep(200 + INTERVAL)
            assert it.farm.requests(start + 200, start + 200 + INTERVAL) >= 31

        scene(MANY, body)

    def test_a_question_without_an_answer_holds_the_pages(self):
        def refuse(numbers):
            return NoResponse("query_task_info", "busy", retry_after=200.0) if numbers == [1000] else None

        async def body(it):
            it.join(*range(1, 301))
            await asyncio.sleep(INTERVAL)
            it.farm.error = refuse
            asking = asyncio.ensure_future(questions(it, [1000]))
            await asyncio.sleep(1)
            (start,) = it.farm.failed
            await asking
            assert not it.farm.requests(start + 0.1, it.loop.time())

        scene(MANY, body)

    def test_a_stop_waits_for_nobody(self):
        async def body(it):
            it.join(1)
            it.farm.error = NoResponse("query_task_info", "busy", retry_after=200.0)
            await asyncio.sleep(1)
            it.farm.error = None
            await stops_at_once(it)

        scene(MANY, body)

    def test_nor_does_it_wait_for_slow_answers(self):
        async def body(it):
            await questions(it, range(1, 31))
            it.farm.open.clear()
            await asyncio.sleep(INTERVAL)
            it.farm.open = asyncio.Event()  # for what is asked from now on
            it.farm.open.set()
            await stops_at_once(it)

        scene(MANY, body)

    def test_turns_are_kept_when_good_times_return(self):
        async def body(it):
            heard = await questions(it, range(1, 31))
            it.farm.error = DOWN
            await asyncio.sleep(INTERVAL)
            it.farm.error = None
            await asyncio.sleep(4 * INTERVAL)
            for moments in heard.values():
                *_, first, second, third = moments
                assert [b - a for a, b in itertools.pairwise([first, second, third])] == pytest.approx(
                    [INTERVAL] * 2
                )

        scene(MANY, body)
