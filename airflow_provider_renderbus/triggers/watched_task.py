"""A task that somebody watches, and what its watchers are told."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.errors import BadAnswer, UnknownTask
from airflow_provider_renderbus.api.models.tasks import read_task
from airflow_provider_renderbus.api.reading import Unreadable
from airflow_provider_renderbus.triggers.watcher import DeadlinePassed
from airflow_provider_renderbus.waits.patience import LOOKS_WITHOUT_IT

if TYPE_CHECKING:
    from airflow_provider_renderbus.triggers.glance import Glance
    from airflow_provider_renderbus.triggers.watcher import Watcher

log = logging.getLogger(__name__)


class Watched:
    """A task, those who watch it, and what was seen of it last.

    :param number: the task's number.
    :ivar look: the number of the look that was taken in last.
    :ivar missing: how many looks in a row were without it.
    """

    __slots__ = ("_fingerprint", "look", "missing", "number", "watchers")

    def __init__(self, number: int) -> None:
        self.number = number
        self.watchers: list[Watcher] = []
        self.look = 0
        self.missing = 0
        self._fingerprint: Any = None

    def take_in(self, glance: Glance | None) -> bool:
        """Tell the watchers what is news to them, and return whether there was anything to read.

        :param glance: the task as the farm told of it, or None where its answer is short of it.
        """
        if glance is None:
            self.missing += 1
            if self.missing >= LOOKS_WITHOUT_IT:
                self.end(UnknownTask(self.number))
            read = False
        else:
            self.missing = 0
            read = self._read(glance)
        self.end_urgent()
        return read

    def end_urgent(self) -> None:
        """End the waiting of those who wanted one more look: they have had it."""
        for watcher in self.watchers:
            if watcher.urgent:
                watcher.end(DeadlinePassed())

    def end(self, reason: Exception) -> None:
        """End the waiting of all its watchers."""
        for watcher in self.watchers:
            watcher.end(reason)

    def _read(self, glance: Glance) -> bool:
        """Make a model of the task where somebody hears of it; that costs a hundred times a glance."""
        changed = glance.fingerprint != self._fingerprint
        if not changed and not any(watcher.eager for watcher in self.watchers):
            return False
        self._fingerprint = glance.fingerprint
        try:
            task = read_task(glance.item)
        except Unreadable as problem:
            if changed:
                log.warning("%s", BadAnswer("query_task_info", f"task {self.number}: {problem}"))
        else:
            for watcher in self.watchers:
                watcher.hear(task)
        return True
