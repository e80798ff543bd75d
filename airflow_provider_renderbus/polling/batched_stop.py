"""Stopping renders through the poller of a connection, for many triggers at once."""

from __future__ import annotations

import asyncio
import contextlib
import time
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_renderbus.api.errors import RenderbusError
from airflow_provider_renderbus.polling.batching import Batcher
from airflow_provider_renderbus.polling.watchers import DeadlineExceeded
from airflow_provider_renderbus.renders.stop import PAUSE, STOP_WITHIN, Stopping

if TYPE_CHECKING:
    from collections.abc import Sequence


async def stop_tasks(renderbus_conn_id: str, interval: float, task_ids: Sequence[int]) -> str:
    """Stop tasks through the poller of a connection, until the farm confirms it or the time is over.

    :param renderbus_conn_id: id of the connection.
    :param interval: seconds between two looks of that poller.
    :param task_ids: the tasks' numbers.
    :return: what has become of them, for a message.
    """
    stopping = await _stop_together((renderbus_conn_id, interval), task_ids)
    return stopping.told(task_ids)


async def _stop_all(where: tuple[str, float], asked: list[Sequence[int]]) -> Stopping:
    from airflow_provider_renderbus.polling.shared_poller import shared_poller

    stopping = Stopping({number: None for numbers in asked for number in numbers})
    deadline = time.time() + STOP_WITHIN
    with contextlib.suppress(DeadlineExceeded):
        while time.time() < deadline and (pages := list(stopping.pages())):
            for page in pages:
                try:
                    async with shared_poller(*where, deadline, use_cached_settings=True) as poller:
                        await anext(poller.queries.poll(partial(stopping.round, page), PAUSE, deadline))
                except (RenderbusError, ValueError) as problem:
                    stopping.bear(problem, page)
            if stopping.pages():
                await asyncio.sleep(PAUSE)
    return stopping


_stop_together: Batcher[tuple[str, float], Sequence[int], Stopping] = Batcher(_stop_all)
