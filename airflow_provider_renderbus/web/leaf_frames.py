"""The frames of a leaf, page by page as the farm returns them, each kept as the JSON that viewers get.

The pages of a leaf that changes are read again, except those whose frames are all done. Of a leaf that has
not changed since, nothing is read.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import RenderbusError
from airflow_provider_renderbus.api.states import FrameStatus
from airflow_provider_renderbus.api.text import printable
from airflow_provider_renderbus.api.validation import MAX_PAGE_SIZE

if TYPE_CHECKING:
    from airflow_provider_renderbus.api.models.frames import Frame
    from airflow_provider_renderbus.api.models.page import Page
    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.clients.async_client import AsyncClient

MAX_FRAMES = 20_000
"""Frames of a leaf that are shown."""
MAX_PAGES_PER_UPDATE = 20
"""Pages that are read again at a time; those of a leaf that is read first are all read."""
MAX_PAGES_PER_RESPONSE = 10
"""Pages that a viewer gets at a time, so that the first ones show at once."""
SPRITE_FRAMES = 20
"""Frames per sprite, so that a page of the farm has a whole number of sprites."""
_SECONDS_TO_WAIT = 0.4
_MAX_CONCURRENCY = 8
_MAX_NAME_CHARS = 60


class FrameKey(NamedTuple):
    """What identifies the picture of a frame.

    :param leaf_id: the leaf of the frame.
    """

    id: int
    recommits: int
    leaf_id: int


class _PageRows(NamedTuple):
    """A page of frames."""

    ids: tuple[int, ...]
    statuses: bytes
    recommits: tuple[int, ...]
    json: bytes
    version: int


class LeafFrames:
    """The frames of a leaf.

    :param leaf_id: id of the leaf on the farm.
    :param interval: seconds between two reads of a page.
    """

    def __init__(self, leaf_id: int, interval: float) -> None:
        self.leaf_id = leaf_id
        self.total = 0
        self.problem = ""
        """Why frames could not be read; "" if they could."""
        self._interval = interval
        self._pages: list[_PageRows | None] = []
        # Each process of the API server reads the pages in its own order, and so has versions of its own.
        self._series = secrets.token_hex(4)
        self._version = 0
        # The progress of the leaf when its frames were read last, None if some are still to be read.
        self._read_for: Any = None
        self._next_read = 0.0
        self._next_page = 0
        self._reading: asyncio.Task[None] | None = None

    @property
    def is_loaded(self) -> bool:
        """Whether each frame was read once."""
        return bool(self._version or self._read_for) and all(self._pages)

    async def update(self, client: AsyncClient, leaf: TaskInfo, now: float) -> None:
        """Read what may have changed, and return when it is read or a moment has passed."""
        progress = (leaf.progress, leaf.status, leaf.cost)
        if self._reading is None and progress != self._read_for and now >= self._next_read:
            self._next_read = now + self._interval
            self._reading = asyncio.create_task(self._read(client, leaf, progress))
        if self._reading is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._reading), _SECONDS_TO_WAIT)

    def to_json(self, since: str) -> bytes:
        """Return the frames as JSON: the first pages that have changed.

        :param since: versions that the viewer has, the last of each series: ``SERIES-VERSION,…``.
        """
        known = self._known_version(since)
        changed = [page for page in self._pages if page and page.version > known]
        sent = sorted(changed, key=lambda page: page.version)[:MAX_PAGES_PER_RESPONSE]
        pages = b",".join(page.json for page in sent)
        is_all = len(sent) == len(changed)
        head = {
            "leaf": str(self.leaf_id),
            "total": min(self.total, MAX_FRAMES) if self._pages or self._read_for else None,
            "hidden": max(0, self.total - MAX_FRAMES),
            "series": self._series,
            "version": self._version if is_all else sent[-1].version,
            "complete": is_all and (self.is_loaded or bool(self.problem)),
            "problem": self.problem,
        }
        return json.dumps(head).encode()[:-1] + b', "pages": [' + pages + b"]}"

    def _known_version(self, since: str) -> int:
        for each in since.split(","):
            series, _, version = each.partition("-")
            if series == self._series and version.isascii() and version.isdigit():
                return int(version)
        return 0

    def find(self, frame_id: int) -> tuple[FrameKey, FrameStatus] | None:
        """Return a frame by its id."""
        for page in self._pages:
            if page and frame_id in page.ids:
                at = page.ids.index(frame_id)
                return FrameKey(frame_id, page.recommits[at], self.leaf_id), FrameStatus(page.statuses[at])
        return None

    def sprite_frames(self, number: int) -> list[FrameKey | None] | None:
        """Return the frames of a sprite, None for one without a picture; None if there is no such sprite."""
        index, offset = divmod(number * SPRITE_FRAMES, MAX_PAGE_SIZE)
        page = self._pages[index] if 0 <= index < len(self._pages) else None
        if page is None or offset >= len(page.ids):
            return None
        return [
            FrameKey(page.ids[at], page.recommits[at], self.leaf_id)
            if page.statuses[at] == FrameStatus.DONE
            else None
            for at in range(offset, min(offset + SPRITE_FRAMES, len(page.ids)))
        ]

    async def _read(self, client: AsyncClient, leaf: TaskInfo, progress: Any) -> None:
        try:
            is_all = await self._read_pages(client, leaf)
        except* RenderbusError as errors:
            self._read_for, self.problem = None, printable(str(errors.exceptions[0]), 500)
        else:
            self._read_for, self.problem = progress if is_all else None, ""
        finally:
            self._reading = None

    async def _read_pages(self, client: AsyncClient, leaf: TaskInfo) -> bool:
        """Read the pages that are missing or may have changed; return whether these were all."""
        done = sum(page.statuses.count(FrameStatus.DONE) for page in self._pages if page)
        is_first = not self._pages
        stale = [
            at
            for at, page in enumerate(self._pages)
            if page and (done > leaf.progress.done or page.statuses.count(FrameStatus.DONE) < len(page.ids))
        ]
        if is_first:
            await self._read_page(client, 0)
        missing = [at for at, page in enumerate(self._pages) if page is None]
        # Frames are mostly rendered in order: the first unfinished page changes most.
        rest = sorted(stale[1:], key=lambda at: (at < self._next_page, at))
        again = [*stale[:1], *(rest if leaf.is_terminal else rest[: MAX_PAGES_PER_UPDATE - 1])]
        self._next_page = again[-1] + 1 if again else 0
        slots = asyncio.Semaphore(_MAX_CONCURRENCY)

        async def read(at: int) -> None:
            async with slots:
                await self._read_page(client, at)

        async with asyncio.TaskGroup() as group:
            for at in [*missing, *again]:
                group.create_task(read(at))
        return len(again) == len(stale)

    async def _read_page(self, client: AsyncClient, at: int) -> None:
        page = await client.send(calls.query_task_frames(self.leaf_id, page_num=at + 1))
        if at == 0:
            self._resize(page)
        if at < len(self._pages):
            self._pages[at] = self._rows(at, page.items[:MAX_PAGE_SIZE], self._pages[at])

    def _resize(self, first: Page[Frame]) -> None:
        self.total = max(first.total, len(first.items))
        count = min(-(-self.total // MAX_PAGE_SIZE), MAX_FRAMES // MAX_PAGE_SIZE)
        self._pages = [*self._pages[:count], *[None] * (count - len(self._pages))]

    def _rows(self, at: int, frames: tuple[Frame, ...], before: _PageRows | None) -> _PageRows:
        statuses = bytes(max(0, min(frame.status_code, 255)) for frame in frames)
        columns = {
            "page": at,
            "ids": [str(frame.id) for frame in frames],
            "names": [printable(frame.name, _MAX_NAME_CHARS) for frame in frames],
            "states": list(statuses),
            "seconds": [frame.execute_time for frame in frames],
            "costs": [str(frame.cost) for frame in frames],
            "recommits": [frame.recommits for frame in frames],
        }
        text = json.dumps(columns, separators=(",", ":")).encode()
        if before is not None and before.json == text:
            return before
        self._version += 1
        ids, recommits = tuple(frame.id for frame in frames), tuple(frame.recommits for frame in frames)
        return _PageRows(ids, statuses, recommits, text, self._version)
