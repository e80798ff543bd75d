"""Finds the render of an earlier try of the Airflow task, and decides whether it is rendered for this try.

The id of a render and the fingerprint of its job are stored before anything else is sent: in Airflow's task
state store (3.3), where they never expire. They also go into a marker behind the artist's name, which is
submitted with the render. If the store is empty, or Airflow has none, the farm's list is searched for the
marker. A task that was never submitted is not in that list, but has cost nothing either.

``max_tries`` of the Airflow task is stored with the id: a clear by a user raises it, a retry does not.
"""

from __future__ import annotations

import enum
import hashlib
import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from airflow_provider_renderbus.api.validation import excerpt, parse_task_id
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.renders.fingerprint import JobFingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from airflow_provider_renderbus.renders.client import RenderClient

log = logging.getLogger(__name__)

_KEY = "renderbus_render"
MARKER_START = "[airflow "
"""How the marker behind an artist's name begins."""
_TASK_KEY = re.compile(r"\[airflow [^\]]*\]\[task ([0-9a-f]{12})\]")

OnJobChange: TypeAlias = Literal["fail", "rerender", "reattach"]


@dataclass(frozen=True, slots=True)
class PreviousRender:
    """The render of an earlier try.

    :param render_task_id: its id.
    :param is_cleared: whether a user has cleared the Airflow task since.
    :param is_delivered: whether its result was returned; None if that is not known.
    :param fingerprint: of its job, or None if that is not known.
    """

    render_task_id: int
    is_cleared: bool
    is_delivered: bool | None
    fingerprint: JobFingerprint | None


class Decision(enum.Enum):
    """What a later try does with the submitted render of an earlier one."""

    REATTACH = "reattaches"
    RERENDER = "stops what runs, renders again"
    FAIL = "fails without retries"


def decide(
    previous: PreviousRender,
    job: JobFingerprint | None,
    *,
    has_succeeded: bool,
    on_job_change: OnJobChange = "fail",
) -> Decision:
    """Decide whether the render of an earlier try is the one that this try asks for.

    :param previous: the render.
    :param job: what this try asks for; None if that cannot be read, which counts as the same job.
    :param has_succeeded: whether the render has succeeded; then it counts as delivered if that is not known.
    :param on_job_change: what to do if it is another job.
    """
    if is_other_job(previous, job) and on_job_change != "reattach":
        can_rerender = previous.is_cleared or on_job_change == "rerender"
        return Decision.RERENDER if can_rerender else Decision.FAIL
    if not previous.is_cleared:
        return Decision.REATTACH
    is_delivered = has_succeeded if previous.is_delivered is None else previous.is_delivered
    return Decision.RERENDER if is_delivered or _have_assets_changed(previous, job) else Decision.REATTACH


def is_other_job(previous: PreviousRender, job: JobFingerprint | None) -> bool:
    """Return whether two jobs are known to differ. An upgrade of this package must not make them differ."""
    stored = previous.fingerprint
    return bool(job and stored and stored.is_comparable(job) and stored.job != job.job)


def _have_assets_changed(previous: PreviousRender, job: JobFingerprint | None) -> bool:
    stored = previous.fingerprint
    return bool(job and stored and stored.is_comparable(job) and job.assets and stored.assets != job.assets)


class StateStore(Protocol):
    """Airflow's task state store, with a retention that never expires."""

    def get(self, key: str) -> Any:
        """Return a value, or None."""

    def set(self, key: str, value: Any) -> None:
        """Store a value."""


class RenderMarker:
    """What is appended to the artist's name of a render, to find it again."""

    def __init__(self, run: Sequence[str], task: tuple[str, str], max_tries: int) -> None:
        self._key = f"{run_key(run)} {_key_of(task)}"
        # Without the date of the run, which not every version of Airflow returns for the runs of a DAG.
        self._task_key = task_key(run[0], run[1], *task)
        self._max_tries = max_tries
        self._pattern = re.compile(rf"\[airflow {self._key} (\d+) (\d+):([0-9a-f]+):([0-9a-f]*)\]")

    def append_to(self, artist: str | None, job: JobFingerprint) -> str:
        """Return the artist's name with the marker."""
        marker = f"{MARKER_START}{self._key} {self._max_tries} {job.version}:{job.job}:{job.assets}]"
        marker += f"[task {self._task_key}]"
        return f"{artist} {marker}" if artist else marker

    def find_in(self, artist: str | None) -> tuple[int, JobFingerprint] | None:
        """Return max_tries and the fingerprint of a render, or None if it is of another Airflow task."""
        match = self._pattern.search(artist or "")
        if match is None:
            return None
        max_tries, version, job, assets = match.groups()
        return int(max_tries), JobFingerprint(job, assets, version=int(version))


def run_key(run: Iterable[str]) -> str:
    """Return the part of a marker that all renders of a DAG run have in common."""
    return _key_of(run)


def task_key(dag_id: str, run_id: str, task_id: str, map_index: str) -> str:
    """Return the part of a marker that identifies the Airflow task without the date of its run."""
    return _key_of((dag_id, run_id, task_id, map_index))


def find_task_key(artist: str | None) -> str | None:
    """Return the task key in the artist's name of a render, or None if it has none."""
    match = _TASK_KEY.search(artist or "")
    return match and match[1]


def _key_of(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


class RenderStore:
    """Where the id of an Airflow task's render and the fingerprint of its job are stored.

    :param client: searches the farm's list.
    :param marker: of the Airflow task.
    :param since: no render of the Airflow task was submitted before this time.
    :param store: Airflow's task state store, or None before Airflow 3.3.
    :param max_tries: of the Airflow task.
    :param is_first_try_after_clear: whether this try is no retry. The marker of a render does not change, so
        a retry that follows a clear sees the raised `max_tries` too.
    """

    def __init__(
        self,
        client: RenderClient,
        marker: RenderMarker,
        since: datetime,
        store: StateStore | None,
        max_tries: int,
        *,
        is_first_try_after_clear: bool,
    ) -> None:
        self._client = client
        self._marker = marker
        self._since = since
        self._store = store
        self._max_tries = max_tries
        self._is_first_try_after_clear = is_first_try_after_clear

    def load(self, search_delays: Iterable[float], *, settle: bool = False) -> PreviousRender | None:
        """Return the render of an earlier try, or None if there is none.

        :param search_delays: seconds before each search of the farm's list if nothing is stored. A submit may
            become visible only after a moment.
        :param settle: whether to search with all delays although a render was found, because a retry may have
            replaced it.
        """
        if stored := self._load_stored():
            return stored
        clock = self._client.clock
        previous = None
        for delay in search_delays:
            clock.sleep(delay)
            found, is_current = self._search()
            previous = found or previous
            # A render from before a clear is not the last one if a try after it has submitted another,
            # which the list may not show yet.
            if not settle and (is_current or (previous and self._is_first_try_after_clear)):
                break
        if previous:
            log.warning("Render %s: found by the marker behind its artist's name", previous.render_task_id)
        return previous

    def save(self, render_task_id: int, job: JobFingerprint | None) -> None:
        """Store this try's render, before anything else is sent. Nothing is delivered yet."""
        if self._store:
            self._store.set(
                _KEY,
                {
                    "render_task_id": render_task_id,
                    "max_tries": self._max_tries,
                    "delivered": False,
                    "fingerprint": job and job.to_dict(),
                },
            )

    def mark_delivered(self) -> None:
        """Note that the result of the stored render was delivered."""
        stored = self._store.get(_KEY) if self._store else None
        if self._store and isinstance(stored, dict):
            self._store.set(_KEY, {**stored, "delivered": True})

    def tag_artist(self, artist: str | None, job: JobFingerprint) -> str:
        """Return the artist's name to submit with."""
        return self._marker.append_to(artist, job)

    def _load_stored(self) -> PreviousRender | None:
        """Return what is stored; None if there is nothing, or nothing that can be read."""
        stored = self._store.get(_KEY) if self._store else None
        if not stored:
            return None
        try:
            return PreviousRender(
                parse_task_id("render_task_id", stored["render_task_id"]),
                self._max_tries > stored["max_tries"],
                bool(stored.get("delivered")),
                JobFingerprint.from_dict(stored.get("fingerprint")),
            )
        except (KeyError, TypeError, ValueError):
            log.warning("Airflow's task state store has no render that can be read: %s", excerpt(stored))
            return None

    def _search(self) -> tuple[PreviousRender | None, bool]:
        """Search the farm's list.

        :return: the newest render, and whether it was submitted since the last clear.
        """
        pages = flows.task_pages(start_time=self._since.strftime("%Y-%m-%d %H:%M:%S"))
        found = [
            (task.id, *match)
            for page in self._client.iter_pages(pages)
            for task in page.items
            if (match := self._marker.find_in(task.producer))
        ]
        if not found:
            return None, False
        task_id, max_tries, job = max(found, key=lambda render: render[0])
        is_current = max_tries >= self._max_tries
        is_cleared = not is_current and self._is_first_try_after_clear
        return PreviousRender(task_id, is_cleared, None, job), is_current
