"""Runs an Airflow task to completion: runs the triggers of its deferrals and advances the farm's clock."""

from __future__ import annotations

import asyncio
import pkgutil
from typing import Any

from airflow.serialization.serialized_objects import BaseSerialization

from airflow_provider_renderbus.compat import TaskDeferred
from tests.airflow.trigger_events import first_event

# Farm seconds between two polls.
STEP = 20.0


def run_to_completion(farm: Any, make_operator: Any, context: Any) -> Any:
    """Run an Airflow task on a farm with a manual clock, and return its result.

    :param farm: the farm.
    :param make_operator: creates the operator, again for each resumption, as Airflow does.
    :param context: the task context.
    """
    method, arguments = make_operator().execute, {}
    while True:
        try:
            return method(context, **arguments)
        except TaskDeferred as deferral:
            event = asyncio.run(_run_trigger(farm, deferral.trigger))
            method = getattr(make_operator(), deferral.method_name)
            arguments = {"event": event, **(deferral.kwargs or {})}


async def _run_trigger(farm: Any, trigger: Any) -> Any:
    path, arguments = trigger.serialize()
    stored = BaseSerialization.deserialize(BaseSerialization.serialize(arguments))
    event = asyncio.ensure_future(first_event(pkgutil.resolve_name(path)(**stored)))
    while not event.done():
        await asyncio.to_thread(farm.advance, STEP)
        await asyncio.wait([event], timeout=0.02)
    return event.result().payload
