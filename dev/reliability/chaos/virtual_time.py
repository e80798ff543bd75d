"""Runs a whole process in virtual time: time stands still while code runs and jumps to the next timer.

A worker's code blocks, a triggerer's does not. Both run in one event loop here: blocking code runs in a
greenlet and yields to the loop when it would sleep. So one thread does everything, always in the same order.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Coroutine, Iterator
from types import SimpleNamespace
from typing import Any
from unittest import mock

from airflow_provider_renderbus.clients.async_client import AsyncClient
from airflow_provider_renderbus.clients.client import Client
from airflow_provider_renderbus.clients.clock import Clock
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.polling.poller import Poller
from dev.harness.virtual_time_loop import VirtualTimeLoop

START = 1_767_225_600.0
"""The time at which every simulation begins, seconds since 1970."""


# Replaces a pool of threads, and does everything at once and in order.
_no_threads = contextlib.nullcontext(SimpleNamespace(map=map))


def run(main: Callable[[], Coroutine[Any, Any, None]], sleep: Callable[[float], None], seed: str) -> None:
    """Run a simulation to its end.

    :param sleep: waits in blocking code.
    :param seed: decides what the product leaves to chance.
    """
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner, _patch(runner.get_loop(), sleep, seed):
        runner.run(main())


@contextlib.contextmanager
def _patch(loop: asyncio.AbstractEventLoop, sleep: Callable[[float], None], seed: str) -> Iterator[None]:
    def now() -> float:
        return START + loop.time()

    # The product binds the machine's clock when it is imported.
    defaults: list[tuple[Any, dict[str, Any]]] = [
        (Client.__init__, {"clock": now, "sleep": sleep}),
        (AsyncClient.__init__, {"clock": now}),
        (Poller.__init__, {"clock": now}),
    ]
    clock = Clock(now=now, monotonic=loop.time, sleep=sleep)
    state = random.getstate()
    with (
        contextlib.ExitStack() as stack,
        mock.patch.object(RenderbusHook, "clock", clock),
        mock.patch("time.time", now),
        mock.patch("time.monotonic", loop.time),
        mock.patch("time.sleep", sleep),
        mock.patch("airflow_provider_renderbus.clients.client.ThreadPoolExecutor", return_value=_no_threads),
    ):
        for function, arguments in defaults:
            stack.enter_context(mock.patch.dict(function.__kwdefaults__, arguments))
        stack.callback(random.setstate, state)
        random.seed(seed)
        yield
