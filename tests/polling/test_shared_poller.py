"""One poller per connection, poll interval and event loop."""

import asyncio
import contextvars
import logging
import threading

import pytest

from airflow_provider_renderbus.compat import AirflowException
from airflow_provider_renderbus.hooks.credential_refresh import CONNECTION_LOOKUP_ERRORS
from airflow_provider_renderbus.polling import shared_poller as module
from airflow_provider_renderbus.polling.shared_poller import shared_poller
from airflow_provider_renderbus.polling.watchers import DeadlineExceeded
from dev.harness.virtual_time_loop import run
from tests.polling.fake_hook import FakeHook

LATER = 1e12


@pytest.fixture(autouse=True)
def hook(monkeypatch):
    hook = FakeHook()
    monkeypatch.setattr(module, "RenderbusHook", hook)
    return hook


async def use_poller(task_id, conn_id="farm", interval=60.0, deadline=LATER):
    """Wait for the first update of a task and return the poller."""
    async with shared_poller(conn_id, interval, deadline) as poller:
        with poller.watch(task_id, interval, deadline) as watcher:
            assert (await watcher.next_update()).id == task_id
            await asyncio.sleep(1)
            return poller


def test_shared_poller_same_connection_and_interval_is_the_same(hook):
    async def body():
        pollers = await asyncio.gather(use_poller(1), use_poller(2), use_poller(1))
        assert len(set(pollers)) == 1
        assert hook.closed == ["farm"]

    run(body())
    assert len(hook.clients) == 1
    assert not module._POLLERS or not any(module._POLLERS.values())


def test_shared_poller_released_by_last_user_is_stopped(hook):
    async def body():
        assert await use_poller(1) is not await use_poller(1)

    run(body())
    assert hook.closed == ["farm", "farm"]


def test_shared_poller_other_connection_or_interval_is_another(hook):
    async def body():
        assert len(set(await asyncio.gather(use_poller(1), use_poller(1, interval=30.0)))) == 2
        assert len(set(await asyncio.gather(use_poller(1, "a"), use_poller(1, "b")))) == 2

    run(body())
    assert sorted(hook.closed) == ["a", "b", "farm", "farm"]


def test_shared_poller_other_event_loop_is_another(hook):
    """Two loops at once, in threads of their own."""
    pollers = []

    async def outer():
        async with shared_poller("farm", 60.0, LATER) as poller:
            pollers.append(poller)
            thread = threading.Thread(target=lambda: pollers.append(run(use_poller(1))))
            thread.start()
            thread.join()
            assert await use_poller(1) is poller

    run(outer())
    assert len(set(pollers)) == 2
    assert hook.closed == ["farm", "farm"]


def test_shared_poller_start_fails_raises_for_all_and_next_user_retries(hook):
    async def body():
        hook.error = ValueError("access_key is missing")
        errors = await asyncio.gather(use_poller(1), use_poller(2), return_exceptions=True)
        assert [str(error) for error in errors] == ["access_key is missing"] * 2
        assert hook.lookups == 1
        hook.error = None
        await use_poller(1)

    run(body())


@pytest.mark.parametrize("kind", [*CONNECTION_LOOKUP_ERRORS, OSError])
def test_shared_poller_lookup_fails_is_repeated(hook, caplog, kind):
    async def body():
        hook.error = kind.__new__(kind)
        waiting = asyncio.gather(use_poller(1), use_poller(2))
        await asyncio.sleep(500)
        hook.error = None
        await waiting

    caplog.set_level(logging.INFO, "airflow_provider_renderbus.polling")
    run(body())
    assert hook.lookups > 3
    lines = [line.partition(": ")[2] for line in caplog.messages]
    assert [line.partition(":")[0] for line in lines if line != "unexpected error"] == [
        *["poll failed, polling continues"] * 2,
        *["polling works again after 0"] * 2,
    ]
    assert lines.count("unexpected error") == (kind is OSError)


def test_shared_poller_lookup_fails_raises_at_deadline(hook):
    async def body():
        hook.error = AirflowException("the API server is gone")
        other = asyncio.ensure_future(use_poller(1))
        with pytest.raises(DeadlineExceeded):
            await use_poller(2, deadline=0.0)
        assert not other.done()
        hook.error = None
        await other

    run(body())


@pytest.mark.parametrize("moment", [0.0, 0.05, 0.3, 0.7, 5.0])
def test_shared_poller_user_cancelled_does_not_affect_others(hook, moment):
    async def body():
        cancelled = asyncio.ensure_future(use_poller(1))
        other = asyncio.ensure_future(use_poller(2))
        await asyncio.sleep(moment)
        cancelled.cancel()
        await other
        await asyncio.wait([cancelled])

    run(body())
    assert hook.closed == ["farm"]


@pytest.mark.parametrize("moment", [0.0, 0.05, 0.3, 0.7])
def test_shared_poller_only_user_cancelled_leaves_nothing(hook, moment):
    async def body():
        cancelled = asyncio.ensure_future(use_poller(1))
        await asyncio.sleep(moment)
        cancelled.cancel()
        await asyncio.wait([cancelled])
        # A look-up in flight ends by itself: in Airflow 3.0 an answer that nobody reads ends the triggerer.
        await asyncio.sleep(0.1)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(body())
    assert len(hook.closed) == len(hook.clients)


def test_shared_poller_use_cached_settings_looks_up_once(hook):
    async def body():
        for _ in range(2):
            async with shared_poller("farm", 60.0, LATER, use_cached_settings=True):
                pass
        assert hook.lookups == 1
        async with shared_poller("farm", 60.0, LATER):
            pass
        assert hook.lookups == 2

    run(body())


def test_shared_poller_logs_nothing_in_the_context_of_its_first_user(hook):
    """Airflow routes log lines by a context variable that it sets for each trigger."""
    trigger_id = contextvars.ContextVar("trigger_id", default=None)
    in_context_of = []

    async def body():
        trigger_id.set(1)
        async with shared_poller("farm", 60.0, LATER):
            (farm,) = hook.clients
            farm.error = lambda _: in_context_of.append(trigger_id.get())
            await use_poller(1)

    run(body())
    assert in_context_of == [None]
