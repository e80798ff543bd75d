"""How long an event loop was blocked, and how much of that was the garbage collector."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

_BEAT = 0.002
# Linux tells there how long a thread was ready to run and had no core.
_SCHEDULED = Path("/proc/thread-self/schedstat")


@dataclass(slots=True)
class Blocked:
    """Seconds of blocking.

    :param longest: the longest, without the collector and without waiting for a core that others had.
    :param late: the longest by the clock, without the collector.
    :param pauses: what the collector computed, each time.
    """

    longest: float = 0.0
    late: float = 0.0
    pauses: list[float] = field(default_factory=list)


@contextlib.asynccontextmanager
async def watched() -> AsyncIterator[Blocked]:
    """Watch the running loop: a task that wants to be woken every 2 ms notes how late it is."""
    blocked = Blocked()
    begun = 0.0

    def collecting(phase: str, _: dict[str, Any]) -> None:
        nonlocal begun
        if phase == "start":
            begun = time.thread_time()
        else:
            blocked.pauses.append(time.thread_time() - begun)

    async def beat() -> None:
        with _waiting_for_a_core() as waited:
            while True:
                pauses, start, ready = len(blocked.pauses), time.perf_counter(), waited()
                await asyncio.sleep(_BEAT)
                late = time.perf_counter() - start - _BEAT - sum(blocked.pauses[pauses:])
                blocked.late = max(blocked.late, late)
                blocked.longest = max(blocked.longest, late - (waited() - ready))

    gc.callbacks.append(collecting)
    beating = asyncio.ensure_future(beat())
    try:
        yield blocked
    finally:
        beating.cancel()
        gc.callbacks.remove(collecting)


@contextlib.contextmanager
def _waiting_for_a_core() -> Iterator[Callable[[], float]]:
    """Yield what tells for how many seconds this thread has waited for a core; 0 where that is unknown."""
    if not _SCHEDULED.exists():
        yield lambda: 0.0
        return
    file = os.open(_SCHEDULED, os.O_RDONLY)
    try:
        yield lambda: int(os.pread(file, 100, 0).split()[1]) / 1e9
    finally:
        os.close(file)
