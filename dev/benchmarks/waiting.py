"""Measures how many renders one triggerer can wait for. See docs/waiting.md.

Real triggers, serialized and rebuilt, wait for tasks of an embedded farm in a process of its own, over
loopback.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import math
import os
import random
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.triggers.tasks import RenderbusTaskTrigger
from dev.benchmarks.event_loop_lag import watch_event_loop
from dev.benchmarks.farm import LAYERED_TASK_JSON, SCENARIO, open_farm, submit_tasks
from dev.benchmarks.figure import Figure
from dev.benchmarks.triggers import IdleTrigger, PerTaskTrigger
from dev.benchmarks.waiting_triggers import (
    TIMEOUT,
    LogCounter,
    RequestCounter,
    run_settled_triggers,
    run_triggers,
)
from dev.harness.embedded_farm import CONNECTION_ID, EmbeddedFarm
from dev.harness.processes import Program, Programs

GOALS: dict[str, tuple[str, float, str]] = {
    "requests_beyond_ceiling": ("requests per interval beyond ceil(N / 100)", 0.0, "at most"),
    "plain_times_cpu": ("ratio of CPU: one request per trigger / ours, plain tasks", 30.0, "at least"),
    "layered_times_cpu": ("ratio of CPU: one request per trigger / ours, two leaves", 10.0, "at least"),
    "lag_ms": ("ms that the event loop was blocked at most, without garbage collection", 20.0, "at most"),
    "bytes_per_task": ("bytes per waiting task, beyond a trigger that does nothing", 4096.0, "at most"),
    "event_p99_s": ("s from change to event beyond the interval, 99th percentile", 1.0, "at most"),
    "join_p99_s": ("s from joining to the first answer, 99th percentile", 1.0, "at most"),
    "outage_failures": (
        "triggers that an outage ended, or that an interval did not poll",
        0.0,
        "at most",
    ),
    "outage_warnings": ("warnings per waiting task in an outage", 1.0, "at most"),
}
# Seconds of an interval at which few tasks are measured.
_SHORT_INTERVAL = 10.0
_SPEED = 0.0001


def measure(count: int = 10_000, interval: float = 60.0, outage: float = 60.0) -> Iterator[Figure]:
    """Measure with this many tasks of each kind, in hundreds; interval and outage in seconds."""
    with tempfile.TemporaryDirectory() as folder, Programs() as programs:
        farm = EmbeddedFarm(Path(folder) / "farm", Path(folder) / "farm.log", SCENARIO)
        with open_farm(farm.storage) as (_, client):
            plain = submit_tasks(client, count)
            layered = submit_tasks(client, count, LAYERED_TASK_JSON)
        program = farm.start(programs, _SPEED)
        os.environ[f"AIRFLOW_CONN_{CONNECTION_ID.upper()}"] = json.dumps(farm.connection)
        logging.getLogger("airflow_provider_renderbus").setLevel(logging.WARNING)
        requests = RequestCounter()
        figures: dict[str, float] = {"requests_beyond_ceiling": 0}
        cases = [("plain", plain[:few], min(interval, _SHORT_INTERVAL)) for few in (100, 1000) if few < count]
        for kind, ids, every in (*cases, ("plain", plain, interval), ("layered", layered, interval)):
            figure, beyond = _cpu(kind, ids, every, requests)
            yield figure
            figures["requests_beyond_ceiling"] = max(beyond, figures["requests_beyond_ceiling"])
            figures[f"{kind}_times_cpu"] = figure.value
        figures["bytes_per_task"] = _bytes_per_task(plain, interval)
        figures |= asyncio.run(_changes(layered, interval))
        lag = figures["lag_ms"]
        figures |= asyncio.run(_outage(farm, programs, program, plain, interval, outage, requests))
        figures["lag_ms"] = max(lag, figures["lag_ms"])
        for key, (name, goal, bound) in GOALS.items():
            yield Figure(name, figures[key], goal, bound)


def _cpu(kind: str, ids: list[int], interval: float, requests: RequestCounter) -> tuple[Figure, int]:
    """Return the ratio of the CPU of an interval, and how far the requests are from ceil(N / 100)."""

    async def measure_interval(triggers: AbstractAsyncContextManager[Any]) -> tuple[int, float]:
        async with triggers:
            before, cpu = requests.count, time.process_time()
            await asyncio.sleep(interval)
            return requests.count - before, time.process_time() - cpu

    count, cpu = asyncio.run(measure_interval(run_settled_triggers(ids, interval)))
    base_count, base_cpu = asyncio.run(measure_interval(run_triggers(PerTaskTrigger, ids, interval)))
    figure = Figure(
        f"ratio of CPU: one request per trigger / ours, {len(ids):,} {kind}, every {interval:g} s",
        # If the machine cannot keep up, fewer requests were sent than there are tasks.
        base_cpu * len(ids) / base_count / cpu,
        detail=f"{cpu:.3f} s for {count} requests; {base_cpu:.2f} s for {base_count}",
    )
    return figure, abs(count - math.ceil(len(ids) / 100))


def _bytes_per_task(ids: list[int], interval: float) -> float:

    async def memory(kind: type[RenderbusTaskTrigger], some: list[int]) -> int:
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        idle = kind is IdleTrigger
        async with run_triggers(kind, some, interval) if idle else run_settled_triggers(some, interval):
            await asyncio.sleep(1 if idle else 0)
            gc.collect()
            return tracemalloc.get_traced_memory()[0] - before

    tracemalloc.start()
    for kind in (RenderbusTaskTrigger, IdleTrigger):
        asyncio.run(memory(kind, ids[:10]))  # what is loaded and cached once does not count
    waiting, idle = (asyncio.run(memory(kind, ids)) for kind in (RenderbusTaskTrigger, IdleTrigger))
    tracemalloc.stop()
    return (waiting - idle) / len(ids)


async def _stop_tasks(ids: list[int]) -> dict[int, float]:
    """Stop tasks on the farm, ten at a time, and return the time of each stop."""
    times: dict[int, float] = {}
    async with await RenderbusHook(CONNECTION_ID).async_client() as client:
        for start in range(0, len(ids), 10):
            some = ids[start : start + 10]
            await client.send(calls.stop_task(some))
            times |= dict.fromkeys(some, time.perf_counter())
            await asyncio.sleep(0.05)
    return times


async def _changes(ids: list[int], interval: float) -> dict[str, float]:
    """Stop a tenth of the tasks; then more triggers join, for tasks that have ended."""
    chosen = random.Random(1).sample(ids, max(100, len(ids) // 10))
    async with run_settled_triggers(ids, interval) as events, watch_event_loop() as lag:
        times = await _stop_tasks(chosen)
        await asyncio.wait([events[task_id] for task_id in chosen], timeout=interval + TIMEOUT)
        delays = [
            events[task_id].result() - times[task_id] if events[task_id].done() else math.inf
            for task_id in chosen
        ]
        start = time.perf_counter()
        async with run_triggers(RenderbusTaskTrigger, chosen[:250], interval) as joined:
            joins = [moment - start for moment in await asyncio.gather(*joined.values())]
    return {
        "event_p99_s": statistics.quantiles(delays, n=100)[98] - interval,
        "join_p99_s": statistics.quantiles(joins, n=100)[98],
        "lag_ms": lag.longest * 1000,
    }


async def _outage(
    farm: EmbeddedFarm,
    programs: Programs,
    program: Program,
    ids: list[int],
    interval: float,
    seconds: float,
    requests: RequestCounter,
) -> dict[str, float]:
    """Kill the farm for some seconds; an interval after its return each task must have been polled."""

    chosen = random.Random(2).sample(ids, max(10, len(ids) // 50))
    async with run_settled_triggers(ids, interval) as events, watch_event_loop() as lag:
        with LogCounter("airflow_provider_renderbus", logging.WARNING) as warnings:
            port = farm.port
            programs.kill(program)
            await asyncio.sleep(seconds)
            await asyncio.to_thread(farm.start, programs, _SPEED, port=port)
            requests.answered.clear()
            back = time.perf_counter()
            times = await _stop_tasks(chosen)
            await asyncio.sleep(max(times.values()) + interval + 1.0 - time.perf_counter())
        ended = {task_id for task_id, event in events.items() if event.done()}
    served = {
        task_id
        for moment, body in requests.answered
        if moment <= back + interval
        for task_id in json.loads(body).get("taskIds", ())
    }
    return {
        "outage_failures": len(set(ids) - served) + len(ended ^ set(chosen)),
        "outage_warnings": warnings.count / len(ids),
        "lag_ms": lag.longest * 1000,
    }
