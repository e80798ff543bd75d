"""Work that a cancellation must not cut short."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

# An event loop itself keeps no task from being collected.
_UNDER_WAY: set[asyncio.Future[Any]] = set()


async def run_shielded(work: Coroutine[Any, Any, T]) -> T:
    """Wait for a work that goes on to its end by itself where the one who waits is cancelled.

    It is for questions to Airflow: in 3.0 an answer that nobody fetches brings the whole triggerer down.
    """
    doing = asyncio.ensure_future(work)
    _UNDER_WAY.add(doing)
    doing.add_done_callback(_UNDER_WAY.discard)
    return await asyncio.shield(doing)


async def finish_despite_cancellation(work: Coroutine[Any, Any, None]) -> None:
    """Wait for a work to its end, however often the one who waits is cancelled.

    Airflow goes on to cancel a trigger every second until it has gone.
    """
    doing = asyncio.ensure_future(work)
    while not doing.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(doing)
