"""One poller per connection, poll interval and event loop."""

import asyncio
import contextlib
import threading

import pytest
from airflow.providers.common.compat.sdk import AirflowException

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
    async with (
        shared_poller(conn_id, interval, deadline) as poller,
        contextlib.aclosing(poller.watch(task_id, interval, deadline)) as tasks,
    ):
        assert (await anext(tasks)).id == task_id
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


@pytest.mark.parametrize("kind", CONNECTION_LOOKUP_ERRORS)
def test_shared_poller_lookup_fails_is_repeated(hook, caplog, kind):
    async def body():
        hook.error = kind.__new__(kind)
        waiting = asyncio.gather(use_poller(1), use_poller(2))
        await asyncio.sleep(500)
        hook.error = None
        await waiting

    run(body())
    assert hook.lookups > 3
    assert len(caplog.messages) == 1


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


def test_shared_poller_unexpected_error_raises_for_all(hook):
    async def body():
        waiting = [asyncio.ensure_future(watch(task_id)) for task_id in (1, 2)]
        await asyncio.sleep(2)
        (farm,) = hook.clients
        farm.error = LookupError("a bug")
        await asyncio.wait(waiting)
        assert all(isinstance(task.exception(), ExceptionGroup) for task in waiting)

    async def watch(task_id):
        async with shared_poller("farm", 60.0, LATER) as poller:
            async for _ in poller.watch(task_id, 60.0, LATER):
                pass

    run(body())
