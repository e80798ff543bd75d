"""An event loop on a thread of its own, on which the blocking client sends its requests.

One loop serves all blocking clients of a process. It starts at the first request.
"""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

# By process id: a fork copies the dictionary, but not the thread.
_loops: dict[int, asyncio.AbstractEventLoop] = {}
# Reentrant, because a signal handler can send a request while the main thread is starting the loop.
_starting = threading.RLock()


def background_loop() -> asyncio.AbstractEventLoop:
    """Return the loop of this process, started if necessary."""
    pid = os.getpid()
    with _starting:
        if pid not in _loops:
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="renderbus-requests", daemon=True).start()
            _loops[pid] = loop
        return _loops[pid]


def run(coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> T:
    """Run a coroutine on the loop, wait for its end, and return its result.

    If the wait is interrupted, e.g. by a signal, the coroutine is cancelled.
    """
    future = asyncio.run_coroutine_threadsafe(coroutine, loop)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise
