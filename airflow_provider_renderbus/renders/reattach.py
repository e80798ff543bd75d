"""Finds the render of an earlier try of the Airflow task, so that none is paid twice.

Airflow 3.3 stores a state for each task, which survives retries and clears. Older versions store nothing.
There, a marker is appended to the artist's name at submit, and the farm's list of tasks is searched for it. A
task that was never submitted is not in that list, but has cost nothing either.

``max_tries`` of the Airflow task is stored with the id: a clear by a user raises it, a retry does not.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.clients import flows

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from airflow_provider_renderbus.renders.client import RenderClient

_KEY = "renderbus_render"
# The time zone of the list is not documented: the search starts early, and compares no times.
_SEARCH_MARGIN = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class PreviousRender:
    """The render of an earlier try.

    :param render_task_id: its id.
    :param rerender: whether a user has cleared the Airflow task since, so that a finished render is rendered
        again. Not if its result was never delivered: then its frames were paid for nothing.
    """

    render_task_id: int
    rerender: bool


class RenderStore:
    """Where the id of an Airflow task's render is stored."""

    def load(self) -> PreviousRender | None:
        """Return the render of an earlier try, or None if there is none."""
        raise NotImplementedError

    def save(self, render_task_id: int) -> None:
        """Store the id of this try's render, before anything else is sent."""

    def mark_delivered(self, render_task_id: int) -> None:
        """Note that the result of a render was delivered."""

    def tag_artist(self, artist: str | None) -> str | None:
        """Return the artist's name to submit with."""
        return artist


class TaskStateStore(RenderStore):
    """Stores the id in the task state store of Airflow 3.3."""

    def __init__(self, store: Any, max_tries: int) -> None:
        self._store = store
        self._max_tries = max_tries

    def load(self) -> PreviousRender | None:
        """Read the store."""
        stored = self._store.get(_KEY)
        if not stored:
            return None
        rerender = self._max_tries > stored["max_tries"] and stored["delivered"]
        return PreviousRender(stored["render_task_id"], rerender)

    def save(self, render_task_id: int) -> None:
        """Write the store; nothing is delivered yet."""
        self._set(render_task_id, delivered=False)

    def mark_delivered(self, render_task_id: int) -> None:
        """Write the store."""
        self._set(render_task_id, delivered=True)

    def _set(self, render_task_id: int, *, delivered: bool) -> None:
        value = {"render_task_id": render_task_id, "max_tries": self._max_tries, "delivered": delivered}
        self._store.set(_KEY, value)


class ArtistMarkerStore(RenderStore):
    """Finds the id by a marker in the artist's name. Only the farm stores anything.

    :param key: what identifies the Airflow task instance over all tries.
    :param since: no render of the key was submitted before this time.
    :param is_first_try_after_clear: whether this try is no retry. The marker of a render does not change, so
        a retry that follows a clear sees the raised `max_tries` too.
    """

    def __init__(
        self,
        client: RenderClient,
        key: Iterable[str],
        max_tries: int,
        since: datetime,
        *,
        is_first_try_after_clear: bool,
    ) -> None:
        self._client = client
        self._key = hashlib.sha256("\0".join(key).encode()).hexdigest()[:16]
        self._max_tries = max_tries
        self._since = since - _SEARCH_MARGIN
        self._is_first_try_after_clear = is_first_try_after_clear

    def load(self) -> PreviousRender | None:
        """Search the farm's list; of several renders, return the newest."""
        marker = re.compile(rf"\[airflow {self._key} (\d+)\]")
        pages = flows.task_pages(start_time=self._since.strftime("%Y-%m-%d %H:%M:%S"))
        found = [
            PreviousRender(task.id, self._max_tries > int(match[1]) and self._is_first_try_after_clear)
            for page in self._client.iter_pages(pages)
            for task in page.items
            if (match := marker.search(task.producer or ""))
        ]
        return max(found, key=lambda render: render.render_task_id, default=None)

    def tag_artist(self, artist: str | None) -> str:
        """Append the marker."""
        marker = f"[airflow {self._key} {self._max_tries}]"
        return f"{artist} {marker}" if artist else marker
