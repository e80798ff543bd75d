"""The poller during an outage, and at a deadline."""

import asyncio
import itertools
import logging

import pytest

from airflow_provider_renderbus.api.errors import AuthError, InvalidResponse, NoResponse, ServerError
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

        caplog.set_level(logging.INFO, "airflow_provider_renderbus.polling")
        run_with_poller(range(1, 1051), body)
        lines = [line.split(": ")[:2] for line in caplog.messages]
        assert sorted(render for render, line in lines if line == "poll failed, polling continues") == sorted(
            f"Render {task_id}" for task_id in range(1, 1051)
        )
        again = {render: line for render, line in lines if line.startswith("polling works again after 0:0")}
        assert len(again) == 1050
        assert len(lines) == 2 * 1050

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


CAUSES = [
    InvalidResponse("query_task_info", "HTTP 200 with 9 bytes that are not the farm's envelope"),
    ServerError("query_task_info", 500, ""),
    ValueError("Location: about:blank"),
    RecursionError(),
    KeyError("id"),
]


class TestTaskThatFailsItsPage:
    """Each poll that asks for it fails, alone or with others."""

    @pytest.mark.parametrize("error", CAUSES, ids=lambda error: type(error).__name__)
    @pytest.mark.parametrize("count", [1, 2, 50, 100, 250])
    def test_page_that_fails_for_one_task_ends_no_wait_and_others_are_polled(self, error, count):
        def fail(task_ids):
            return error if bad in task_ids else None

        async def body(harness):
            harness.join(*range(1, count + 1))
            await asyncio.sleep(1)
            harness.farm.error = fail
            await asyncio.sleep(6 * INTERVAL)
            before = len(harness.farm.requests)
            for task_id in range(1, count + 1):
                harness.farm.items[task_id] = task_item(task_id, done=1)
            await asyncio.sleep(INTERVAL + 1)
            assert all(
                harness.updates_of(task_id)[-1:] == [[5, task_id != bad]] for task_id in range(1, count + 1)
            )
            if count > 1:
                assert len(harness.farm.requests) - before <= count // 100 + 4
            harness.farm.error = None
            await asyncio.sleep(INTERVAL + 1)
            assert harness.updates_of(bad)[-1] == [5, 1]
            assert not any(wait.done() for wait in harness.waits.values())

        bad = count // 2 or 1
        run_with_poller(range(1, count + 1), body)

    def test_page_that_fails_for_several_tasks_is_searched_for_all(self):
        async def body(harness):
            harness.join(*range(1, 101))
            harness.farm.error = lambda task_ids: CAUSES[0] if bad & set(task_ids) else None
            await asyncio.sleep(10 * INTERVAL)
            assert {task_id for task_id in range(1, 101) if not harness.updates[task_id]} == bad

        bad = {1, 40, 41, 77, 100}
        run_with_poller(range(1, 101), body)

    def test_garbage_for_everything_is_no_search(self):
        """Everything fails for an hour: single requests with pauses, and whole pages at the end."""

        async def body(harness):
            harness.join(*range(1, 1001))
            await asyncio.sleep(1)
            harness.farm.error = CAUSES[0]
            await asyncio.sleep(60 * INTERVAL)
            assert len(harness.farm.requests) < 10 + 60 * 5
            harness.farm.error = None
            await asyncio.sleep(INTERVAL / 4)
            before = len(harness.farm.requests)
            await asyncio.sleep(INTERVAL)
            assert len(harness.farm.requests) - before <= 16

        run_with_poller(range(1, 1001), body)


class TestUnexpectedErrors:
    def test_unexpected_error_is_logged_with_traceback_once_and_in_each_task_log(self, caplog):
        async def body(harness):
            harness.join(1, 2)
            await asyncio.sleep(1)
            harness.farm.error = ValueError("Location: about:blank")
            await asyncio.sleep(10 * INTERVAL)
            harness.farm.error = None
            await asyncio.sleep(INTERVAL)

        caplog.set_level(logging.INFO, "airflow_provider_renderbus.polling")
        run_with_poller([1, 2], body)
        assert [line.exc_info[1].args for line in caplog.records if line.exc_info] == [
            ("Location: about:blank",)
        ]
        reason = "poll failed, polling continues: unexpected ValueError('Location: about:blank')"
        failed = [f"Render 1: {reason}", f"Render 2: {reason}"]
        assert caplog.messages[:3] == ["Renders: unexpected error in a poll", *failed]
        assert sorted(line.partition(" after ")[0] for line in caplog.messages[3:]) == [
            "Render 1: polling works again",
            "Render 2: polling works again",
        ]

    def test_wait_for_evaluation_that_raises_is_evaluated_again_with_the_next_poll(self, caplog):
        def evaluate(task):
            evaluated.append(task.progress.done)
            if len(evaluated) < 3:
                raise OverflowError("a bug")
            return "done"

        async def body(harness):
            with harness.poller.watch(1, INTERVAL, 1e6) as watcher:
                assert await watcher.wait_for(evaluate) == "done"
            assert harness.loop.time() == pytest.approx(2 * INTERVAL, abs=1)

        evaluated = []
        caplog.set_level(logging.INFO, "airflow_provider_renderbus.polling")
        run_with_poller([1], body)
        assert evaluated == [0, 0, 0]
        failed, again = caplog.messages
        assert failed == "Render 1: poll failed, polling continues: unexpected OverflowError('a bug')"
        assert again.startswith("Render 1: polling works again after 0:0")
        assert caplog.records[0].exc_info

    def test_run_scheduling_that_raises_continues(self, monkeypatch, caplog):
        def fail(_):
            raise IndexError("a bug")

        async def body(harness):
            harness.join(1)
            await asyncio.sleep(1)
            pop_due = harness.poller._schedule.pop_due
            monkeypatch.setattr(harness.poller._schedule, "pop_due", fail)
            await asyncio.sleep(3 * INTERVAL)
            monkeypatch.setattr(harness.poller._schedule, "pop_due", pop_due)
            harness.farm.items[1] = task_item(1, status=25)
            await asyncio.sleep(2 * INTERVAL)
            assert harness.updates_of(1) == [[5, 0], [25, 0]]

        run_with_poller([1], body)
        assert "polling is interrupted for 60.0 s" in caplog.text


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
