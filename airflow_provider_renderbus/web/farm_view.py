"""The farm as the frame wall has seen it through one connection: one look for all its viewers.

All viewers of all pages share a look at the renders of a connection, a request per hundred of them and
interval. A render that has ended is not looked at again unless an Airflow task may have restarted it, and
nothing is looked at that nobody views. A failed look is repeated later and later; meanwhile the wall shows
the last good one and says so.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import InvalidResponse, RenderbusError
from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.api.text import printable
from airflow_provider_renderbus.api.validation import MAX_PAGE_SIZE
from airflow_provider_renderbus.clients.async_client import AsyncClient
from airflow_provider_renderbus.clients.pictures import PictureTransport
from airflow_provider_renderbus.clients.retry import RequestRetryPolicy
from airflow_provider_renderbus.web.leaf_frames import LeafFrames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.clients.settings import Settings

MAX_RENDERS, MAX_LEAVES = 5_000, 40
"""Renders that nobody views, and leaves with their frames, that are kept for a connection."""
MAX_BACK_OFF = 120.0
"""Seconds until a failed look is repeated, at most."""
SECONDS_TO_WAIT = 2.0
"""Seconds that a viewer waits for a look, if there was one before."""
_SECONDS_VIEWED = 60.0
_MAX_ELAPSED = 20.0
_MAX_CONCURRENCY = 4


class Activity(NamedTuple):
    """What the Airflow tasks of a render do with it.

    :param is_running: whether one of them has not finished, so that it may still restart the render.
    :param changed_at: when one of them last began or ended, in seconds since 1970.
    """

    is_running: bool
    changed_at: float


@dataclass(frozen=True, slots=True)
class Look:
    """A render at a time.

    :param task: the render; None if the farm does not have it, or its response cannot be read.
    :param problem: why there is no render.
    :param time: when the farm responded, in seconds since 1970.
    """

    task: TaskInfo | None
    problem: str
    time: float


class FarmView:
    """The renders of a connection, as its viewers share them.

    :param read_settings: returns the settings of the connection, in a thread; raises ValueError.
    :param interval: seconds between looks.
    :param clock: returns the seconds since 1970.
    """

    def __init__(
        self, read_settings: Callable[[], Settings], interval: float, clock: Callable[[], float]
    ) -> None:
        self._read_settings = read_settings
        self._interval = interval
        self._clock = clock
        self._lock = asyncio.Lock()
        self._looks: OrderedDict[int, Look] = OrderedDict()
        self._viewed: dict[int, float] = {}
        self._activities: dict[int, Activity] = {}
        self._leaves: OrderedDict[int, LeafFrames] = OrderedDict()
        self._next_look = 0.0
        self._failures = 0
        self._connected: tuple[AsyncClient, PictureTransport] | None = None
        self.on_other_account: Callable[[], None] = lambda: None
        """Is called when the connection has become that of another account."""
        self.settings: Settings | None = None
        self.problem = ""
        """Why the last look has failed; "" if it has not."""

    @property
    def seconds_to_look(self) -> float:
        """Seconds until the next look."""
        return max(0.0, self._next_look - self._clock())

    async def close(self) -> None:
        """Close the connections to the farm."""
        for each in self._connected or ():
            await each.close()

    async def look(self, renders: Mapping[int, Activity]) -> dict[int, Look]:
        """Return the last looks at renders, by their ids. One whose first look has failed is missing.

        While the farm is slow to respond, viewers get what was seen last.
        """
        self._viewed |= dict.fromkeys(renders, self._clock())
        self._activities |= renders
        looking = asyncio.create_task(self._look_if_due(renders))
        is_new = any(each not in self._looks for each in renders)
        await asyncio.wait([looking], timeout=None if is_new else SECONDS_TO_WAIT)
        if looking.done():
            looking.result()
        return {each: self._looks[each] for each in renders if each in self._looks}

    async def _look_if_due(self, renders: Iterable[int]) -> None:
        async with self._lock:
            now = self._clock()
            is_due = now >= self._next_look
            is_new = any(each not in self._looks for each in renders)
            if is_due or (is_new and not self.problem):
                await self._refresh(renders, now, is_due=is_due)
            self._evict()

    def last_look(self, render_task_id: int) -> Look | None:
        """Return the last look at a render."""
        return self._looks.get(render_task_id)

    async def frames(self, leaf: TaskInfo) -> LeafFrames:
        """Return the frames of a leaf, as far as they were read by now."""
        client, _ = await self.connect()
        frames = self._leaves.get(leaf.id)
        if frames is None:
            frames = self._leaves[leaf.id] = LeafFrames(leaf.id, self._interval)
        self._leaves.move_to_end(leaf.id)
        while len(self._leaves) > MAX_LEAVES:
            self._leaves.popitem(last=False)
        await frames.update(client, leaf, self._clock())
        return frames

    async def connect(self) -> tuple[AsyncClient, PictureTransport]:
        """Return a client of the connection, and what fetches pictures from the farm's domain.

        :raises ValueError: the connection cannot be used.
        """
        return self._connected or await self._reconnect()

    def _is_viewed(self, render_task_id: int, now: float) -> bool:
        return now - self._viewed.get(render_task_id, 0.0) <= max(_SECONDS_VIEWED, 3 * self._interval)

    def _is_watched(self, render_task_id: int, now: float) -> bool:
        """Return whether somebody views a render that may have changed."""
        if not self._is_viewed(render_task_id, now):
            return False
        look, activity = self._looks[render_task_id], self._activities[render_task_id]
        if look.task is not None and not look.task.is_terminal and not look.task.is_deleted:
            return True
        if activity.changed_at >= look.time:
            return True
        # A task that waits restarts what was stopped, and recommits what has failed.
        has_succeeded = look.task is not None and look.task.status is TaskStatus.FINISHED
        return activity.is_running and not has_succeeded

    async def _refresh(self, renders: Iterable[int], now: float, *, is_due: bool) -> None:
        """Look at renders that are new, and at all if that is due; note the result."""
        try:
            # Also if there is nothing to look at: frames and pictures need the connection as it is now.
            await self._reconnect()
            asked = [each for each in renders if each not in self._looks]
            if is_due:
                asked += [each for each in self._looks if self._is_watched(each, now)]
            pages = [asked[at : at + MAX_PAGE_SIZE] for at in range(0, len(asked), MAX_PAGE_SIZE)]
            slots = asyncio.Semaphore(_MAX_CONCURRENCY)

            async def query(page: list[int]) -> None:
                async with slots:
                    await self._query(page)

            async with asyncio.TaskGroup() as group:
                for page in pages:
                    group.create_task(query(page))
        except* (RenderbusError, ValueError) as errors:
            self._failures += 1
            self.problem = printable(str(errors.exceptions[0]), 500)
            delay = min(MAX_BACK_OFF, self._interval * 2 ** min(self._failures, 6))
            self._next_look = self._clock() + max(self._interval, delay)
        else:
            self._failures, self.problem = 0, ""
            if is_due:
                self._next_look = self._clock() + self._interval

    async def _query(self, render_task_ids: list[int]) -> None:
        """Look at a page of renders; if one of them cannot be read, at the others alone."""
        client, _ = await self.connect()
        try:
            tasks = await client.send(calls.query_task_info(render_task_ids))
        except InvalidResponse as error:
            if len(render_task_ids) == 1:
                self._note(render_task_ids, None, f"the farm's response cannot be read: {error}")
                return
            half = len(render_task_ids) // 2
            await self._query(render_task_ids[:half])
            await self._query(render_task_ids[half:])
            return
        for each in render_task_ids:
            task = tasks.get(each)
            self._note([each], task, "" if task else "the farm has no such render")

    def _note(self, render_task_ids: Iterable[int], task: TaskInfo | None, problem: str) -> None:
        for each in render_task_ids:
            self._looks[each] = Look(task, printable(problem, 500), self._clock())
            self._looks.move_to_end(each)

    async def _reconnect(self) -> tuple[AsyncClient, PictureTransport]:
        """Read the connection, which may have changed, and return what :meth:`connect` returns."""
        settings, before = await asyncio.to_thread(self._load_settings), self.settings
        self.settings = settings
        if self._connected and settings == before:
            return self._connected
        if before and _account(settings) != _account(before):
            # Another account has other renders.
            self._looks.clear()
            self._leaves.clear()
            self.on_other_account()
        await self.close()
        policy = RequestRetryPolicy(max_attempts=1, max_elapsed=_MAX_ELAPSED)
        self._connected = AsyncClient(settings, retry_policy=policy), PictureTransport(settings)
        return self._connected

    def _load_settings(self) -> Settings:
        settings = self._read_settings()
        settings.ssl_context()  # reads files; the clients share the result
        return settings

    def _evict(self) -> None:
        """Drop the oldest looks that nobody views: those that are viewed would be looked at again at once."""
        excess = len(self._looks) - MAX_RENDERS
        if excess > 0:
            now = self._clock()
            for each in [each for each in self._looks if not self._is_viewed(each, now)][:excess]:
                del self._looks[each]
                self._viewed.pop(each, None)
                self._activities.pop(each, None)


def _account(settings: Settings) -> tuple[str, str, int | str]:
    return settings.domain, settings.access_id, settings.platform
