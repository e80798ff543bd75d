"""Stopping renders through the poller of a connection, for many triggers at once."""

from __future__ import annotations

import asyncio
import contextlib
import time
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_renderbus.api.errors import RenderbusError
from airflow_provider_renderbus.polling.batching import Gathering
from airflow_provider_renderbus.polling.watchers import DeadlinePassed
from airflow_provider_renderbus.renders.stop import PAUSE, STOP_WITHIN, Stopping

if TYPE_CHECKING:
    from collections.abc import Sequence


async def stop(renderbus_conn_id: str, interval: float, numbers: Sequence[int]) -> str:
    """Stop tasks through the poller of a connection, until the farm confirms it or the time is over.

    :param renderbus_conn_id: id of the connection.
    :param interval: seconds between two looks of that poller.
    :param numbers: the tasks' numbers.
    :return: what has become of them, for a message.
    """
    stopping = await _stop_together((renderbus_conn_id, interval), numbers)
    return stopping.told(numbers)


async def _stop_all(where: tuple[str, float], asked: list[Sequence[int]]) -> Stopping:
    from airflow_provider_renderbus.polling.shared_poller import poller_of

    stopping = Stopping({number: None for numbers in asked for number in numbers})
    deadline = time.time() + STOP_WITHIN
    with contextlib.suppress(DeadlinePassed):
        while time.time() < deadline and (pages := list(stopping.pages())):
            for page in pages:
                try:
                    async with poller_of(*where, deadline, in_haste=True) as poller:
                        await anext(poller.rounds.repeat(partial(stopping.round, page), PAUSE, deadline))
                except (RenderbusError, ValueError) as problem:
                    stopping.bear(problem, page)
            if stopping.pages():
                await asyncio.sleep(PAUSE)
    return stopping


_stop_together: Gathering[tuple[str, float], Sequence[int], Stopping] = Gathering(_stop_all)
