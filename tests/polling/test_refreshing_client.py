"""What becomes of waits whose access key is changed, or refused."""

import asyncio
import contextlib
import logging

import pytest
from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import AuthError
from airflow_provider_renderbus.hooks.credential_refresh import AccountChangedError
from airflow_provider_renderbus.polling import shared_poller as sharing
from airflow_provider_renderbus.polling.batched_stop import stop_tasks
from airflow_provider_renderbus.polling.refreshing_client import LOOKUP_TTL, RefreshingClient
from airflow_provider_renderbus.polling.shared_poller import shared_poller
from airflow_provider_renderbus.renders.conditions import SufficientFunds, stored
from airflow_provider_renderbus.renders.results import Outcome
from airflow_provider_renderbus.triggers.conditions import RenderbusConditionTrigger
from dev.harness.virtual_time_loop import run
from tests.polling.fake_farm import item
from tests.polling.fake_hook import FakeHook
from tests.polling.poller_harness import DOWN, INTERVAL

LATER = 1e12
CHANGED = "The farm refuses the access key; the connection was changed, and is used as it is now"


@pytest.fixture(autouse=True)
def hook(monkeypatch, caplog):
    caplog.set_level(logging.INFO, "airflow_provider_renderbus")
    hook = FakeHook()
    monkeypatch.setattr(sharing, "RenderbusHook", hook)
    return hook


async def finished(number):
    """Wait until a task is finished."""
    async with (
        shared_poller("farm", INTERVAL, LATER) as poller,
        contextlib.aclosing(poller.watch(number, INTERVAL, LATER)) as tasks,
    ):
        async for task in tasks:
            if task.status.value == 25:
                break
    return number


async def funds():
    trigger = RenderbusConditionTrigger("farm", stored(SufficientFunds("100")), INTERVAL, LATER)
    async with shared_poller("farm", INTERVAL, LATER) as poller:
        return (await trigger.wait(poller)).outcome


def waiting():
    """Let two wait for tasks and two for money."""
    return [asyncio.ensure_future(wait) for wait in (finished(1), finished(2), funds(), funds())]


def rotate(hook, **changes):
    """Let the farm take another key from now on, and the connection be another."""
    hook.farm_key = "second"
    hook.fields |= changes


def of_the_key(caplog):
    return [record.message for record in caplog.records if record.name.endswith("credential_refresh")]


class TestAChangedKey:
    @pytest.mark.parametrize("changes", [{}, {"domain": "elsewhere.test"}, {"protocol": "http"}])
    def test_all_who_wait_go_on_with_one_look_up(self, hook, caplog, changes):
        async def body():
            waits = waiting()
            await asyncio.sleep(INTERVAL)
            rotate(hook, access_key="second", **changes)
            await asyncio.sleep(2 * INTERVAL)
            assert not any(wait.done() for wait in waits)
            _, new = hook.made
            assert hook.closed == ["farm"]
            new.items |= {number: item(number, status=25) for number in (1, 2)}
            new.profile["usdbalance"] = 500
            await asyncio.sleep(INTERVAL + 1)
            assert [wait.result() for wait in waits] == [1, 2, Outcome.SUCCEEDED, Outcome.SUCCEEDED]

        run(body())
        assert hook.tries == 2
        assert hook.closed == ["farm", "farm"]
        assert of_the_key(caplog) == [CHANGED]

    def test_it_may_be_changed_again_and_again(self, hook):
        async def body():
            wait = asyncio.ensure_future(finished(1))
            for key in ("second", "third", "fourth"):
                await asyncio.sleep(INTERVAL)
                hook.farm_key = hook.fields["access_key"] = key
            await asyncio.sleep(INTERVAL)
            hook.made[-1].items[1] = item(1, status=25)
            assert await wait == 1

        run(body())
        assert hook.tries == 4

    def test_a_change_is_tried_once(self, hook):
        async def body():
            waits = waiting()
            await asyncio.sleep(INTERVAL)
            rotate(hook, access_key="third")
            await asyncio.wait(waits)
            assert {type(wait.exception()) for wait in waits} == {AuthError}

        run(body())
        assert len(hook.made) == 2
        assert len(hook.closed) == 2

    def test_a_kill_after_it_uses_the_new_one(self, hook):
        async def body():
            wait = asyncio.ensure_future(finished(1))
            await asyncio.sleep(INTERVAL)
            rotate(hook, access_key="second")
            await asyncio.sleep(INTERVAL)
            wait.cancel()
            await asyncio.wait([wait])
            hook.problem = AssertionError("a kill looks no connection up")
            assert await stop_tasks("farm", INTERVAL, [3]) == "task 3 does not run any more"

        run(body())

    def test_a_kill_whose_key_is_refused_looks_it_up(self, hook):
        async def body():
            wait = asyncio.ensure_future(finished(1))
            await asyncio.sleep(1)
            wait.cancel()
            await asyncio.wait([wait])
            rotate(hook, access_key="second")
            assert await stop_tasks("farm", INTERVAL, [3]) == "task 3 does not run any more"

        run(body())
        assert hook.tries == 2

    def test_a_look_up_goes_on_when_who_began_it_is_cancelled(self, hook):
        """Airflow 3.0 falls with an answer that nobody fetches."""

        async def body():
            wait = asyncio.ensure_future(finished(1))
            await asyncio.sleep(1)
            rotate(hook, access_key="second")
            await asyncio.sleep(INTERVAL - 0.85)
            assert len(hook.made[0].asked) == 2
            wait.cancel()
            await asyncio.wait([wait])
            assert hook.tries == 1
            await asyncio.sleep(0.1)
            assert hook.tries == 2
            assert asyncio.all_tasks() == {asyncio.current_task()}

        run(body())
        assert len(hook.closed) == len(hook.made) == 1


class TestARefusedKey:
    def test_where_nothing_was_changed_the_waits_end_and_airflow_is_asked_once(self, hook):
        async def body():
            waits = waiting()
            await asyncio.sleep(1)
            hook.farm_key = "second"
            await asyncio.wait(waits)
            assert {type(wait.exception()) for wait in waits} == {AuthError}

        run(body())
        assert hook.tries <= 3  # tasks and money have moments of their own
        assert len(hook.made) == 1

    @pytest.mark.parametrize("change", [{"access_id": "another"}, {"platform": 3}])
    def test_another_account_is_not_asked_for_tasks_that_are_not_its(self, hook, change):
        async def body():
            waits = waiting()
            await asyncio.sleep(1)
            rotate(hook, access_key="second", **change)
            await asyncio.wait(waits)
            problems = [wait.exception() for wait in waits]
            assert {type(problem) for problem in problems} == {AccountChangedError}
            assert "changed to another account" in str(problems[0])

        run(body())
        assert len(hook.made) == 1

    def test_a_connection_that_cannot_be_used_any_more_ends_the_waits(self, hook, caplog):
        async def body():
            wait = asyncio.ensure_future(finished(1))
            await asyncio.sleep(1)
            hook.farm_key = "second"
            hook.problem = ValueError("connection 'farm' cannot be used: access_key is missing")
            with pytest.raises(AuthError):
                await wait

        run(body())
        assert "access_key is missing" in caplog.text

    def test_an_airflow_that_does_not_answer_ends_nothing(self, hook, caplog):
        async def body():
            wait = asyncio.ensure_future(finished(1))
            await asyncio.sleep(1)
            rotate(hook, access_key="second")
            hook.problem = AirflowException("the API server is restarted")
            await asyncio.sleep(5 * INTERVAL)
            hook.problem = None
            await asyncio.sleep(INTERVAL)
            hook.made[-1].items[1] = item(1, status=25)
            assert await wait == 1

        run(body())
        assert of_the_key(caplog) == [CHANGED]
        (warning,) = [line for line in caplog.messages if "poll failed" in line]
        assert "cannot be looked up: the API server is restarted" in warning


def opened(hook):
    return RefreshingClient(hook("farm"), hook.settings_of("farm"), lambda _: None)


class TestTheClient:
    def test_calls_that_are_refused_together_share_a_look_up(self, hook):
        async def body():
            async with opened(hook) as client:
                rotate(hook, access_key="second")
                found = await asyncio.gather(*(client.send(calls.query_task_info([1])) for _ in range(5)))
                assert all(found)

        run(body())
        assert hook.tries == 1
        assert len(hook.made) == 2

    def test_a_verdict_holds_for_a_moment(self, hook):
        async def body():
            async with opened(hook) as client:
                hook.farm_key = "second"
                for tries in (1, 1, 2):
                    with pytest.raises(AuthError):
                        await client.send(calls.query_task_info([1]))
                    assert hook.tries == tries
                    await asyncio.sleep(LOOKUP_TTL / 2 + 0.1)

        run(body())

    def test_the_old_client_is_closed_after_its_last_call(self, hook):
        async def body():
            async with opened(hook) as client:
                (old,) = hook.made
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

    def test_what_is_no_refusal_of_the_key_passes(self, hook):
        async def body():
            async with opened(hook) as client:
                hook.made[0].error = DOWN
                with pytest.raises(type(DOWN)):
                    await client.send(calls.query_task_info([1]))

        run(body())
        assert not hook.tries
