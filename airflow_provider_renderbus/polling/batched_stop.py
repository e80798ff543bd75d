"""Stops the renders of many triggers in batches, through the poller of their connection."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_renderbus.clients.flows import MAX_CONCURRENCY
from airflow_provider_renderbus.polling.batching import Batcher
from airflow_provider_renderbus.polling.watchers import DeadlineExceeded
from airflow_provider_renderbus.renders.stop import STOP_POLL_INTERVAL, STOP_TIMEOUT, StopRequest

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable, Iterable, Sequence

    from airflow_provider_renderbus.polling.poller import Poller


async def stop_tasks(renderbus_conn_id: str, interval: float, task_ids: Sequence[int]) -> str:
    """Stop tasks until the farm confirms it or the time is over, and return a message on the result."""
    from airflow_provider_renderbus.polling.shared_poller import cached_settings

    request = await _batched_stop((renderbus_conn_id, interval), task_ids)
    settings = cached_settings(renderbus_conn_id)
    return request.result_message(task_ids, settings.console_url if settings else None)


async def _stop_batch(key: tuple[str, float], batch: list[Sequence[int]]) -> StopRequest:
    # Loads the models, which triggers do without while a DAG is parsed.
    from airflow_provider_renderbus.polling.shared_poller import shared_poller

    lease = partial(shared_poller, *key, use_cached_settings=True)
    return await run_stop({task_id: None for task_ids in batch for task_id in task_ids}, lease, time.time)


async def run_stop(
    task_ids: Iterable[int],
    lease: Callable[[float], contextlib.AbstractAsyncContextManager[Poller]],
    clock: Callable[[], float],
) -> StopRequest:
    """Stop tasks until the farm confirms it or the time is over; `lease` lends a poller until a deadline."""
    request = StopRequest(task_ids)
    deadline = clock() + STOP_TIMEOUT
    slots = asyncio.Semaphore(MAX_CONCURRENCY)

    async def stop(page: list[int]) -> None:
        try:
            async with slots, lease(deadline) as poller:
                stop_page = partial(request.stop_page, page)
                await anext(poller.queries.poll(stop_page, STOP_POLL_INTERVAL, deadline))
        except DeadlineExceeded:
            pass
        except Exception as error:  # noqa: BLE001 - see error_tolerance
            request.record_error(error, page)

    while clock() < deadline and (pages := list(request.pages())):
        await asyncio.gather(*map(stop, pages))
        if request.pages():
            await asyncio.sleep(STOP_POLL_INTERVAL)
    return request


_batched_stop: Batcher[tuple[str, float], Sequence[int], StopRequest] = Batcher(_stop_batch)
