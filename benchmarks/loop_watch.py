"""How long an event loop was blocked, and how much of that was the garbage collector."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_BEAT = 0.002


@dataclass(slots=True)
class Blocked:
    """Seconds of blocking.

    :param longest: the longest without the collector, by the clock.
    :param computing: the same by what the thread computed meanwhile: other programs do not lengthen it.
    :param pauses: all of the collector's.
    """

    longest: float = 0.0
    computing: float = 0.0
    pauses: list[float] = field(default_factory=list)


@contextlib.asynccontextmanager
async def watched() -> AsyncIterator[Blocked]:
    """Watch the running loop: a task that wants to be woken every 2 ms notes how late it is."""
    blocked = Blocked()
    begun = 0.0

    def collecting(phase: str, _: dict[str, Any]) -> None:
        nonlocal begun
        if phase == "start":
            begun = time.perf_counter()
        else:
            blocked.pauses.append(time.perf_counter() - begun)

    async def beat() -> None:
        while True:
            pauses, start, cpu = len(blocked.pauses), time.perf_counter(), time.thread_time()
            await asyncio.sleep(_BEAT)
            paused = sum(blocked.pauses[pauses:])
            blocked.longest = max(blocked.longest, time.perf_counter() - start - _BEAT - paused)
            blocked.computing = max(blocked.computing, time.thread_time() - cpu - paused)

    gc.callbacks.append(collecting)
    beating = asyncio.ensure_future(beat())
    try:
        yield blocked
    finally:
        beating.cancel()
        gc.callbacks.remove(collecting)
