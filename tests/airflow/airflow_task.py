"""Tries, retries and clears of one Airflow task that renders."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_renderbus.compat import TaskDeferred
from airflow_provider_renderbus.operators.render import RenderbusRenderOperator
from tests.airflow.context import StateStore, TaskInstance, context
from tests.scenes import make_task_json


class AirflowTask:
    """Runs tries of one Airflow task, with or without a task state store."""

    def __init__(self, farm, has_store):
        self.farm = farm
        self.store = StateStore() if has_store else None
        self.max_tries = 2
        self.try_number = 0
        self.values: dict[str, Any] = {}

    def context(self):
        self.try_number += 1
        ti = TaskInstance(self.try_number)
        ti.map_index = 3
        ti.max_tries = self.max_tries
        values = {**context(), "ti": ti, **self.values}
        return values if self.store is None else {**values, "task_state_store": self.store}

    def operator(self, **options):
        arguments = {"task_json": make_task_json(), "artist": "Ada", **options}
        return RenderbusRenderOperator(task_id="render", poll_interval=60, retries=2, **arguments)

    def try_once(self, **options):
        return self.operator(**options).execute(self.context())

    def clear(self):
        """Clear the task as Airflow does: max_tries becomes the number of tries so far plus the retries."""
        self.max_tries = self.try_number + 2


def start_render(airflow_task, **options):
    """Start a render and lose the worker while it waits; returns the render task id."""
    with pytest.raises(TaskDeferred) as deferred:
        airflow_task.try_once(deferrable=True, **options)
    (render_task_id,) = deferred.value.trigger.render_task_ids
    return render_task_id
