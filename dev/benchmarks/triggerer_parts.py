"""Triggers for dev.benchmarks.triggerer, which run inside of a real triggerer."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.clients.retry import RequestRetryPolicy
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.triggers.tasks import RenderbusTaskTrigger
from dev.benchmarks import event_loop_lag as loop_watch
from dev.benchmarks.baseline import Alone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# The one that all share: a triggerer has one event loop.
_ALONE: list[asyncio.Task[Alone]] = []


class AloneTrigger(RenderbusTaskTrigger):
    """Waits for one task with requests of its own, over a client that all share."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        if not _ALONE:
            _ALONE.append(asyncio.ensure_future(_alone(self.renderbus_conn_id)))
        alone = await asyncio.shield(_ALONE[0])
        (number,) = self.render_task_ids
        event = await alone.wait(number, self.poll_interval, tuple(map(TaskStatus, self.target_states)))
        yield TriggerEvent(dataclasses.replace(event, result=[event.result]).to_dict())


async def _alone(renderbus_conn_id: str) -> Alone:
    return Alone(await RenderbusHook(renderbus_conn_id).async_client(RequestRetryPolicy(max_attempts=1)))


class LoopTrigger(BaseTrigger):
    """Writes each second to a file how long the triggerer's loop was blocked in that second.

    :param path: of the file, to which lines of JSON are added.
    """

    def __init__(self, path: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow leaves it untyped
        self.path = path

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{type(self).__module__}.{type(self).__qualname__}", {"path": self.path}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        while True:
            async with loop_watch.watched() as blocked:
                await asyncio.sleep(1)
            figures = {
                "pid": os.getpid(),
                "blocked_ms": blocked.longest * 1000,
                "late_ms": blocked.late * 1000,
                "collector_ms": max(blocked.pauses, default=0.0) * 1000,
            }
            await asyncio.to_thread(self._write, json.dumps(figures))
        yield TriggerEvent({})

    def _write(self, line: str) -> None:
        with Path(self.path).open("a") as file:
            file.write(line + "\n")
