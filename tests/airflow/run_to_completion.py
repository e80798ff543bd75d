"""Runs an Airflow task to its end as Airflow does: deferrals are run as triggers, the farm's time goes on."""

from __future__ import annotations

import asyncio
import pkgutil
from typing import Any

from airflow.providers.common.compat.sdk import TaskDeferred
from airflow.serialization.serialized_objects import BaseSerialization

# Farm seconds that pass between two looks.
STEP = 20.0


class WholeTask:
    """One Airflow task on a farm whose time is driven by hand.

    :param farm: the farm.
    :param make: makes the operator, anew for each time that Airflow would.
    """

    def __init__(self, farm: Any, make: Any) -> None:
        self._farm = farm
        self._make = make
        self.deferrals: list[str] = []

    def run(self, context: Any) -> Any:
        """Return what the task returns."""
        operator, arguments = self._make(), None
        method = operator.execute
        while True:
            try:
                return method(context, **(arguments or {}))
            except TaskDeferred as left:
                self.deferrals.append(left.method_name)
                event = asyncio.run(self._event(left.trigger))
                method = getattr(self._make(), left.method_name)
                arguments = {"event": event, **(left.kwargs or {})}

    async def _event(self, trigger: Any) -> Any:
        path, arguments = trigger.serialize()
        stored = BaseSerialization.deserialize(BaseSerialization.serialize(arguments))
        events = aiter(pkgutil.resolve_name(path)(**stored).run())
        waiting = asyncio.ensure_future(anext(events))
        while not waiting.done():
            await asyncio.to_thread(self._farm.advance, STEP)
            await asyncio.wait([waiting], timeout=0.02)
        return waiting.result().payload
