"""The name that answers give a task beside its number."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_renderbus.farm.simulation.tasks import Task


def alias(task: Task) -> str:
    """Return a task's alias: its platform and its number."""
    return f"{task.platform}W{task.id}"
