"""Calls about the frames of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api import validation
from airflow_provider_renderbus.api.call import Call, drop_none
from airflow_provider_renderbus.api.models.frames import Frame, LogPage, read_frame, read_log_page
from airflow_provider_renderbus.api.models.page import Page, page_reader
from airflow_provider_renderbus.api.parsing import ignore, raw_json
from airflow_provider_renderbus.api.states import FrameStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_renderbus.api.validation import TaskId


def query_task_frames(
    task_id: TaskId,
    search_keyword: str | None = None,
    page_num: int = 1,
    page_size: int = validation.MAX_PAGE_SIZE,
) -> Call[Page[Frame]]:
    """Ask for a page of a leaf task's frames.

    :param task_id: number or alias of a leaf: of a layered task, one of its sub-tasks.
    :param search_keyword: only frames whose index holds this text.
    :param page_num: the page, from 1.
    :param page_size: frames a page, at most 100.
    :raises ValueError: an argument is not what the farm takes.
    """
    return Call(
        "query_task_frames",
        ("/api/render/handle/queryTaskFrames",),
        drop_none(
            taskId=validation.parse_task_id("task_id", task_id),
            searchKeyword=validation.optional_str("search_keyword", search_keyword),
            pageNum=validation.positive_int("page_num", page_num),
            pageSize=validation.page_size("page_size", page_size),
        ),
        read=page_reader(read_frame),
        paged=True,
    )


def query_all_frame_stats() -> Call[Any]:
    """Ask how many frames of the whole account are in which state.

    :return: an object with executingFramesTotal, doneFramesTotal, failedFramesTotal, waitingFramesTotal,
        abandonFramesTotal and totalFrames.
    """
    return Call("query_all_frame_stats", ("/api/render/handle/queryAllFrameStats",), {}, read=raw_json)


def recommit_failed_frames(task_ids: Iterable[TaskId], status: Iterable[int] | None = None) -> Call[None]:
    """Render the failed frames of tasks again, and pay for them again: it is never replayed.

    :param task_ids: numbers or aliases.
    :param status: the frames to render again by their states, codes or members of `FrameStatus`; failed
        ones where it is left out.
    :raises ValueError: an argument is not what the farm takes.
    """
    return Call(
        "recommit_failed_frames",
        ("/api/render/handle/recommitTasks", "/api/rendering/task/renderingTask/recommitFailFrame"),
        drop_none(
            taskIds=validation.parse_task_ids("task_ids", task_ids),
            status=None if status is None else validation.require_ints("status", status),
        ),
        read=ignore,
        replay_safe=False,
    )


def recommit_frames(
    task_id: TaskId | None = None,
    ids: Iterable[int] | None = None,
    select_all: int = 0,
    status: Iterable[int] | None = None,
) -> Call[None]:
    """Render chosen frames again, and pay for them again: it is never replayed.

    :param task_id: number or alias of a leaf task, whose frames are all meant with `select_all` 1.
    :param ids: ids of frames, for `select_all` 0.
    :param select_all: 0 for the frames in `ids`, 1 for all frames of `task_id`.
    :param status: only frames in these states; the farm heeds it only with `task_id`.
    :raises ValueError: an argument is not what the farm takes, or is missing for this `select_all`.
    """
    return Call(
        "recommit_frames",
        ("/api/render/handle/recommitTaskFrames",),
        _chosen_frames(task_id, ids, select_all, status),
        read=ignore,
        replay_safe=False,
    )


def stop_frames(
    task_id: TaskId,
    ids: Iterable[int] | None = None,
    select_all: int = 0,
    status: Iterable[int] | None = None,
) -> Call[None]:
    """Stop chosen frames of a leaf task.

    :param task_id: number or alias of a leaf task.
    :param ids: ids of frames, for `select_all` 0.
    :param select_all: 0 for the frames in `ids`, 1 for all frames of the task.
    :param status: only frames in these states; the farm heeds it only with `select_all` 1.
    :raises ValueError: an argument is not what the farm takes, or is missing for this `select_all`.
    """
    number = validation.parse_task_id("task_id", task_id)
    return Call(
        "stop_frames",
        ("/api/render/handle/stopTaskFrames",),
        _chosen_frames(number, ids, select_all, status),
        read=ignore,
    )


def show_log(id: int, page_num: int = 0, page_size: int = 1, rendering_type: str = "render") -> Call[LogPage]:  # noqa: A002 - the farm's own name
    """Ask for a piece of a frame's log.

    :param id: the frame's id.
    :param page_num: the piece; the documents count from 0, the vendor's client from 1.
    :param page_size: pieces a page.
    :param rendering_type: which log; only "render" is documented.
    :raises ValueError: an argument is not what the farm takes.
    """
    return Call(
        "show_log",
        ("/api/render/handle/showLog",),
        {
            "renderingType": validation.non_empty_str("rendering_type", rendering_type),
            "pageNum": validation.require_int("page_num", page_num),
            "pageSize": validation.positive_int("page_size", page_size),
            "id": validation.positive_int("id", id),
        },
        read=read_log_page,
    )


def load_frame_thumbnail(id: int, frame_status: int = FrameStatus.DONE) -> Call[Any]:  # noqa: A002 - the farm's own name
    """Ask for a frame's thumbnail.

    :param id: the frame's id.
    :param frame_status: the frame's state; only a frame that is done has one.
    :return: a list of paths on the server, which are no addresses.
    :raises ValueError: an argument is not what the farm takes.
    """
    return Call(
        "load_frame_thumbnail",
        ("/api/render/handle/loadingFrameThumbnail",),
        {
            "id": validation.positive_int("id", id),
            "frameStatus": validation.require_int("frame_status", frame_status),
        },
        read=raw_json,
    )


def load_task_process_img(task_id: TaskId, frame_type: int | None = None) -> Call[Any]:
    """Ask for pictures of a task that is under way; the farm has them for 3ds Max only.

    :param task_id: number or alias of a leaf task.
    :param frame_type: 2 for photon frames, 5 for main ones.
    :return: an object.
    :raises ValueError: an argument is not what the farm takes.
    """
    return Call(
        "load_task_process_img",
        ("/api/render/handle/loadTaskProcessImg",),
        drop_none(
            taskId=validation.parse_task_id("task_id", task_id),
            frameType=None if frame_type is None else validation.require_int("frame_type", frame_type),
        ),
        read=raw_json,
    )


def _chosen_frames(
    task_id: TaskId | None, ids: Iterable[int] | None, select_all: int, status: Iterable[int] | None
) -> dict[str, Any]:
    chosen = None if ids is None else validation.require_ints("ids", ids)
    if validation.one_of("select_all", select_all, (0, 1)):
        if task_id is None:
            raise ValueError("task_id: a task's number is wanted with select_all=1")
        if chosen:
            raise ValueError("ids: none are wanted with select_all=1, which means all frames of the task")
    elif not chosen:
        raise ValueError("ids: at least one frame's id is wanted with select_all=0")
    return drop_none(
        taskId=validation.optional_task_id("task_id", task_id),
        ids=chosen or None,
        selectAll=select_all,
        status=None if status is None else validation.require_ints("status", status),
    )
