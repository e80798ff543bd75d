"""Chooses which polls of a render are logged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_renderbus.renders.results import describe

if TYPE_CHECKING:
    from airflow_provider_renderbus.api.models.tasks import TaskInfo


class ProgressLog:
    """Logs a render at each change of its state and after each tenth of its frames, never at every poll."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: tuple[int, int] | None = None

    def message_if_changed(self, task: TaskInfo) -> str | None:
        """Return a line on a render, or None if nothing of note has changed since the last line."""
        progress = task.progress
        tenths = 10 * progress.done // progress.total if progress.total else 0
        current = (task.status.value, tenths)
        if current == self._last:
            return None
        self._last = current
        return describe(task)
