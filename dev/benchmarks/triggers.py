"""Triggers to compare with, and one that watches a triggerer's event loop from within."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_renderbus.api.errors import RenderbusError
from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.clients.async_client import AsyncClient
from airflow_provider_renderbus.clients.retry import RequestRetryPolicy
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.renders.results import combine, evaluate_task
from airflow_provider_renderbus.triggers.tasks import RenderbusTaskTrigger
from dev.benchmarks.event_loop_lag import watch_event_loop


class IdleTrigger(RenderbusTaskTrigger):
    """Does nothing."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        await asyncio.get_running_loop().create_future()
        yield TriggerEvent({})


class PerTaskTrigger(RenderbusTaskTrigger):
    """Polls its one task with requests of its own, over a client that all share. The baseline."""

    # By event loop. The semaphore has as many slots as httpx has connections. A request that waits for one
    # inside httpx costs the more the more of them wait: 10,000 tasks every 20 s would never complete.
    _shared: ClassVar[dict[Any, tuple[asyncio.Task[AsyncClient], asyncio.Semaphore]]] = {}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        loop = asyncio.get_running_loop()
        if loop not in self._shared:
            hook = RenderbusHook(self.renderbus_conn_id)
            client_task = loop.create_task(hook.async_client(RequestRetryPolicy(max_attempts=1)))
            self._shared[loop] = client_task, asyncio.Semaphore(100)
        client_task, slots = self._shared[loop]
        client = await asyncio.shield(client_task)
        (task_id,) = self.render_task_ids
        await asyncio.sleep(random.uniform(0, self.poll_interval))
        while True:
            try:
                async with slots:
                    task = await client.run(flows.get_task(task_id))
                event = evaluate_task(task, tuple(map(TaskStatus, self.target_states)))
            except RenderbusError:
                event = None
            if event:
                yield TriggerEvent(combine([event]).to_dict())
                return
            await asyncio.sleep(self.poll_interval)


class LagTrigger(BaseTrigger):
    """Writes each second to a file how long the triggerer's event loop was blocked in that second."""

    def __init__(self, path: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow leaves it untyped
        self.path = path

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{type(self).__module__}.{type(self).__qualname__}", {"path": self.path}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        while Path(self.path).parent.exists():
            async with watch_event_loop() as lag:
                await asyncio.sleep(1)
            figures = {
                "pid": os.getpid(),
                "lag_ms": lag.longest * 1000,
                "collector_ms": max(lag.pauses, default=0.0) * 1000,
            }
            await asyncio.to_thread(self._write, json.dumps(figures))
        yield TriggerEvent({})

    def _write(self, line: str) -> None:
        with Path(self.path).open("a") as file:
            file.write(line + "\n")
