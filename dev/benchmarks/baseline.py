"""What the poller is held against: each trigger asks for its own task, over one shared client."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from airflow_provider_renderbus.api.errors import RenderbusError
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.renders.results import FINISHED, evaluate_task

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow_provider_renderbus.api.states import TaskStatus
    from airflow_provider_renderbus.clients.async_client import AsyncClient
    from airflow_provider_renderbus.renders.results import WaitResult


class Alone:
    """Waits for tasks with one request each.

    :param client: the farm's client, which all share.
    """

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        # As many as httpx has connections for. Those that wait for one inside of it cost the more the more
        # they are: without this, 10,000 tasks every 20 s never get to an end.
        self._free = asyncio.Semaphore(100)

    async def wait(
        self, number: int, interval: float, wanted: Collection[TaskStatus] = FINISHED
    ) -> WaitResult:
        """Ask for a task each interval, first at a random moment of one, until it has ended."""
        await asyncio.sleep(random.uniform(0, interval))
        while True:
            try:
                async with self._free:
                    event = evaluate_task(await self._client.run(flows.get_task(number)), wanted)
            except RenderbusError:
                event = None
            if event:
                return event
            await asyncio.sleep(interval)
