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


class _Process:
    """The loop of a process. A fork copies the loop but not its thread, and perhaps a lock that is held."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        # Reentrant, because a signal handler can send a request while the main thread is starting the loop.
        self.starting = threading.RLock()


_process = _Process()
os.register_at_fork(after_in_child=_process.__init__)  # type: ignore[misc]  # a new loop and lock


def background_loop() -> asyncio.AbstractEventLoop:
    """Return the loop of this process, started if necessary."""
    with _process.starting:
        if _process.loop is None:
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="renderbus-requests", daemon=True).start()
            _process.loop = loop
        return _process.loop


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
