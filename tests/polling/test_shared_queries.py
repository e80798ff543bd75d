"""Questions that are asked again and again, and shared."""

import asyncio
import contextlib
from functools import partial

import pytest

from airflow_provider_renderbus.api.errors import AuthError
from airflow_provider_renderbus.api.states import FrameStatus
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.polling.shared_queries import MAX_CONCURRENCY
from airflow_provider_renderbus.polling.watchers import FINAL_POLL_TIMEOUT, DeadlineExceeded
from airflow_provider_renderbus.renders.conditions import FramesDone, SufficientFunds, stored
from airflow_provider_renderbus.triggers.conditions import RenderbusConditionTrigger
from tests.polling.fake_farm import item
from tests.polling.poller_harness import DOWN, INTERVAL, WRONG_KEY, scene


class TestRounds:
    """Sequences of calls that are repeated for one who waits."""

    async def _rounds(self, it, deadline, seen):
        async for task in it.poller.queries.poll(lambda: flows.get_task(1), INTERVAL, deadline, "task 1"):
            seen.append((it.loop.time(), task.id))

    def test_the_last_round_is_at_the_deadline(self):
        async def body(it):
            seen = []
            with pytest.raises(DeadlineExceeded):
                await self._rounds(it, 200.0, seen)
            first, second, third, fourth, last = [moment for moment, _ in seen]
            assert (first, last) == pytest.approx((0.0, 200.0))
            assert second < INTERVAL
            assert (third - second, fourth - third) == pytest.approx((INTERVAL, INTERVAL))

        scene([1], body)

    def test_a_farm_that_hangs_holds_no_deadline_up(self):
        async def body(it):
            it.farm.open.clear()
            with pytest.raises(DeadlineExceeded):
                await self._rounds(it, 100.0, [])
            assert it.loop.time() == pytest.approx(100.0 + FINAL_POLL_TIMEOUT)

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

    def test_those_who_ask_the_same_share_the_requests(self):
        async def body(it):
            seen = []
            waits = []
            for _ in range(20):
                waits.append(asyncio.ensure_future(self._rounds(it, 1e6, seen)))
                await asyncio.sleep(0.1)
            await asyncio.sleep(INTERVAL)
            start, heard = it.loop.time(), len(seen)
            await asyncio.sleep(3 * INTERVAL)
            assert it.farm.requests(start, it.loop.time()) == 3
            assert len(seen) - heard == 60
            for wait in waits:
                wait.cancel()
            await asyncio.wait(waits)

        scene([1], body)

    def test_calls_that_do_something_are_not_shared(self):
        async def body(it):
            for _ in range(2):
                rounds = it.poller.queries.poll(lambda: flows.get_task(1), INTERVAL, 1e6)
                async with contextlib.aclosing(rounds):
                    assert (await anext(rounds)).id == 1
            assert len(it.farm.asked) == 2

        scene([1], body)

    def test_whoever_sends_the_requests_may_be_cancelled(self):
        async def body(it):
            it.farm.delay = 1.0
            seen = []
            first, *others = [asyncio.ensure_future(self._rounds(it, 1e6, seen)) for _ in range(3)]
            await asyncio.sleep(0.5)
            first.cancel()
            await asyncio.sleep(2)
            assert len(seen) == 2
            assert len(it.farm.asked) == 2
            for wait in others:
                wait.cancel()
            await asyncio.wait(others)

        scene([1], body)

    def test_only_so_many_questions_are_asked_at_once(self):
        async def body(it):
            it.farm.open.clear()
            rounds = it.poller.queries
            waits = [
                asyncio.ensure_future(
                    anext(rounds.poll(partial(flows.get_task, number), INTERVAL, 1e6, f"task {number}"))
                )
                for number in range(1, 21)
            ]
            await asyncio.sleep(1)
            it.farm.open.set()
            assert [task.id for task in await asyncio.gather(*waits)] == list(range(1, 21))
            assert it.farm.most_under_way == MAX_CONCURRENCY

        scene(range(1, 21), body)


RENDERING, DONE = FrameStatus.STARTED.value, FrameStatus.DONE.value


def about_frames(it):
    return [moment for moment, about in it.farm.asked if about == "query_task_frames"]


def wait_for(it, condition):
    trigger = RenderbusConditionTrigger("farm", stored(condition), INTERVAL, 1e6)
    return asyncio.ensure_future(trigger.wait(it.poller))


class TestConditions:
    """Frames and funds through the poller that all share."""

    def test_a_share_of_frames_takes_no_request_of_its_own(self):
        async def body(it):
            it.join(*range(1, 51))
            waits = [wait_for(it, FramesDone(number, share=0.5)) for number in range(51, 101)]
            await asyncio.sleep(1)
            assert len(it.farm.asked) == 1
            it.farm.items[60] = item(60, done=5)
            await asyncio.sleep(INTERVAL)
            assert len(it.farm.asked) == 2
            assert [wait.result().result for wait in waits if wait.done()] == [
                {"render_task_id": 60, "done": 5, "required": 5, "total": 10}
            ]
            for wait in waits:
                wait.cancel()
            await asyncio.wait(waits)

        scene(range(1, 101), body)

    def test_names_of_frames_are_asked_for_when_the_task_has_changed(self):
        async def body(it):
            it.farm.frames[1] = {"1": RENDERING, "2": RENDERING}
            wait = wait_for(it, FramesDone(1, ("2",)))
            await asyncio.sleep(5 * INTERVAL)
            assert len(about_frames(it)) == 1
            it.farm.items[1] = item(1, done=2)
            it.farm.frames[1] = {"1": DONE, "2": DONE}
            await asyncio.sleep(INTERVAL)
            assert len(about_frames(it)) == 2
            assert (await wait).result == {"render_task_id": 1, "done": 1, "required": 1, "total": 2}

        scene([1], body)

    def test_a_list_of_frames_that_is_late_is_asked_for_again(self):
        async def body(it):
            it.farm.items[1] = item(1, status=25, done=10)
            it.farm.frames[1] = {"1": RENDERING}
            wait = wait_for(it, FramesDone(1, ("1",)))
            await asyncio.sleep(2 * INTERVAL)
            assert not wait.done()
            it.farm.frames[1] = {"1": DONE}
            await asyncio.sleep(INTERVAL)
            assert (await wait).result == {"render_task_id": 1, "done": 1, "required": 1, "total": 1}

        scene([1], body)

    def test_all_who_wait_for_funds_share_a_request(self):
        async def body(it):
            waits = [wait_for(it, SufficientFunds(str(100 * share))) for share in range(1, 51)]
            await asyncio.sleep(3 * INTERVAL + 1)
            assert len(it.farm.asked) <= 5
            it.farm.profile["usdbalance"] = 5000
            await asyncio.sleep(INTERVAL)
            assert all(wait.done() for wait in waits)

        scene([], body)
