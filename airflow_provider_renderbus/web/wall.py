"""The renders, frames and pictures that the frame wall shows, for one process of Airflow's API server."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from fastapi import HTTPException

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import RenderbusError
from airflow_provider_renderbus.api.states import FrameStatus
from airflow_provider_renderbus.renders.failed_frames import FAILED_STATUSES
from airflow_provider_renderbus.renders.failure_report import log_end
from airflow_provider_renderbus.web.airflow_reads import (
    RenderTask,
    TaskKey,
    read_render_tasks,
    read_settings,
)
from airflow_provider_renderbus.web.farm_view import Activity, FarmView
from airflow_provider_renderbus.web.leaf_frames import FrameKey
from airflow_provider_renderbus.web.pictures import SECONDS_WITHOUT, Pictures, Sprite
from airflow_provider_renderbus.web.views import render_view, sums

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.clients.settings import Settings
    from airflow_provider_renderbus.web.leaf_frames import LeafFrames
    from airflow_provider_renderbus.web.local_pictures import LocalPictures

SECONDS_TO_READ_AGAIN = 1.0
"""Seconds for which all viewers share what was read from Airflow's database."""
MAX_RENDERS_PER_PAGE = 5_000
"""Renders of a DAG run that its page shows."""
MAX_PAGES, MAX_LOGS, MAX_POSTERS = 200, 200, 2_000
_POSTER_FRAMES = 20
_SECONDS_FOR_FRAME = 8.0

Page = tuple[str, str, TaskKey | None]


class Leaf(NamedTuple):
    """A leaf of a render of an Airflow task, with its frames."""

    farm: Farm
    frames: LeafFrames


class Farm(NamedTuple):
    """A connection."""

    view: FarmView
    pictures: Pictures
    logs: OrderedDict[FrameKey, str]
    posters: OrderedDict[int, tuple[float, asyncio.Task[FrameKey | None]]]

    def clear(self) -> None:
        """Drop what was read from another account, whose frames can have the same ids."""
        self.pictures.clear()
        self.logs.clear()
        self.posters.clear()


class Wall:
    """What all viewers of this process share.

    :param interval: seconds between looks at the farm.
    :param clock: returns the seconds since 1970.
    :param read_tasks: reads the tasks of a page from Airflow's database, in a thread.
    :param read_settings: reads a connection, in a thread.
    :param local: thumbnails that downloads have written, None for none.
    """

    def __init__(
        self,
        interval: float,
        clock: Callable[[], float],
        read_tasks: Callable[[str, str, TaskKey | None], list[RenderTask] | None] = read_render_tasks,
        read_settings: Callable[[str], Settings] = read_settings,
        local: LocalPictures | None = None,
    ) -> None:
        self._read_tasks, self._read_settings = read_tasks, read_settings
        self._local = local
        self._interval = interval
        self._clock = clock
        self._farms: dict[str, Farm] = {}
        self._reads: OrderedDict[Page, tuple[float, asyncio.Task[list[RenderTask] | None]]] = OrderedDict()

    async def close(self) -> None:
        """Close the connections to the farms."""
        for farm in self._farms.values():
            await farm.view.close()

    async def renders(self, dag_id: str, run_id: str, task: TaskKey | None = None) -> dict[str, Any]:
        """Return the renders of a page.

        :raises HTTPException: there is no such DAG run or task.
        """
        tasks, hidden = _limit_renders(await self._read(dag_id, run_id, task))
        by_connection = _activities(tasks)
        looks = dict(
            zip(
                by_connection,
                await asyncio.gather(
                    *(self._farm(conn_id).view.look(ids) for conn_id, ids in by_connection.items())
                ),
                strict=True,
            )
        )
        shown: dict[tuple[str | None, int], dict[str, Any]] = {}
        for each in tasks:
            view = self._farm(each.conn_id).view if each.conn_id else None
            problem = view.problem if view else "the connection of this task is not known"
            for render_task_id in each.render_task_ids:
                look = looks.get(each.conn_id or "", {}).get(render_task_id)
                render = render_view(render_task_id, each, look, view.settings if view else None, problem)
                before = shown.get((each.conn_id, render_task_id), render)
                # Several tasks can have one render: the one that started last shows its state.
                render["max_cost"] = render["max_cost"] or before["max_cost"]
                shown[each.conn_id, render_task_id] = render
        views = [self._farm(conn_id).view for conn_id in by_connection]
        renders = list(shown.values())
        return {
            "dag": dag_id,
            "run": run_id,
            "task": task and task.task_id,
            "map_index": task and task.map_index,
            "time": self._clock(),
            "next": min((view.seconds_to_look for view in views), default=self._interval),
            "interval": self._interval,
            "problems": [view.problem for view in views if view.problem],
            "renders": renders,
            "hidden": hidden,
            "sums": {**sums(renders), "one_currency": len(views) <= 1},
        }

    async def leaf(self, dag_id: str, run_id: str, task: TaskKey, leaf_id: int) -> Leaf:
        """Return a leaf of a render of an Airflow task, with its frames.

        :raises HTTPException: the task has no such leaf.
        """
        farm, leaf = await self._find_leaf(dag_id, run_id, task, leaf_id)
        return Leaf(farm, await _or_error(farm.view.frames(leaf)))

    async def _find_leaf(
        self, dag_id: str, run_id: str, task: TaskKey, leaf_id: int
    ) -> tuple[Farm, TaskInfo]:
        for conn_id, renders in _activities(await self._read(dag_id, run_id, task)).items():
            farm = self._farm(conn_id)
            for look in (await farm.view.look(renders)).values():
                leaf = (
                    next((leaf for leaf in look.task.leaves() if leaf.id == leaf_id), None)
                    if look.task
                    else None
                )
                if leaf is not None:
                    return farm, leaf
        raise HTTPException(404, "this task has no such render")

    async def picture(self, dag_id: str, run_id: str, task: TaskKey, leaf_id: int, frame_id: int) -> bytes:
        """Return the picture of a frame as JPEG.

        :raises HTTPException: there is none.
        """
        farm, frame, _ = await self._frame(dag_id, run_id, task, leaf_id, frame_id)
        picture = await farm.pictures.picture(frame)
        if picture is None:
            raise HTTPException(404, "this frame has no picture")
        return picture

    async def poster(self, dag_id: str, run_id: str, task: TaskKey, leaf_id: int) -> bytes:
        """Return a picture of a leaf, the same for all viewers.

        :raises HTTPException: there is none.
        """
        farm, _ = await self._find_leaf(dag_id, run_id, task, leaf_id)
        found_at, finding = farm.posters.get(leaf_id, (0.0, None))
        if finding is None or (_found_nothing(finding) and self._clock() - found_at > SECONDS_WITHOUT):
            finding = asyncio.create_task(_find_poster(farm.view, leaf_id))
            farm.posters[leaf_id] = self._clock(), finding
            while len(farm.posters) > MAX_POSTERS:
                farm.posters.popitem(last=False)
        frame = await _or_error(asyncio.shield(finding))
        if frame is None:
            raise HTTPException(404, "no frame is done")
        picture = await farm.pictures.picture(frame)
        if picture is None:
            raise HTTPException(404, "this frame has no picture")
        return picture

    async def sprite(self, dag_id: str, run_id: str, task: TaskKey, leaf_id: int, number: int) -> Sprite:
        """Return the pictures of twenty frames.

        :raises HTTPException: there are no such frames.
        """
        leaf = await self.leaf(dag_id, run_id, task, leaf_id)
        frames = leaf.frames.sprite_frames(number)
        if frames is None:
            raise HTTPException(404, "there are no such frames")
        return await leaf.farm.pictures.sprite(frames)

    async def log(self, dag_id: str, run_id: str, task: TaskKey, leaf_id: int, frame_id: int) -> str:
        """Return the end of a frame's log.

        :raises HTTPException: there is no such frame, or its log cannot be read.
        """
        farm, frame, status = await self._frame(dag_id, run_id, task, leaf_id, frame_id)
        if frame in farm.logs:
            return farm.logs[frame]
        client, _ = await farm.view.connect()
        text: str = await _or_error(client.run(log_end(frame_id)))
        if status in FAILED_STATUSES or status is FrameStatus.DONE:
            farm.logs[frame] = text
            while len(farm.logs) > MAX_LOGS:
                farm.logs.popitem(last=False)
        return text

    async def _frame(
        self, dag_id: str, run_id: str, task: TaskKey, leaf_id: int, frame_id: int
    ) -> tuple[Farm, FrameKey, FrameStatus]:
        deadline = self._clock() + _SECONDS_FOR_FRAME
        while True:
            leaf = await self.leaf(dag_id, run_id, task, leaf_id)
            if (found := leaf.frames.find(frame_id)) is not None:
                return leaf.farm, *found
            if leaf.frames.is_loaded or leaf.frames.problem or self._clock() > deadline:
                raise HTTPException(404, "this render has no such frame")

    async def _read(self, dag_id: str, run_id: str, task: TaskKey | None) -> list[RenderTask]:
        """Return the Airflow tasks of a page; all who ask within a second share the answer."""
        page = (dag_id, run_id, task)
        now = self._clock()
        read_at, reading = self._reads.get(page, (0.0, None))
        if reading is None or now - read_at > SECONDS_TO_READ_AGAIN:
            reading = asyncio.create_task(asyncio.to_thread(self._read_tasks, *page))
            self._reads[page] = now, reading
            self._reads.move_to_end(page)
            while len(self._reads) > MAX_PAGES:
                self._reads.popitem(last=False)
        tasks = await asyncio.shield(reading)
        if tasks is None:
            raise HTTPException(404, "there is no such DAG run or task")
        return tasks

    def _farm(self, conn_id: str) -> Farm:
        if conn_id not in self._farms:
            view = FarmView(partial(self._read_settings, conn_id), self._interval, self._clock)
            farm = Farm(view, Pictures(view, self._clock, self._local), OrderedDict(), OrderedDict())
            view.on_other_account = farm.clear
            self._farms[conn_id] = farm
        return self._farms[conn_id]


def _limit_renders(tasks: list[RenderTask]) -> tuple[list[RenderTask], int]:
    """Return the tasks with the first `MAX_RENDERS_PER_PAGE` renders, and the number of further ones."""
    ids = list(dict.fromkeys(each for task in tasks for each in task.render_task_ids))
    if len(ids) <= MAX_RENDERS_PER_PAGE:
        return tasks, 0
    shown = set(ids[:MAX_RENDERS_PER_PAGE])
    limited = [
        replace(task, render_task_ids=tuple(each for each in task.render_task_ids if each in shown))
        for task in tasks
    ]
    return limited, len(ids) - len(shown)


def _activities(tasks: Iterable[RenderTask]) -> dict[str, dict[int, Activity]]:
    """Return what Airflow tasks do with their renders, by connection and id of the render."""
    activities: dict[str, dict[int, Activity]] = {}
    for task in tasks:
        if task.conn_id is not None:
            renders = activities.setdefault(task.conn_id, {})
            for each in task.render_task_ids:
                before = renders.get(each, Activity(is_running=False, changed_at=0.0))
                renders[each] = Activity(
                    before.is_running or not task.is_finished, max(before.changed_at, task.changed_at)
                )
    return activities


def _found_nothing(finding: asyncio.Task[FrameKey | None]) -> bool:
    return finding.done() and (finding.exception() is not None or finding.result() is None)


async def _find_poster(view: FarmView, leaf_id: int) -> FrameKey | None:
    """Return the last of the first frames of a leaf that is done, None if there is none."""
    client, _ = await view.connect()
    page = await client.send(calls.query_task_frames(leaf_id, page_size=_POSTER_FRAMES))
    done = [
        FrameKey(frame.id, frame.recommits, leaf_id)
        for frame in page.items
        if frame.status is FrameStatus.DONE
    ]
    return done[-1] if done else None


async def _or_error(awaitable: Any) -> Any:
    """Return a result, or respond with the error of the farm."""
    try:
        return await awaitable
    except (RenderbusError, ValueError) as error:
        raise HTTPException(502, str(error)) from None
