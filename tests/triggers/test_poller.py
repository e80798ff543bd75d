"""The poller, on a clock that is moved by hand."""

import asyncio
import contextlib
import itertools
import logging

import pytest

from airflow_provider_renderbus.api.errors import AuthError, NoAnswer, NotFound, UnknownTask
from airflow_provider_renderbus.clients import sequences
from airflow_provider_renderbus.triggers.poller import AT_ONCE, LAST_LOOK, Poller
from airflow_provider_renderbus.triggers.watcher import DeadlinePassed
from tests.triggers.fake_farm import FakeFarm, item
from tests.triggers.hand_loop import run

INTERVAL = 60.0
DOWN = NoAnswer("query_task_info", "down")
WRONG_KEY = AuthError("query_task_info", 602, "")


class Scene:
    """A poller at work on a farm, and those who wait."""

    def __init__(self, numbers=()):
        self.farm = FakeFarm(numbers)
        self.loop = asyncio.get_running_loop()
        self.poller = Poller(self.farm, INTERVAL, clock=self.loop.time)
        self.heard = {}
        self.waiting = {}

    async def __aenter__(self):
        self.serving = asyncio.ensure_future(self.poller.serve())
        return self

    async def __aexit__(self, *_):
        everything = [*self.waiting.values(), self.serving]
        for task in everything:
            task.cancel()
        await asyncio.gather(*everything, return_exceptions=True)

    def join(self, *numbers, deadline=1e6):
        for number in numbers:
            self.heard[number] = []
            self.waiting[number] = asyncio.ensure_future(self._wait(number, self.heard[number], deadline))

    async def leave(self, *numbers):
        for number in numbers:
            self.waiting[number].cancel()
        await asyncio.wait([self.waiting[number] for number in numbers])

    async def _wait(self, number, heard, deadline):
        async with contextlib.aclosing(self.poller.watch(number, INTERVAL, deadline)) as tasks:
            async for task in tasks:
                assert task.id == number
                heard.append((self.loop.time(), task.status.value, task.progress.done))

    def ends(self, number):
        """Return why a watcher's waiting is over, or None."""
        return self.waiting[number].exception() if self.waiting[number].done() else None

    def hears(self, number):
        return [news for _, *news in self.heard[number]]


def scene(numbers, body):
    """Run a scene."""

    async def play():
        async with Scene(numbers) as it:
            await body(it)

    run(play())


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
            assert it.farm.most_under_way == AT_ONCE
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
            assert it.ends(123).number == 123
            assert sum(task.done() for task in it.waiting.values()) == 1

        scene(range(1, 251), body)
        assert [line for line in caplog.messages if "short of" in line] == [
            "The farm's answer is short of [123]; they will be asked for again"
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
            it.farm.error = NoAnswer("query_task_info", "busy", retry_after=200.0)
            it.join(*range(1, 301))
            await asyncio.sleep(200)
            assert len(it.farm.asked) <= AT_ONCE
            await asyncio.sleep(2)
            assert len(it.farm.asked) <= AT_ONCE + 1

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
            assert isinstance(it.ends(1), DeadlinePassed)
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
            await asyncio.sleep(99 + LAST_LOOK)
            await asyncio.sleep(0.1)
            assert {type(it.ends(number)) for number in range(1, 1001)} == {DeadlinePassed}

        scene(range(1, 1001), body)

    def test_a_farm_that_is_down_holds_no_deadline_up(self):
        async def body(it):
            it.farm.error = DOWN
            it.join(1, deadline=0.0)
            await asyncio.sleep(1)
            assert isinstance(it.ends(1), DeadlinePassed)

        scene([1], body)


class TestRounds:
    """Sequences of calls that are repeated for one who waits."""

    async def _rounds(self, it, deadline, seen):
        async for task in it.poller.repeat(lambda: sequences.task_info(1), INTERVAL, deadline):
            seen.append((it.loop.time(), task.id))

    def test_the_last_round_is_at_the_deadline(self):
        async def body(it):
            seen = []
            with pytest.raises(DeadlinePassed):
                await self._rounds(it, 100.0, seen)
            assert [moment for moment, _ in seen] == pytest.approx([0.0, 60.0, 100.0])

        scene([1], body)

    def test_a_farm_that_hangs_holds_no_deadline_up(self):
        async def body(it):
            it.farm.open.clear()
            with pytest.raises(DeadlinePassed):
                await self._rounds(it, 100.0, [])
            assert it.loop.time() == pytest.approx(100.0 + LAST_LOOK)

        scene([1], body)

    def test_an_outage_ends_nothing_and_is_told_once_for_all(self, caplog):
        async def body(it):
            it.farm.error = DOWN
            seen = []
            it.join(1)
            waits = [asyncio.ensure_future(self._rounds(it, 500.0, seen)) for _ in range(20)]
            await asyncio.sleep(3 * INTERVAL)
            it.farm.error = None
            await asyncio.sleep(INTERVAL)
            assert len(seen) == 20
            for wait in waits:
                wait.cancel()
            await asyncio.wait(waits)

        scene([1], body)
        assert len(caplog.messages) == 1

    def test_a_wrong_key_ends_the_rounds(self):
        async def body(it):
            it.farm.error = WRONG_KEY
            with pytest.raises(AuthError):
                await self._rounds(it, 500.0, [])

        scene([1], body)


def test_another_interval_is_refused():
    async def body(it):
        with pytest.raises(ValueError, match=r"^interval: this poller looks every 60 s, not 5 s"):
            await anext(it.poller.watch(1, 5.0, 1.0))

    scene([1], body)
