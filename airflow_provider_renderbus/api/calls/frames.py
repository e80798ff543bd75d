"""Calls about the frames of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_renderbus.api import arguments
from airflow_provider_renderbus.api.call import Call, without_none
from airflow_provider_renderbus.api.models.frames import Frame, read_frame
from airflow_provider_renderbus.api.models.page import LARGEST_PAGE, Page, page_of

if TYPE_CHECKING:
    from airflow_provider_renderbus.api.arguments import TaskNumber


def query_task_frames(
    task_id: TaskNumber, search_keyword: str | None = None, page_num: int = 1, page_size: int = LARGEST_PAGE
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
        without_none(
            taskId=arguments.task_number("task_id", task_id),
            searchKeyword=search_keyword,
            pageNum=arguments.count("page_num", page_num),
            pageSize=arguments.page_size("page_size", page_size),
        ),
        read=page_of(read_frame),
    )
