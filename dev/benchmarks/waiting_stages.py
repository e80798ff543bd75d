"""What dev.benchmarks.waiting measures, stage by stage."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import math
import random
import statistics
import sys
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.clients.retry import RequestRetryPolicy
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.triggers.tasks import RenderbusTaskTrigger
from dev.benchmarks import event_loop_lag as loop_watch
from dev.benchmarks.baseline import Alone
from dev.benchmarks.trigger_load import CONN_ID, PATIENCE, Idle, Requests, Warnings, running, settled, waits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dev.benchmarks.waiting_farm import FarmProcess

# Seconds of an interval at which few tasks are measured.
SHORT = 10.0


@contextlib.contextmanager
def stage(name: str) -> Iterator[None]:
    """Say on standard error what is measured now, and how long it took."""
    begin = time.perf_counter()
    print(f"{name} ...", end=" ", flush=True, file=sys.stderr)
    yield
    print(f"{time.perf_counter() - begin:.1f} s", flush=True, file=sys.stderr)


async def ours(numbers: list[int], interval: float, requests: Requests) -> dict[str, float]:
    async with settled(numbers, interval):
        return await _interval(interval, requests)


async def one_request_each(numbers: list[int], interval: float, requests: Requests) -> dict[str, float]:
    """One request a trigger; where the machine cannot keep up, `measure` scales the CPU to N requests."""
    async with await RenderbusHook(CONN_ID).async_client(RequestRetryPolicy(max_attempts=1)) as client:
        alone = Alone(client)
        async with running([alone.wait(number, interval) for number in numbers]):
            return await _interval(interval, requests)


async def _interval(interval: float, requests: Requests) -> dict[str, float]:
    before, cpu = requests.count, time.process_time()
    await asyncio.sleep(interval)
    return {"requests": requests.count - before, "cpu_seconds": time.process_time() - cpu}


async def memory(kind: type[RenderbusTaskTrigger], numbers: list[int], interval: float) -> int:
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    async with contextlib.AsyncExitStack() as stack:
        if kind is Idle:
            await stack.enter_async_context(running(waits(kind, numbers, interval)))
            await asyncio.sleep(1)
        else:
            await stack.enter_async_context(settled(numbers, interval))
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before


async def stopped(numbers: list[int]) -> dict[int, float]:
    """Stop tasks on the farm, ten at a time; returns when each was."""
    moments: dict[int, float] = {}
    async with await RenderbusHook(CONN_ID).async_client() as client:
        for start in range(0, len(numbers), 10):
            some = numbers[start : start + 10]
            await client.send(calls.stop_task(some))
            moments |= dict.fromkeys(some, time.perf_counter())
            await asyncio.sleep(0.05)
    return moments


async def changes(numbers: list[int], interval: float) -> dict[str, Any]:
    """Stop a tenth of the tasks; then others join, for tasks that have ended, and hear it at once."""
    chosen = random.Random(1).sample(numbers, max(100, len(numbers) // 10))
    async with settled(numbers, interval) as events, loop_watch.watched() as blocked:
        moments = await stopped(chosen)
        await asyncio.wait([events[number] for number in chosen], timeout=interval + PATIENCE)
        delays = sorted(
            events[number].result() - moments[number] if events[number].done() else math.inf
            for number in chosen
        )
        begin = time.perf_counter()
        async with running(waits(RenderbusTaskTrigger, chosen[:250], interval)) as joined:
            joins = [moment - begin for moment in await asyncio.gather(*joined)]
    return {
        "delays_s": [round(delay, 3) for delay in delays],
        "event_p99_s": _p99(delays) - interval,
        "join_p99_s": _p99(joins),
        "blocked": _blocked(blocked),
    }


async def outage(
    farm: FarmProcess, numbers: list[int], interval: float, seconds: float, requests: Requests
) -> dict[str, Any]:
    """Kill the farm for a time; an interval after its return each task must have been asked for."""
    warnings = Warnings()
    logger = logging.getLogger("airflow_provider_renderbus")
    logger.addHandler(warnings)
    chosen = random.Random(2).sample(numbers, max(10, len(numbers) // 50))
    try:
        async with settled(numbers, interval) as events, loop_watch.watched() as blocked:
            farm.stop()
            before = requests.count
            await asyncio.sleep(seconds)
            meanwhile = requests.count - before
            await asyncio.to_thread(farm.start)
            requests.answered.clear()
            back = time.perf_counter()
            moments = await stopped(chosen)
            await asyncio.sleep(max(moments.values()) + interval + 1.0 - time.perf_counter())
            ended = {number for number, event in events.items() if event.done()}
    finally:
        logger.removeHandler(warnings)
    served = {
        number
        for moment, body in requests.answered
        if moment <= back + interval
        for number in json.loads(body).get("taskIds", ())
    }
    return {
        "outage_requests": meanwhile,
        "outage_unserved": len(set(numbers) - served),
        "outage_without_event": len(set(chosen) - ended),
        "outage_ended": len(ended - set(chosen)),
        "outage_lost": len(set(numbers) - served) + len(ended ^ set(chosen)),
        "outage_warnings": warnings.count,
        "outage_blocked": _blocked(blocked),
    }


def measure(
    farm: FarmProcess, filled: dict[str, list[int]], interval: float, outage_seconds: float
) -> dict[str, Any]:
    """Measure everything.

    :param farm: the farm, which runs.
    :param filled: numbers of waiting tasks, by kind.
    :param interval: seconds between two looks at a task.
    :param outage_seconds: how long the farm is down.
    """
    requests = Requests()
    plain = filled["plain"]
    run: Callable[[Any], Any] = asyncio.run
    cases = [("plain", plain[:count], min(interval, SHORT)) for count in (100, 1000) if count < len(plain)]
    cases += [(kind, numbers, interval) for kind, numbers in filled.items()]
    by_count = []
    for kind, numbers, every in cases:
        count = len(numbers)
        with stage(f"{count} {kind} tasks every {every:g} s"):
            shared = run(ours(numbers, every, requests))
        with stage("the same, one request a trigger"):
            alone = run(one_request_each(numbers, every, requests))
        by_count.append(
            {
                "kind": kind,
                "tasks": count,
                "interval": every,
                "ours": shared,
                "one_request_each": alone,
                "times_cpu": alone["cpu_seconds"] * count / alone["requests"] / shared["cpu_seconds"],
            }
        )
    figures: dict[str, Any] = {"by_count": by_count}
    figures |= {f"{case['kind']}_times_cpu": case["times_cpu"] for case in by_count}
    figures["requests_beyond_ceiling"] = max(
        abs(case["ours"]["requests"] - math.ceil(case["tasks"] / 100)) for case in by_count
    )
    with stage("memory"):
        tracemalloc.start()
        kinds = (RenderbusTaskTrigger, Idle)
        for waits_how in kinds:
            run(memory(waits_how, plain[:10], interval))
        waiting, idle = (run(memory(waits_how, plain, interval)) for waits_how in kinds)
        tracemalloc.stop()
    figures["bytes_a_task"] = (waiting - idle) / len(plain)
    with stage("changes and joins"):
        figures |= run(changes(filled["layered"], interval))
    with stage("an outage"):
        figures |= run(outage(farm, plain, interval, outage_seconds, requests))
    figures["blocked_ms"] = max(figures[name]["longest_ms"] for name in ("blocked", "outage_blocked"))
    return figures


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


def _blocked(blocked: loop_watch.Blocked) -> dict[str, Any]:
    return {
        "longest_ms": blocked.longest * 1000,
        "late_ms": blocked.late * 1000,
        "collector_ms": [round(pause * 1000, 1) for pause in sorted(blocked.pauses)[-10:]],
    }
