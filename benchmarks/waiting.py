"""How many renders one triggerer can wait for: ``python -m benchmarks.waiting [--json FILE]``.

Real triggers, serialized and built anew, wait for tasks of an embedded farm in a process of its own, over
loopback. Prints a table, writes JSON, and ends with status 1 where a goal is missed. What the figures mean is
told in docs/waiting.md.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import logging
import math
import os
import statistics
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.clients.policy import RetryPolicy
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.triggers.tasks import RenderbusTaskTrigger
from benchmarks import loop_watch
from benchmarks.waiting_farm import FarmProcess, fill
from benchmarks.waiting_naive import wait_alone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

CONN_ID = "renderbus_default"
FINISHED = [25]
GOALS: dict[str, tuple[str, float, str]] = {
    "requests_beyond_ceiling": ("requests an interval beyond ceil(N / 100)", 0.0, "at most"),
    "plain_times_cpu": ("times the CPU: one request a trigger / ours, plain tasks", 30.0, "at least"),
    "layered_times_cpu": ("times the CPU: one request a trigger / ours, two leaves", 10.0, "at least"),
    "blocked_ms": ("ms that the loop was blocked at most, beyond the collector", 20.0, "at most"),
    "bytes_a_task": ("bytes a waiting task, beyond a trigger that does nothing", 4096.0, "at most"),
    "event_p99_s": ("s from change to event beyond the interval, 99th percentile", 1.0, "at most"),
    "outage_lost": ("triggers without their event an interval after an outage", 0.0, "at most"),
    "outage_warnings": ("warnings in an outage", 1.0, "at most"),
}


class Idle(RenderbusTaskTrigger):
    """A trigger that does nothing."""

    async def run(self) -> AsyncIterator[Any]:
        await asyncio.get_running_loop().create_future()
        yield None


class Requests:
    """Counts what httpx posts."""

    def __init__(self) -> None:
        self.count = 0
        post = httpx.AsyncClient.post

        async def counted(*arguments: Any, **options: Any) -> httpx.Response:
            self.count += 1
            return await post(*arguments, **options)

        httpx.AsyncClient.post = counted  # type: ignore[method-assign]  # httpx has no hook there


class Warnings(logging.Handler):
    """Counts warnings."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.count = 0

    def emit(self, _: logging.LogRecord) -> None:
        self.count += 1


def trigger(kind: type[RenderbusTaskTrigger], number: int, interval: float) -> RenderbusTaskTrigger:
    """Return a trigger as a triggerer gets it: stored and built anew."""
    made = kind(CONN_ID, [number], FINISHED, None, interval, time.time() + 86_400)
    return kind(**json.loads(json.dumps(made.serialize()[1])))


async def event_of(waiting: RenderbusTaskTrigger) -> float:
    """Run a trigger to its event, and return the moment at which it came."""
    async with contextlib.aclosing(waiting.run()) as events:
        await anext(events)
    return time.perf_counter()


@contextlib.asynccontextmanager
async def running(waits: Sequence[Awaitable[Any]]) -> AsyncIterator[list[asyncio.Future[Any]]]:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def waits(kind: type[RenderbusTaskTrigger], numbers: list[int], interval: float) -> list[Awaitable[float]]:
    return [event_of(trigger(kind, number, interval)) for number in numbers]


async def settled(count: int) -> None:
    """Wait until all have joined and heard."""
    await asyncio.sleep(2 + count / 1000)


async def requests_an_interval(numbers: list[int], interval: float, requests: Requests) -> int:
    async with running(waits(RenderbusTaskTrigger, numbers, interval)):
        await settled(len(numbers))
        before = requests.count
        await asyncio.sleep(interval)
        return requests.count - before


async def shared_figures(numbers: list[int], interval: float, requests: Requests) -> dict[str, float]:
    async with running(waits(RenderbusTaskTrigger, numbers, interval)):
        await settled(len(numbers))
        before, cpu = requests.count, time.process_time()
        await asyncio.sleep(interval)
        count, cpu = requests.count - before, time.process_time() - cpu
        async with loop_watch.watched() as blocked:
            await asyncio.sleep(interval)
    return {
        "requests": count,
        "cpu_seconds": cpu,
        "blocked_ms": blocked.longest * 1000,
        "collector_ms": [round(pause * 1000, 1) for pause in sorted(blocked.pauses)[-10:]],
    }


async def naive_cpu(numbers: list[int], interval: float, requests: Requests) -> dict[str, float]:
    """One request a trigger; where the machine cannot keep up, the CPU of N requests is scaled up."""
    async with (
        await RenderbusHook(CONN_ID).async_client(RetryPolicy(tries=1)) as client,
        running([wait_alone(client, number, interval) for number in numbers]),
    ):
        before, cpu = requests.count, time.process_time()
        await asyncio.sleep(interval)
        count, cpu = requests.count - before, time.process_time() - cpu
    return {"requests": count, "cpu_seconds": cpu * len(numbers) / max(1, count)}


async def memory(kind: type[RenderbusTaskTrigger], numbers: list[int], interval: float) -> int:
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    async with running(waits(kind, numbers, interval)):
        await settled(len(numbers) * 4)
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before


async def stopped(numbers: list[int]) -> dict[int, float]:
    """Stop tasks on the farm, a few at a time; returns when each was."""
    moments = {}
    async with await RenderbusHook(CONN_ID).async_client() as client:
        for start in range(0, len(numbers), 10):
            some = numbers[start : start + 10]
            moments |= dict.fromkeys(some, time.perf_counter())
            await client.send(calls.stop_task(some))
            await asyncio.sleep(0.05)
    return moments


async def latency(numbers: list[int], interval: float) -> float:
    async with running(waits(RenderbusTaskTrigger, numbers, interval)) as tasks:
        await settled(len(numbers))
        chosen = numbers[:: len(numbers) // 1000 or 1]
        moments = await stopped(chosen)
        by_number = dict(zip(numbers, tasks, strict=True))
        late = [await by_number[number] - moments[number] - interval for number in chosen]
    return statistics.quantiles(late, n=100)[98]


async def outage(farm: FarmProcess, numbers: list[int], interval: float, seconds: float) -> dict[str, float]:
    warnings = Warnings()
    logger = logging.getLogger("airflow_provider_renderbus")
    logger.addHandler(warnings)
    try:
        async with running(waits(RenderbusTaskTrigger, numbers, interval)) as tasks:
            await settled(len(numbers))
            farm.stop()
            await asyncio.sleep(seconds)
            await asyncio.to_thread(farm.start)
            back = time.perf_counter()
            chosen = numbers[1 :: len(numbers) // 200 or 1]
            await stopped(chosen)
            await asyncio.sleep(max(0.0, back + 1.02 * interval + 1 - time.perf_counter()))
            by_number = dict(zip(numbers, tasks, strict=True))
            lost = sum(not by_number[number].done() for number in chosen)
            lost += sum(task.done() for task in tasks) - (len(chosen) - lost)
    finally:
        logger.removeHandler(warnings)
    return {"outage_lost": lost, "outage_warnings": warnings.count}


def measure(farm: FarmProcess, filled: dict[str, list[int]], options: argparse.Namespace) -> dict[str, Any]:
    requests = Requests()
    interval, plain = options.interval, filled["plain"]
    run: Callable[[Any], Any] = asyncio.run
    figures: dict[str, Any] = {"by_count": {}}
    for count in (100, 1000):
        short = min(interval, 10.0)
        some = plain[:count]
        figures["by_count"][len(some)] = run(requests_an_interval(some, short, requests))
    for kind, numbers in filled.items():
        ours = run(shared_figures(numbers, interval, requests))
        naive = run(naive_cpu(numbers, interval, requests))
        figures[kind] = {"ours": ours, "one_request_each": naive}
        figures[f"{kind}_times_cpu"] = naive["cpu_seconds"] / ours["cpu_seconds"]
        figures["by_count"][f"{len(numbers)} {kind}"] = ours["requests"]
    figures["requests_beyond_ceiling"] = max(
        abs(asked - math.ceil(int(str(count).split()[0]) / 100))
        for count, asked in figures["by_count"].items()
    )
    figures["blocked_ms"] = max(figures[kind]["ours"]["blocked_ms"] for kind in filled)
    tracemalloc.start()
    few = plain[:1000]
    kinds = (RenderbusTaskTrigger, Idle)
    for kind in kinds:
        run(memory(kind, few[:10], interval))
    ours, idle = (run(memory(kind, few, interval)) for kind in kinds)
    tracemalloc.stop()
    figures["bytes_a_task"] = (ours - idle) / len(few)
    figures |= run(outage(farm, plain, interval, options.outage))
    figures["event_p99_s"] = run(latency(filled["layered"], interval))
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure how many renders one triggerer can wait for.")
    parser.add_argument("--tasks", type=int, default=10_000, help="of each kind (%(default)s)")
    parser.add_argument("--interval", type=float, default=60.0, help="seconds (%(default)s)")
    parser.add_argument("--outage", type=float, default=60.0, help="seconds (%(default)s)")
    parser.add_argument("--json", type=Path, default=Path(".benchmarks/waiting.json"), help="(%(default)s)")
    options = parser.parse_args()
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory() as folder:
        filled = fill(Path(folder) / "farm", options.tasks)
        with FarmProcess(Path(folder) / "farm") as farm:
            os.environ[f"AIRFLOW_CONN_{CONN_ID.upper()}"] = json.dumps(farm.connection)
            figures = measure(farm, filled, options)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps({**vars(options), **figures}, indent=1, default=str) + "\n")
    missed = False
    for name, (what, goal, side) in GOALS.items():
        met = figures[name] <= goal if side == "at most" else figures[name] >= goal
        missed |= not met
        print(f"{what:62} {figures[name]:10.2f}  {side} {goal:<8g} {'' if met else 'MISSED'}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
