"""One poller for all triggers of a connection and an interval in an event loop."""

import asyncio
import contextlib
import threading

import pytest
from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_renderbus.hooks.credential_refresh import CONNECTION_LOOKUP_ERRORS
from airflow_provider_renderbus.polling import shared_poller as sharing
from airflow_provider_renderbus.polling.shared_poller import shared_poller
from airflow_provider_renderbus.polling.watchers import DeadlineExceeded
from dev.harness.virtual_time_loop import run
from tests.polling.fake_hook import FakeHook

LATER = 1e12


@pytest.fixture(autouse=True)
def hook(monkeypatch):
    hook = FakeHook()
    monkeypatch.setattr(sharing, "RenderbusHook", hook)
    return hook


async def first(number, conn_id="farm", interval=60.0, deadline=LATER):
    """Wait for the first news of a task and return the poller."""
    async with (
        shared_poller(conn_id, interval, deadline) as poller,
        contextlib.aclosing(poller.watch(number, interval, deadline)) as tasks,
    ):
        assert (await anext(tasks)).id == number
        await asyncio.sleep(1)
        return poller


def test_all_of_a_connection_and_an_interval_share_one(hook):
    async def body():
        pollers = await asyncio.gather(first(1), first(2), first(1))
        assert len(set(pollers)) == 1
        assert hook.closed == ["farm"]

    run(body())
    assert len(hook.made) == 1
    assert not sharing._POLLERS or not any(sharing._POLLERS.values())


def test_the_last_one_stops_it_and_the_next_one_starts_anew(hook):
    async def body():
        assert await first(1) is not await first(1)

    run(body())
    assert hook.closed == ["farm", "farm"]


def test_connections_and_intervals_do_not_mix(hook):
    async def body():
        assert len(set(await asyncio.gather(first(1), first(1, interval=30.0)))) == 2
        assert len(set(await asyncio.gather(first(1, "a"), first(1, "b")))) == 2

    run(body())
    assert sorted(hook.closed) == ["a", "b", "farm", "farm"]


def test_event_loops_do_not_mix(hook):
    """Two loops at once, the one inside the other's time, in threads of their own."""
    found = []

    async def outer():
        async with shared_poller("farm", 60.0, LATER) as poller:
            found.append(poller)
            thread = threading.Thread(target=lambda: found.append(run(first(1))))
            thread.start()
            thread.join()
            assert await first(1) is poller

    run(outer())
    assert len(set(found)) == 2
    assert hook.closed == ["farm", "farm"]


def test_a_failure_to_start_reaches_every_watcher_and_the_next_one_tries_anew(hook):
    async def body():
        hook.problem = ValueError("access_key is missing")
        ends = await asyncio.gather(first(1), first(2), return_exceptions=True)
        assert [str(end) for end in ends] == ["access_key is missing"] * 2
        assert hook.tries == 1
        hook.problem = None
        await first(1)

    run(body())


@pytest.mark.parametrize("kind", CONNECTION_LOOKUP_ERRORS)
def test_a_connection_that_cannot_be_looked_up_is_looked_up_again(hook, caplog, kind):
    async def body():
        hook.problem = kind.__new__(kind)
        waiting = asyncio.gather(first(1), first(2))
        await asyncio.sleep(500)
        hook.problem = None
        await waiting

    run(body())
    assert hook.tries > 3
    assert len(caplog.messages) == 1


def test_that_goes_on_until_the_deadline_of_each(hook):
    async def body():
        hook.problem = AirflowException("the API server is gone")
        patient = asyncio.ensure_future(first(1))
        with pytest.raises(DeadlineExceeded):
            await first(2, deadline=0.0)
        assert not patient.done()
        hook.problem = None
        await patient

    run(body())


@pytest.mark.parametrize("moment", [0.0, 0.05, 0.3, 0.7, 5.0])
def test_whoever_is_cancelled_takes_nobody_along(hook, moment):
    async def body():
        cancelled = asyncio.ensure_future(first(1))
        other = asyncio.ensure_future(first(2))
        await asyncio.sleep(moment)
        cancelled.cancel()
        await other
        await asyncio.wait([cancelled])

    run(body())
    assert hook.closed == ["farm"]


@pytest.mark.parametrize("moment", [0.0, 0.05, 0.3, 0.7])
def test_when_the_only_one_is_cancelled_nothing_stays(hook, moment):
    async def body():
        cancelled = asyncio.ensure_future(first(1))
        await asyncio.sleep(moment)
        cancelled.cancel()
        await asyncio.wait([cancelled])
        # A look-up that is under way ends by itself: Airflow 3.0 falls with an answer that nobody fetches.
        await asyncio.sleep(0.1)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(body())
    assert len(hook.closed) == len(hook.made)


def test_in_haste_a_connection_is_taken_as_it_was_read_last(hook):
    async def body():
        for _ in range(2):
            async with shared_poller("farm", 60.0, LATER, use_cached_settings=True):
                pass
        assert hook.tries == 1
        async with shared_poller("farm", 60.0, LATER):
            pass
        assert hook.tries == 2

    run(body())


def test_a_poller_that_breaks_tells_everybody(hook):
    async def body():
        waiting = [asyncio.ensure_future(self_ending(number)) for number in (1, 2)]
        await asyncio.sleep(2)
        (farm,) = hook.made
        farm.error = LookupError("a bug")
        await asyncio.wait(waiting)
        assert all(isinstance(task.exception(), ExceptionGroup) for task in waiting)

    async def self_ending(number):
        async with shared_poller("farm", 60.0, LATER) as poller:
            async for _ in poller.watch(number, 60.0, LATER):
                pass

    run(body())
