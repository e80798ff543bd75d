"""What a render's log says while somebody waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_renderbus.renders.results import describe

if TYPE_CHECKING:
    from airflow_provider_renderbus.api.models.tasks import TaskInfo

_TENTHS = 10


class ProgressLog:
    """Chooses what is worth a line: each change of state and each tenth of the frames, never a poll."""

    __slots__ = ("_told",)

    def __init__(self) -> None:
        self._told: tuple[int, int] | None = None

    def message_if_changed(self, task: TaskInfo) -> str | None:
        """Return a line about a task, or None where nothing of note has happened since the last one."""
        progress = task.progress
        tenth = _TENTHS * progress.done // progress.total if progress.total else 0
        told = (task.status.value, tenth)
        if told == self._told:
            return None
        self._told = told
        return describe(task)
