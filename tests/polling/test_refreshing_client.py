"""Waits whose access key is changed, or refused."""

import asyncio
import logging

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import AuthError
from airflow_provider_renderbus.compat import AirflowException
from airflow_provider_renderbus.hooks.credential_refresh import AccountChangedError
from airflow_provider_renderbus.polling import shared_poller as module
from airflow_provider_renderbus.polling.batched_stop import stop_tasks
from airflow_provider_renderbus.polling.refreshing_client import LOOKUP_TTL, RefreshingClient
from airflow_provider_renderbus.polling.shared_poller import shared_poller
from airflow_provider_renderbus.renders.conditions import SufficientFunds, condition_to_dict
from airflow_provider_renderbus.renders.results import Outcome
from airflow_provider_renderbus.triggers.conditions import RenderbusConditionTrigger
from dev.harness.virtual_time_loop import run
from tests.polling.fake_farm import task_item
from tests.polling.fake_hook import FakeHook
from tests.polling.poller_harness import DOWN, INTERVAL

LATER = 1e12
CHANGED = "The farm refused the access key. The connection has changed: continuing with its new settings"


@pytest.fixture(autouse=True)
def hook(monkeypatch, caplog):
    caplog.set_level(logging.INFO, "airflow_provider_renderbus")
    hook = FakeHook()
    monkeypatch.setattr(module, "RenderbusHook", hook)
    return hook


async def wait_for_task(task_id):
    """Wait until a task is finished and return its id."""
    async with shared_poller("farm", INTERVAL, LATER) as poller:
        with poller.watch(task_id, INTERVAL, LATER) as watcher:
            while (await watcher.next_update()).status.value != 25:
                pass
    return task_id


async def wait_for_funds():
    trigger = RenderbusConditionTrigger("farm", condition_to_dict(SufficientFunds("100")), INTERVAL, LATER)
    async with shared_poller("farm", INTERVAL, LATER) as poller:
        return (await trigger.wait(poller)).outcome


def start_waits():
    """Start two waits for tasks and two for funds."""
    return [
        asyncio.ensure_future(wait)
        for wait in (wait_for_task(1), wait_for_task(2), wait_for_funds(), wait_for_funds())
    ]


def rotate(hook, **changes):
    """Change the key that the farm accepts, and fields of the connection."""
    hook.farm_key = "second"
    hook.fields |= changes


def refresh_messages(caplog):
    return [record.message for record in caplog.records if record.name.endswith("credential_refresh")]


class TestChangedKey:
    @pytest.mark.parametrize("changes", [{}, {"domain": "elsewhere.test"}, {"protocol": "http"}])
    def test_changed_connection_continues_all_waits_with_one_lookup(self, hook, caplog, changes):
        async def body():
            waits = start_waits()
            await asyncio.sleep(INTERVAL)
            rotate(hook, access_key="second", **changes)
            await asyncio.sleep(2 * INTERVAL)
            assert not any(wait.done() for wait in waits)
            _, new = hook.clients
            assert hook.closed == ["farm"]
            new.items |= {task_id: task_item(task_id, status=25) for task_id in (1, 2)}
            new.profile["usdbalance"] = 500
            await asyncio.sleep(INTERVAL + 1)
            assert [wait.result() for wait in waits] == [1, 2, Outcome.SUCCEEDED, Outcome.SUCCEEDED]

        run(body())
        assert hook.lookups == 2
        assert hook.closed == ["farm", "farm"]
        assert refresh_messages(caplog) == [CHANGED]

    def test_connection_changed_repeatedly_continues_waits(self, hook):
        async def body():
            wait = asyncio.ensure_future(wait_for_task(1))
            for key in ("second", "third", "fourth"):
                await asyncio.sleep(INTERVAL)
                hook.farm_key = hook.fields["access_key"] = key
            await asyncio.sleep(INTERVAL)
            hook.clients[-1].items[1] = task_item(1, status=25)
            assert await wait == 1

        run(body())
        assert hook.lookups == 4

    def test_new_key_refused_ends_waits(self, hook):
        async def body():
            waits = start_waits()
            await asyncio.sleep(INTERVAL)
            rotate(hook, access_key="third")
            await asyncio.wait(waits)
            assert {type(wait.exception()) for wait in waits} == {AuthError}

        run(body())
        assert len(hook.clients) == 2
        assert len(hook.closed) == 2

    def test_stop_after_refresh_uses_new_key_without_lookup(self, hook):
        async def body():
            wait = asyncio.ensure_future(wait_for_task(1))
            await asyncio.sleep(INTERVAL)
            rotate(hook, access_key="second")
            await asyncio.sleep(INTERVAL)
            wait.cancel()
            await asyncio.wait([wait])
            hook.error = AssertionError("a stop must not look a connection up")
            assert await stop_tasks("farm", INTERVAL, [3]) == "render 3 is no longer running"

        run(body())

    def test_stop_key_refused_looks_connection_up(self, hook):
        async def body():
            wait = asyncio.ensure_future(wait_for_task(1))
            await asyncio.sleep(1)
            wait.cancel()
            await asyncio.wait([wait])
            rotate(hook, access_key="second")
            assert await stop_tasks("farm", INTERVAL, [3]) == "render 3 is no longer running"

        run(body())
        assert hook.lookups == 2

    def test_lookup_caller_cancelled_runs_to_its_end(self, hook):
        """In Airflow 3.0 an answer that nobody reads ends the triggerer."""

        async def body():
            wait = asyncio.ensure_future(wait_for_task(1))
            await asyncio.sleep(1)
            rotate(hook, access_key="second")
            await asyncio.sleep(INTERVAL - 0.85)
            assert len(hook.clients[0].requests) == 2
            wait.cancel()
            await asyncio.wait([wait])
            assert hook.lookups == 1
            await asyncio.sleep(0.1)
            assert hook.lookups == 2
            assert asyncio.all_tasks() == {asyncio.current_task()}

        run(body())
        assert len(hook.closed) == len(hook.clients) == 1


class TestRefusedKey:
    def test_unchanged_connection_ends_waits_with_one_lookup(self, hook):
        async def body():
            waits = start_waits()
            await asyncio.sleep(1)
            hook.farm_key = "second"
            await asyncio.wait(waits)
            assert {type(wait.exception()) for wait in waits} == {AuthError}

        run(body())
        assert hook.lookups <= 3  # tasks and funds are polled at different moments
        assert len(hook.clients) == 1

    @pytest.mark.parametrize("change", [{"access_id": "another"}, {"platform": 3}])
    def test_other_account_ends_waits_without_new_client(self, hook, change):
        async def body():
            waits = start_waits()
            await asyncio.sleep(1)
            rotate(hook, access_key="second", **change)
            await asyncio.wait(waits)
            errors = [wait.exception() for wait in waits]
            assert {type(error) for error in errors} == {AccountChangedError}
            assert "changed to another account" in str(errors[0])

        run(body())
        assert len(hook.clients) == 1

    def test_unusable_connection_ends_waits(self, hook, caplog):
        async def body():
            wait = asyncio.ensure_future(wait_for_task(1))
            await asyncio.sleep(1)
            hook.farm_key = "second"
            hook.error = ValueError("connection 'farm' cannot be used: access_key is missing")
            with pytest.raises(AuthError):
                await wait

        run(body())
        assert "access_key is missing" in caplog.text

    def test_lookup_fails_continues_waits(self, hook, caplog):
        async def body():
            wait = asyncio.ensure_future(wait_for_task(1))
            await asyncio.sleep(1)
            rotate(hook, access_key="second")
            hook.error = AirflowException("the API server is restarted")
            await asyncio.sleep(5 * INTERVAL)
            hook.error = None
            await asyncio.sleep(INTERVAL)
            hook.clients[-1].items[1] = task_item(1, status=25)
            assert await wait == 1

        run(body())
        assert refresh_messages(caplog) == [CHANGED]
        (warning,) = [line for line in caplog.messages if "poll failed" in line]
        assert "cannot be looked up: the API server is restarted" in warning


def open_client(hook):
    return RefreshingClient(hook("farm"), hook.settings_of("farm"), lambda _: None)


class TestClient:
    def test_send_refused_calls_share_one_lookup(self, hook):
        async def body():
            async with open_client(hook) as client:
                rotate(hook, access_key="second")
                results = await asyncio.gather(*(client.send(calls.query_task_info([1])) for _ in range(5)))
                assert all(results)

        run(body())
        assert hook.lookups == 1
        assert len(hook.clients) == 2

    def test_send_refused_again_within_lookup_ttl_sends_no_lookup(self, hook):
        async def body():
            async with open_client(hook) as client:
                hook.farm_key = "second"
                for lookups in (1, 1, 2):
                    with pytest.raises(AuthError):
                        await client.send(calls.query_task_info([1]))
                    assert hook.lookups == lookups
                    await asyncio.sleep(LOOKUP_TTL / 2 + 0.1)

        run(body())

    def test_send_old_client_is_closed_after_its_last_call(self, hook):
        async def body():
            async with open_client(hook) as client:
                (old,) = hook.clients
                old.delay = 5.0
                slow = asyncio.ensure_future(client.send(calls.query_task_info([1])))
                await asyncio.sleep(0)
                old.delay = 0.0
                rotate(hook, access_key="second")
                await client.send(calls.query_task_info([1]))
                assert not hook.closed
                assert await slow
                assert hook.closed == ["farm"]

        run(body())

    def test_send_other_error_is_raised_without_lookup(self, hook):
        async def body():
            async with open_client(hook) as client:
                hook.clients[0].error = DOWN
                with pytest.raises(type(DOWN)):
                    await client.send(calls.query_task_info([1]))

        run(body())
        assert not hook.lookups
