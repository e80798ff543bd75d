"""Coroutines that a cancellation of their caller does not interrupt."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine

T = TypeVar("T")

# An event loop keeps only weak references to its tasks.
_background_tasks: set[asyncio.Future[Any]] = set()


def spawn(coroutine: Coroutine[Any, Any, T]) -> asyncio.Future[T]:
    """Run a coroutine in a task of its own, to its end."""
    task = asyncio.ensure_future(coroutine)
    _background_tasks.add(task)
    task.add_done_callback(_background_tasks.discard)
    return task


async def run_shielded(coroutine: Coroutine[Any, Any, T]) -> T:
    """Await a coroutine, which runs to its end in the background if the caller is cancelled.

    Used for requests to Airflow: in Airflow 3.0 an answer that nobody reads ends the whole triggerer.
    """
    return await asyncio.shield(spawn(coroutine))


async def finish_despite_cancellation(awaitable: Awaitable[None]) -> None:
    """Await a coroutine or a task to its end, however often the caller is cancelled.

    Airflow 3 cancels a trigger again every second until it has ended.
    """
    task = asyncio.ensure_future(awaitable)
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(task)
