"""Time that stands still while anything works and jumps to the next timer, for all of a process.

A worker's code blocks, a triggerer's does not. Both run in one event loop here: what blocks runs in a
greenlet and hands the loop on where it would sleep. So one thread does everything, always in the same order.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import TYPE_CHECKING, Any, Self
from unittest import mock

from airflow_provider_renderbus.clients.async_client import AsyncClient
from airflow_provider_renderbus.clients.client import Client
from airflow_provider_renderbus.clients.clock import Clock
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.polling.poller import Poller
from dev.harness.virtual_time_loop import VirtualTimeLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator

START = 1_767_225_600.0
"""The date at which every world begins, seconds since 1970."""


class _NoThreads:
    """Stands for a pool of threads, and does everything at once and in order."""

    def __init__(self, _: int) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def map(self, work: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        return map(work, items)


def run(main: Callable[[], Coroutine[Any, Any, Any]], sleep: Callable[[float], None], seed: str) -> Any:
    """Run a world to its end and return its result.

    :param main: makes the coroutine of the world.
    :param sleep: what blocking code waits with.
    :param seed: decides all that the product leaves to chance.
    """
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner, _driven(runner.get_loop(), sleep, seed):
        return runner.run(main())


@contextlib.contextmanager
def _driven(loop: asyncio.AbstractEventLoop, sleep: Callable[[float], None], seed: str) -> Iterator[None]:
    """Let all of the process live in a loop's time."""

    def wall() -> float:
        return START + loop.time()

    # The product binds the machine's clock when it is imported.
    bound: list[tuple[Any, dict[str, Any]]] = [
        (Client.__init__, {"clock": wall, "sleep": sleep}),
        (AsyncClient.__init__, {"clock": wall}),
        (Poller.__init__, {"clock": wall}),
    ]
    state = random.getstate()
    with contextlib.ExitStack() as ends:
        for function, given in bound:
            ends.enter_context(mock.patch.dict(function.__kwdefaults__, given))
        clock = Clock(now=wall, monotonic=loop.time, sleep=sleep)
        ends.enter_context(mock.patch.object(RenderbusHook, "clock", clock))
        ends.enter_context(mock.patch("time.time", wall))
        ends.enter_context(mock.patch("time.monotonic", loop.time))
        ends.enter_context(mock.patch("time.sleep", sleep))
        ends.enter_context(
            mock.patch("airflow_provider_renderbus.clients.client.ThreadPoolExecutor", _NoThreads)
        )
        ends.callback(random.setstate, state)
        random.seed(seed)
        yield
