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
    """Query a page of a leaf task's frames.

    :param task_id: id or alias of a leaf: of a layered task, one of its sub-tasks.
    :param search_keyword: only frames whose name contains this text.
    :param page_num: page number, from 1.
    :param page_size: frames per page, at most 100.
    """
    return Call(
        "query_task_frames",
        ("/api/render/handle/queryTaskFrames",),
        drop_none(
            taskId=validation.parse_task_id("task_id", task_id),
            searchKeyword=validation.optional(validation.require_str, "search_keyword", search_keyword),
            pageNum=validation.positive_int("page_num", page_num),
            pageSize=validation.page_size("page_size", page_size),
        ),
        read=page_reader(read_frame),
        paged=True,
    )


def query_all_frame_stats() -> Call[Any]:
    """Query the numbers of frames of the whole account by status.

    :return: an object with executingFramesTotal, doneFramesTotal, failedFramesTotal, waitingFramesTotal,
        abandonFramesTotal and totalFrames.
    """
    return Call("query_all_frame_stats", ("/api/render/handle/queryAllFrameStats",), {}, read=raw_json)


def recommit_failed_frames(task_ids: Iterable[TaskId], status: Iterable[int] | None = None) -> Call[None]:
    """Render the failed frames of tasks again. It costs money again, so it is never replayed.

    :param task_ids: ids or aliases.
    :param status: statuses of the frames to render again, codes or members of `FrameStatus`; failed
        frames if omitted.
    """
    return Call(
        "recommit_failed_frames",
        ("/api/render/handle/recommitTasks", "/api/rendering/task/renderingTask/recommitFailFrame"),
        drop_none(
            taskIds=validation.parse_task_ids("task_ids", task_ids),
            status=validation.optional(validation.require_ints, "status", status),
        ),
        read=ignore,
        replay_safe=False,
        spends=True,
    )


def recommit_frames(
    task_id: TaskId | None = None,
    ids: Iterable[int] | None = None,
    select_all: int = 0,
    status: Iterable[int] | None = None,
) -> Call[None]:
    """Render selected frames again. It costs money again, so it is never replayed.

    :param task_id: id or alias of a leaf task; with `select_all` 1 all its frames are selected.
    :param ids: ids of frames, for `select_all` 0.
    :param select_all: 0 for the frames in `ids`, 1 for all frames of `task_id`.
    :param status: only frames with these statuses; the farm ignores it without `task_id`.
    :raises ValueError: an argument is invalid, or is missing for this `select_all`.
    """
    return Call(
        "recommit_frames",
        ("/api/render/handle/recommitTaskFrames",),
        _frame_selection(task_id, ids, select_all, status),
        read=ignore,
        replay_safe=False,
        spends=True,
    )


def stop_frames(
    task_id: TaskId,
    ids: Iterable[int] | None = None,
    select_all: int = 0,
    status: Iterable[int] | None = None,
) -> Call[None]:
    """Stop selected frames of a leaf task.

    :param task_id: id or alias of a leaf task.
    :param ids: ids of frames, for `select_all` 0.
    :param select_all: 0 for the frames in `ids`, 1 for all frames of the task.
    :param status: only frames with these statuses; the farm ignores it without `select_all` 1.
    :raises ValueError: an argument is invalid, or is missing for this `select_all`.
    """
    return Call(
        "stop_frames",
        ("/api/render/handle/stopTaskFrames",),
        _frame_selection(validation.parse_task_id("task_id", task_id), ids, select_all, status),
        read=ignore,
    )


def show_log(id: int, page_num: int = 0, page_size: int = 1, rendering_type: str = "render") -> Call[LogPage]:  # noqa: A002 - the farm's own name
    """Query a part of a frame's log.

    :param id: id of the frame.
    :param page_num: number of the part; the documents count from 0, the vendor's client from 1.
    :param page_size: parts per page.
    :param rendering_type: kind of log; only "render" is documented.
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
    """Query a frame's thumbnail.

    :param id: id of the frame.
    :param frame_status: status of the frame; only a frame that is done has a thumbnail.
    :return: a list of paths on the server, which are not URLs.
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
    """Query pictures of a task in progress; the farm has them for 3ds Max only.

    :param task_id: id or alias of a leaf task.
    :param frame_type: 2 for photon frames, 5 for main frames.
    :return: an object.
    """
    return Call(
        "load_task_process_img",
        ("/api/render/handle/loadTaskProcessImg",),
        drop_none(
            taskId=validation.parse_task_id("task_id", task_id),
            frameType=validation.optional(validation.require_int, "frame_type", frame_type),
        ),
        read=raw_json,
    )


def _frame_selection(
    task_id: TaskId | None, ids: Iterable[int] | None, select_all: int, status: Iterable[int] | None
) -> dict[str, Any]:
    frame_ids = validation.optional(validation.require_ints, "ids", ids)
    if validation.one_of("select_all", select_all, (0, 1)):
        if task_id is None:
            raise ValueError("task_id: must be a task id with select_all=1, got None")
        if frame_ids:
            raise ValueError("ids: must be omitted with select_all=1, which selects all frames of the task")
    elif not frame_ids:
        raise ValueError("ids: must be at least one frame id with select_all=0")
    return drop_none(
        taskId=validation.optional(validation.parse_task_id, "task_id", task_id),
        ids=frame_ids or None,
        selectAll=select_all,
        status=validation.optional(validation.require_ints, "status", status),
    )
