"""Doing at once what many triggers ask for, e.g. when a DAG run of a thousand renders is killed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar
from weakref import WeakKeyDictionary

from airflow_provider_renderbus.polling import page_schedule as pages

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Key = TypeVar("Key")
Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Key, Item, Result]):
    """Collects what is asked for under a key for half a second, and does it all together.

    Nothing is kept: who asks after that half second begins a new round.

    :param act: does it, given the key and all that was asked for.
    """

    def __init__(self, act: Callable[[Key, list[Item]], Awaitable[Result]]) -> None:
        self._act = act
        self._rounds: WeakKeyDictionary[
            asyncio.AbstractEventLoop, dict[Key, tuple[list[Item], asyncio.Future[Result]]]
        ] = WeakKeyDictionary()

    async def __call__(self, key: Key, item: Item) -> Result:
        """Return the result of the round that an item is part of.

        :param key: what the item is asked for.
        :param item: what is asked for.
        """
        rounds = self._rounds.setdefault(asyncio.get_running_loop(), {})
        if key not in rounds:
            items: list[Item] = []
            rounds[key] = items, asyncio.ensure_future(self._round(rounds, key, items))
        items, round_ = rounds[key]
        items.append(item)
        # One who is cancelled must not take the others' answer.
        return await asyncio.shield(round_)

    async def _round(
        self,
        rounds: dict[Key, tuple[list[Item], asyncio.Future[Result]]],
        key: Key,
        items: list[Item],
    ) -> Result:
        await asyncio.sleep(pages.JOIN_WINDOW)
        del rounds[key]
        return await self._act(key, items)
