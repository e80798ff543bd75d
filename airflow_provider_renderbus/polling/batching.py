"""Batches requests of many triggers, e.g. when a DAG run of a thousand renders is killed."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Generic, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

JOIN_WINDOW = 0.5
"""Seconds for which items are collected, so that they share requests and are answered within a second."""

Key = TypeVar("Key")
Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Key, Item, Result]):
    """Collects the items of a key for half a second and handles them in one batch. Results are not cached.

    The result of `handle_batch` is the result of each item.

    :param one_at_a_time: whether a batch also collects items until the batch of its key before has ended.
    """

    def __init__(
        self, handle_batch: Callable[[Key, list[Item]], Awaitable[Result]], *, one_at_a_time: bool = False
    ) -> None:
        self._handle_batch = handle_batch
        self._one_at_a_time = one_at_a_time
        self._locks: WeakValueDictionary[tuple[asyncio.AbstractEventLoop, Key], asyncio.Lock] = (
            WeakValueDictionary()
        )
        self._open_batches: WeakKeyDictionary[
            asyncio.AbstractEventLoop, dict[Key, tuple[list[Item], asyncio.Future[Result]]]
        ] = WeakKeyDictionary()

    async def __call__(self, key: Key, item: Item) -> Result:
        """Add an item to the batch of its key and return the result of that batch."""
        open_batches = self._open_batches.setdefault(asyncio.get_running_loop(), {})
        if key not in open_batches:

            async def run_batch() -> Result:
                await asyncio.sleep(JOIN_WINDOW)
                async with self._turn(key):
                    items, _ = open_batches.pop(key)
                    return await self._handle_batch(key, items)

            open_batches[key] = [], asyncio.ensure_future(run_batch())
        items, result = open_batches[key]
        items.append(item)
        # A caller that is cancelled must not cancel the batch of the others.
        return await asyncio.shield(result)

    def _turn(self, key: Key) -> contextlib.AbstractAsyncContextManager[None]:
        if not self._one_at_a_time:
            return contextlib.nullcontext()
        return self._locks.setdefault((asyncio.get_running_loop(), key), asyncio.Lock())
