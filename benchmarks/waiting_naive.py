"""What the poller is held against: each trigger asks for its own task, over one shared client."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from airflow_provider_renderbus.api.errors import RenderbusError
from airflow_provider_renderbus.clients import sequences
from airflow_provider_renderbus.triggers.events import judge

if TYPE_CHECKING:
    from airflow_provider_renderbus.clients.asynchronous import AsyncClient
    from airflow_provider_renderbus.triggers.events import Event


async def wait_alone(client: AsyncClient, number: int, interval: float) -> Event:
    """Ask for one task each interval, first at a random moment of one, until it has ended."""
    await asyncio.sleep(random.uniform(0, interval))
    while True:
        try:
            event = judge(await client.run(sequences.task_info(number)))
        except RenderbusError:
            event = None
        if event:
            return event
        await asyncio.sleep(interval)
