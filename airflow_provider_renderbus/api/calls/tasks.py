"""Calls about tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api import arguments
from airflow_provider_renderbus.api.call import Call, without_none
from airflow_provider_renderbus.api.models.page import LARGEST_PAGE, page_of
from airflow_provider_renderbus.api.models.tasks import CreatedTasks, TaskInfo, read_created_tasks, read_task
from airflow_provider_renderbus.api.reading import nothing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_renderbus.api.arguments import TaskNumber

_read_page = page_of(read_task)


def create_task(
    count: int = 1,
    task_user_level: int = 50,
    out_user_id: int | None = None,
    labels: Sequence[str] | None = None,
    clone_original_id: TaskNumber | None = None,
    artist: str | None = None,
) -> Call[CreatedTasks]:
    """Create task numbers. They cost nothing until they are submitted.

    :param count: how many numbers.
    :param task_user_level: the tasks' priority among the account's own, 50 or 60.
    :param out_user_id: a number by which the caller tells its own customers apart.
    :param labels: labels that the tasks carry on the farm's web pages.
    :param clone_original_id: the task that is cloned.
    :param artist: name of the person who made the scene.
    :raises ValueError: an argument is not what the farm takes.
    """
    return Call(
        "create_task",
        ("/api/render/submit/createTask", "/api/render/task/createTask"),
        without_none(
            count=arguments.count("count", count),
            taskUserLevel=arguments.one_of("task_user_level", task_user_level, arguments.USER_LEVELS),
            outUserId=out_user_id,
            labels=None if labels is None else arguments.texts("labels", labels),
            cloneOriginalId=None
            if clone_original_id is None
            else arguments.task_number("clone_original_id", clone_original_id),
            artist=artist,
        ),
        read=read_created_tasks,
    )


def submit_task(task_id: TaskNumber, producer: str | None = None) -> Call[None]:
    """Submit a task whose task.json is uploaded. This starts to spend money: it is never replayed.

    :param task_id: the task's number or alias.
    :param producer: name of the artist, which comes back in the task's info.
    :raises ValueError: an argument is not what the farm takes.
    """
    return Call(
        "submit_task",
        ("/api/render/submit/task", "/api/rendering/task/plugin/pluginSubmitTask"),
        without_none(taskId=arguments.task_number("task_id", task_id), producer=producer),
        read=nothing,
        replay_safe=False,
    )


def stop_task(task_ids: Iterable[TaskNumber]) -> Call[None]:
    """Stop tasks. Frames that are done stay; the tasks can be started again.

    :param task_ids: numbers or aliases.
    :raises ValueError: an argument is not what the farm takes.
    """
    return Call(
        "stop_task",
        ("/api/rendering/task/renderingTask/stopTask", "/api/render/handle/stopTask"),
        {"taskIds": arguments.task_numbers("task_ids", task_ids)},
        read=nothing,
    )


def query_task_info(task_ids: Iterable[TaskNumber]) -> Call[dict[int, TaskInfo]]:
    """Ask for tasks by number. The answer holds those that the farm knows, by their number.

    :param task_ids: numbers or aliases, at most 100: the farm silently leaves out the rest.
    :raises ValueError: an argument is not what the farm takes.
    """
    return Call(
        "query_task_info",
        (
            "/api/render/handle/queryTaskInfo/v2",
            "/api/rendering/task/renderingTask/queryTaskInfo",
            "/api/render/handle/queryTaskInfo",
        ),
        {"taskIds": arguments.task_numbers("task_ids", task_ids, LARGEST_PAGE)},
        read=_by_number,
    )


def _by_number(data: Any) -> dict[int, TaskInfo]:
    return {task.id: task for task in _read_page(data).items}
