"""Batches requests of many triggers, e.g. when a DAG run of a thousand renders is killed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar
from weakref import WeakKeyDictionary

from airflow_provider_renderbus.polling import page_schedule

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Key = TypeVar("Key")
Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Key, Item, Result]):
    """Collects the items of a key for half a second and handles them in one batch. Results are not cached.

    The result of `handle_batch` is the result of each item.
    """

    def __init__(self, handle_batch: Callable[[Key, list[Item]], Awaitable[Result]]) -> None:
        self._handle_batch = handle_batch
        self._open_batches: WeakKeyDictionary[
            asyncio.AbstractEventLoop, dict[Key, tuple[list[Item], asyncio.Future[Result]]]
        ] = WeakKeyDictionary()

    async def __call__(self, key: Key, item: Item) -> Result:
        """Add an item to the batch of its key and return the result of that batch."""
        open_batches = self._open_batches.setdefault(asyncio.get_running_loop(), {})
        if key not in open_batches:

            async def run_batch() -> Result:
                await asyncio.sleep(page_schedule.JOIN_WINDOW)
                items, _ = open_batches.pop(key)
                return await self._handle_batch(key, items)

            open_batches[key] = [], asyncio.ensure_future(run_batch())
        items, result = open_batches[key]
        items.append(item)
        # A caller that is cancelled must not cancel the batch of the others.
        return await asyncio.shield(result)
