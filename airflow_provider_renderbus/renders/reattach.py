"""Remembering the number of a render over the tries of an Airflow task, so that none is paid twice.

Airflow 3.3 keeps a state for each task, over retries and also over a clear. Airflow before it keeps nothing,
so there a marker stands in the artist's name that is given at submit, by which the farm's list finds the
render again; a number that was never submitted costs nothing and need not be found.

``max_tries`` of the Airflow task is remembered beside the number: it grows when a person clears the task and
not by a retry.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_renderbus.clients import flows

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_renderbus.hooks.renderbus import RenderbusHook

_KEY = "renderbus_render"
# The zone of the list's times is not documented, so the search begins early and compares nothing by them.
_MARGIN = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class PreviousRender:
    """A render that an earlier try of the Airflow task began.

    :param number: the task's number on the farm.
    :param cleared: whether a person has cleared the Airflow task since, and a finished render is to be
        rendered anew; one whose frames were never handed on is not, for it was paid for nothing yet.
    """

    render_task_id: int
    rerender: bool


class RenderStore(Protocol):
    """Where the number of a render is kept."""

    def load(self) -> PreviousRender | None:
        """Return the render that an earlier try began, or None where there is none."""

    def save(self, number: int) -> None:
        """Keep the number of the render that this try is about, before anything else is sent."""

    def mark_delivered(self, number: int) -> None:
        """Note that the result of a render has been handed on."""

    def tag_artist(self, artist: str | None) -> str | None:
        """Return what to give as the artist's name at submit."""


def render_store(context: Context, hook: RenderbusHook) -> RenderStore:
    """Return the memory that this version of Airflow has for a task.

    :param context: of the Airflow task.
    :param hook: the farm's hook.
    """
    store: Any = context.get("task_state_store")
    return (
        _ArtistMarkerStore(context, hook)
        if store is None
        else _TaskStateStore(store, context["ti"].max_tries)
    )


def is_first_try_after_clear(context: Context) -> bool:
    """Return whether a try is no retry: the first of all, or the first after a person's clear.

    A clear raises ``max_tries`` above the tries that there were, by the task's retries.

    :param context: of the Airflow task.
    """
    ti = context["ti"]
    return bool(ti.try_number == ti.max_tries - (context["task"].retries or 0) + 1)


class _TaskStateStore:
    """The state that Airflow 3.3 keeps for each task."""

    def __init__(self, store: Any, max_tries: int) -> None:
        self._store = store
        self._max_tries = max_tries

    def load(self) -> PreviousRender | None:
        kept = self._store.get(_KEY)
        if not kept:
            return None
        return PreviousRender(kept["number"], self._max_tries > kept["max_tries"] and kept["handed_on"])

    def save(self, number: int) -> None:
        self._note(number, handed_on=False)

    def mark_delivered(self, number: int) -> None:
        self._note(number, handed_on=True)

    def _note(self, number: int, *, handed_on: bool) -> None:
        self._store.set(_KEY, {"number": number, "max_tries": self._max_tries, "handed_on": handed_on})

    def tag_artist(self, artist: str | None) -> str | None:
        return artist


class _ArtistMarkerStore:
    """A marker behind the artist's name."""

    def __init__(self, context: Context, hook: RenderbusHook) -> None:
        ti = context["ti"]
        names = (ti.dag_id, ti.run_id, ti.task_id, str(ti.map_index))
        self._name = hashlib.sha256("\0".join(names).encode()).hexdigest()[:16]
        # Airflow 2 has no run_after; a run's logical date is never after its start.
        since = getattr(context["dag_run"], "run_after", None) or context["logical_date"]
        self._since = since - _MARGIN
        self._hook = hook
        self._max_tries = ti.max_tries
        # The marker of a render stays as it is, so a retry that follows a clear sees the grown number too.
        self._is_first_since_clear = is_first_try_after_clear(context)

    def load(self) -> PreviousRender | None:
        """Search the farm's list; of several renders, the one that began last counts."""
        marker = re.compile(rf"\[airflow {self._name} (\d+)\]")
        pages = flows.task_pages(start_time=self._since.strftime("%Y-%m-%d %H:%M:%S"))
        found = [
            PreviousRender(task.id, self._max_tries > int(match[1]) and self._is_first_since_clear)
            for page in self._hook.client.iter_pages(pages)
            for task in page.items
            if (match := marker.search(task.producer or ""))
        ]
        return max(found, key=lambda kept: kept.render_task_id, default=None)

    def save(self, number: int) -> None:
        """Keep nothing: the marker goes with the submit."""

    def mark_delivered(self, number: int) -> None:
        """Note nothing: nobody but the farm remembers."""

    def tag_artist(self, artist: str | None) -> str:
        marker = f"[airflow {self._name} {self._max_tries}]"
        return f"{artist} {marker}" if artist else marker
