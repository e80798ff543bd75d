"""The poller with random exceptions from anywhere in a poll: no wait ends, and all work again afterwards."""

import asyncio
import os
import random

import pytest

from airflow_provider_renderbus.api.errors import ApiError, InvalidResponse, NoResponse, ServerError
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.polling import watched_task
from airflow_provider_renderbus.polling.circuit_breaker import CircuitBreaker
from airflow_provider_renderbus.polling.page_schedule import PageSchedule
from airflow_provider_renderbus.polling.watchers import Watcher
from tests.fuzz.hostile_json import KEYS, record
from tests.polling.fake_farm import task_item
from tests.polling.poller_harness import INTERVAL, run_with_poller

SEEDS = range(40 if os.environ.get("CI") else 4)
TASK_IDS = range(1, 131)
# Each is called in a poll, and raises instead.
PLACES = [
    (watched_task, "read_task"),
    (watched_task, "_change_key"),
    (Watcher, "notify"),
    (PageSchedule, "pop_due"),
    (PageSchedule, "acquit"),
    (PageSchedule, "suspect"),
    (PageSchedule, "requeue"),
    (CircuitBreaker, "_record_failure"),
]


def random_error(rng):
    kinds = [
        ValueError,
        TypeError,
        KeyError,
        OverflowError,
        RecursionError,
        MemoryError,
        OSError,
        TimeoutError,
    ]
    return rng.choice(
        [
            *(kind("fuzz") for kind in kinds),
            UnicodeDecodeError("utf-8", b"\xd6", 0, 1, "fuzz"),
            ExceptionGroup("fuzz", [ValueError()]),
            NoResponse("query_task_info", "fuzz"),
            InvalidResponse("query_task_info", "fuzz"),
            ServerError("query_task_info", 500, "fuzz"),
            ApiError("query_task_info", 4711, "fuzz"),
        ]
    )


def raise_now_and_then(monkeypatch, rng):
    for owner, name in PLACES:
        function = getattr(owner, name)

        def raising(*args, function=function, **kwargs):
            if rng.random() < 0.02:
                raise random_error(rng)
            return function(*args, **kwargs)

        monkeypatch.setattr(owner, name, raising)


def hostile_item(rng, task_id):
    """Return a task that cannot be read, or odd fields of one that is not at its end."""
    return {
        **record(rng, 1, KEYS["TaskInfo"]),
        "id": task_id,
        "taskStatus": rng.choice([5, [], {}, "x", 10**400]),
    }


async def every_other_task_is_polled(harness, always_fails):
    """One task makes each page fail that it is part of, and nothing else is wrong any more."""
    harness.farm.error = lambda task_ids: ValueError("fuzz") if always_fails in task_ids else None
    for task_id in TASK_IDS:
        harness.farm.items[task_id] = task_item(task_id, done=6)
    await asyncio.sleep(10 * INTERVAL)
    assert [task_id for task_id in TASK_IDS if harness.updates_of(task_id)[-1] != [5, 6]] == [always_fails]


@pytest.mark.parametrize("seed", SEEDS)
def test_poller_with_random_exceptions_ends_no_wait(seed, monkeypatch):
    rng = random.Random(seed)
    results = []

    def make_flow():
        if rng.random() < 0.3:
            raise random_error(rng)
        return flows.get_task(1)

    async def query(harness):
        async for task in harness.poller.queries.poll(make_flow, INTERVAL, 1e6, "task 1"):
            results.append(task.id)  # noqa: PERF401 - it does not end

    async def body(harness):
        harness.join(*TASK_IDS)
        querying = asyncio.ensure_future(query(harness))
        await asyncio.sleep(1)
        with monkeypatch.context() as patches:
            raise_now_and_then(patches, rng)
            always_fails = rng.choice(TASK_IDS)
            for _ in range(20):
                error = random_error(rng)
                fails = rng.random() < 0.3

                def respond(task_ids, error=error, fails=fails):
                    return error if fails or always_fails in task_ids else None

                harness.farm.error = respond
                some = rng.sample(TASK_IDS, 5)
                harness.farm.items |= {task_id: hostile_item(rng, task_id) for task_id in some}
                await asyncio.sleep(INTERVAL / 2)
                harness.farm.items |= {task_id: task_item(task_id) for task_id in some}
        assert len(harness.farm.requests) < 20 * 30, "too many requests"
        await every_other_task_is_polled(harness, always_fails)
        harness.farm.error = None
        for task_id in TASK_IDS:
            harness.farm.items[task_id] = task_item(task_id, done=7)
        await asyncio.sleep(4 * INTERVAL)
        assert not [task_id for task_id in TASK_IDS if harness.waits[task_id].done()]
        assert not [task_id for task_id in TASK_IDS if harness.updates_of(task_id)[-1] != [5, 7]]
        assert not querying.done()
        assert results
        querying.cancel()
        await asyncio.wait([querying])

    run_with_poller(TASK_IDS, body)
