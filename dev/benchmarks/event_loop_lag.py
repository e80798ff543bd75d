"""Measures how long an event loop is blocked, and how much of that is the garbage collector."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_INTERVAL = 0.002
# Linux reports here how long a thread was ready to run and had no core.
_SCHEDSTAT = Path("/proc/thread-self/schedstat")


@dataclass(slots=True)
class EventLoopLag:
    """Seconds of blocking.

    :param longest: the longest, without the collector and without waiting for a core that others had.
    :param pauses: what the collector computed, each time.
    """

    longest: float = 0.0
    pauses: list[float] = field(default_factory=list)


@contextlib.asynccontextmanager
async def watch_event_loop() -> AsyncIterator[EventLoopLag]:
    """Watch the running loop: a task that is to be woken every 2 ms measures how late it is."""
    lag = EventLoopLag()
    collection_start = 0.0

    def on_collection(phase: str, _: dict[str, Any]) -> None:
        nonlocal collection_start
        if phase == "start":
            collection_start = time.thread_time()
        else:
            lag.pauses.append(time.thread_time() - collection_start)

    async def measure() -> None:
        with _seconds_without_core() as without_core:
            while True:
                pauses, start, before = len(lag.pauses), time.perf_counter(), without_core()
                await asyncio.sleep(_INTERVAL)
                late = time.perf_counter() - start - _INTERVAL - sum(lag.pauses[pauses:])
                lag.longest = max(lag.longest, late - (without_core() - before))

    gc.callbacks.append(on_collection)
    measuring = asyncio.ensure_future(measure())
    try:
        yield lag
    finally:
        measuring.cancel()
        gc.callbacks.remove(on_collection)


@contextlib.contextmanager
def _seconds_without_core() -> Iterator[Callable[[], float]]:
    """Yield a function that returns the seconds that this thread has waited for a core."""
    file = os.open(_SCHEDSTAT, os.O_RDONLY)
    try:
        yield lambda: int(os.pread(file, 100, 0).split()[1]) / 1e9
    finally:
        os.close(file)
