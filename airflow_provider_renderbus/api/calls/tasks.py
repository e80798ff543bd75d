"""Calls about tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api import validation
from airflow_provider_renderbus.api.call import Call, drop_none
from airflow_provider_renderbus.api.models.page import Page, page_reader
from airflow_provider_renderbus.api.models.tasks import (
    CreatedTasks,
    ErrorDetail,
    TaskInfo,
    read_created_tasks,
    read_error_detail,
    read_task,
)
from airflow_provider_renderbus.api.parsing import ignore, list_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_renderbus.api.validation import TaskId

_read_page = page_reader(read_task)


def create_task(
    count: int = 1,
    task_user_level: int = 50,
    out_user_id: int | None = None,
    labels: Sequence[str] | None = None,
    clone_original_id: TaskId | None = None,
    artist: str | None = None,
) -> Call[CreatedTasks]:
    """Create tasks. They cost nothing until they are submitted.

    :param count: number of tasks.
    :param task_user_level: priority among the account's own tasks, 50 or 60.
    :param out_user_id: id that the caller gives its own customer.
    :param labels: labels of the tasks in the farm's web console.
    :param clone_original_id: id or alias of the task to clone.
    :param artist: name of the artist who made the scene.
    """
    return Call(
        "create_task",
        ("/api/render/submit/createTask", "/api/render/task/createTask"),
        drop_none(
            count=validation.positive_int("count", count),
            taskUserLevel=validation.one_of("task_user_level", task_user_level, validation.USER_LEVELS),
            outUserId=validation.optional(validation.require_int, "out_user_id", out_user_id),
            labels=validation.optional(validation.non_blank_lines, "labels", labels),
            cloneOriginalId=validation.optional(
                validation.parse_task_id, "clone_original_id", clone_original_id
            ),
            artist=validation.optional(validation.one_line, "artist", artist),
        ),
        read=read_created_tasks,
    )


def submit_task(task_id: TaskId, producer: str | None = None) -> Call[None]:
    """Submit a task whose task.json is uploaded. It starts to cost money, so it is never replayed.

    :param task_id: id or alias.
    :param producer: name of the artist, which is returned in the task's info.
    """
    return Call(
        "submit_task",
        ("/api/render/submit/task", "/api/rendering/task/plugin/pluginSubmitTask"),
        drop_none(
            taskId=validation.parse_task_id("task_id", task_id),
            producer=validation.optional(validation.one_line, "producer", producer),
        ),
        read=ignore,
        replay_safe=False,
        spends=True,
    )


def get_task_list(
    page_num: int = 1,
    page_size: int = validation.MAX_PAGE_SIZE,
    status_list: Iterable[int] | None = None,
    search_keyword: str | None = None,
    start_time: str | None = None,
    end_time: str | None = None,
    recycle_flag: int | None = None,
) -> Call[Page[TaskInfo]]:
    """Query a page of the account's tasks.

    :param page_num: page number, from 1.
    :param page_size: tasks per page, at most 100.
    :param status_list: only tasks with these statuses, codes or members of `TaskStatus`.
    :param search_keyword: only tasks whose scene name or id contains this text.
    :param start_time: only tasks submitted at or after this time, "yyyy-MM-dd HH:mm:ss" in an undocumented
        time zone.
    :param end_time: only tasks submitted until this time; see `start_time`.
    :param recycle_flag: 1 for deleted tasks; the farm ignores it if there are other filters.
    """
    return Call(
        "get_task_list",
        ("/api/render/handle/getTaskList/v2", "/api/render/handle/getTaskList"),
        drop_none(
            pageNum=validation.positive_int("page_num", page_num),
            pageSize=validation.page_size("page_size", page_size),
            statusList=validation.optional(validation.require_ints, "status_list", status_list),
            searchKeyword=validation.optional(validation.require_str, "search_keyword", search_keyword),
            startTime=validation.optional(validation.require_str, "start_time", start_time),
            endTime=validation.optional(validation.require_str, "end_time", end_time),
            recycleFlag=validation.optional(validation.one_of, "recycle_flag", recycle_flag, (0, 1)),
        ),
        read=_read_page,
        paged=True,
    )


def stop_task(task_ids: Iterable[TaskId]) -> Call[None]:
    """Stop tasks. Frames that are done stay; the tasks can be started again.

    :param task_ids: ids or aliases.
    """
    return _task_ids_call(
        "stop_task",
        ("/api/rendering/task/renderingTask/stopTask", "/api/render/handle/stopTask"),
        task_ids,
    )


def start_task(task_ids: Iterable[TaskId]) -> Call[None]:
    """Start tasks that were stopped.

    :param task_ids: ids or aliases.
    """
    return _task_ids_call(
        "start_task",
        ("/api/rendering/task/renderingTask/startTask", "/api/render/handle/startTask"),
        task_ids,
        spends=True,
    )


def abandon_task(task_ids: Iterable[TaskId]) -> Call[None]:
    """Abandon tasks: they cannot be started again.

    :param task_ids: ids or aliases.
    """
    return _task_ids_call("abandon_task", ("/api/render/handle/abandonTask",), task_ids)


def delete_task(task_ids: Iterable[TaskId]) -> Call[None]:
    """Delete tasks.

    :param task_ids: ids or aliases.
    """
    return _task_ids_call("delete_task", ("/api/render/handle/deleteTask",), task_ids)


def full_speed(task_ids: Iterable[TaskId]) -> Call[None]:
    """Resume tasks that paused after their test frames (the vendor: priority frames).

    :param task_ids: ids or aliases.
    """
    return _task_ids_call("full_speed", ("/api/render/handle/fullSpeedRendering",), task_ids, spends=True)


def query_task_info(task_ids: Iterable[TaskId]) -> Call[dict[int, TaskInfo]]:
    """Query tasks by id. The result holds the tasks that exist, by id.

    :param task_ids: ids or aliases, at most 100: the farm silently ignores the rest.
    """
    return Call(
        "query_task_info",
        (
            "/api/render/handle/queryTaskInfo/v2",
            "/api/rendering/task/renderingTask/queryTaskInfo",
            "/api/render/handle/queryTaskInfo",
        ),
        {"taskIds": validation.parse_task_ids("task_ids", task_ids, validation.MAX_PAGE_SIZE)},
        read=_by_id,
        paged=True,
    )


def query_error_detail(
    code: str | None = None, codes: Iterable[str] | None = None, language: str = "0"
) -> Call[tuple[ErrorDetail, ...]]:
    """Query the meanings of codes of an analysis (tips.json).

    :param code: one code.
    :param codes: several codes.
    :param language: "0" Chinese, "1" English.
    :raises ValueError: neither `code` nor `codes` is given, or an argument is invalid.
    """
    if code is None and codes is None:
        raise ValueError("code: must be given, or codes")
    return Call(
        "query_error_detail",
        ("/api/render/submit/queryAnalyseErrorDetail",),
        drop_none(
            code=validation.optional(validation.non_empty_str, "code", code),
            codes=validation.optional(validation.non_empty_strs, "codes", codes),
            language=validation.one_of("language", language, validation.LANGUAGES),
        ),
        read=list_of(read_error_detail),
    )


def update_task_user_level(task_id: TaskId, task_user_level: int) -> Call[None]:
    """Change a task's priority among the account's own.

    :param task_id: id or alias.
    :param task_user_level: 50 or 60.
    """
    return Call(
        "update_task_user_level",
        ("/api/rendering/task/renderingTask/updateTaskUserLevel",),
        {
            "taskId": validation.parse_task_id("task_id", task_id),
            "taskUserLevel": validation.one_of("task_user_level", task_user_level, validation.USER_LEVELS),
        },
        read=ignore,
    )


def set_task_overtime_stop(task_ids: Iterable[TaskId], over_time: int) -> Call[None]:
    """Limit the time that a frame of tasks may take.

    :param task_ids: ids or aliases.
    :param over_time: seconds.
    """
    return Call(
        "set_task_overtime_stop",
        ("/api/render/handle/setTaskOverTimeStop",),
        {
            "taskIds": validation.parse_task_ids("task_ids", task_ids),
            "overTime": validation.positive_int("over_time", over_time),
        },
        read=ignore,
    )


def update_task_limit(task_id: TaskId, task_limit: int) -> Call[None]:
    """Limit the number of machines that render a task.

    :param task_id: id or alias.
    :param task_limit: number of machines.
    """
    return Call(
        "update_task_limit",
        ("/api/render/handle/updateTaskLimit",),
        {
            "taskId": validation.parse_task_id("task_id", task_id),
            "taskLimit": validation.positive_int("task_limit", task_limit),
        },
        read=ignore,
    )


def edit_task_hardware_config(
    task_ids: Iterable[TaskId],
    hardware_config_ids: Iterable[str],
    model: str,
    ram: str,
    gpu_num: str = "",
) -> Call[None]:
    """Move tasks to another kind of machine.

    :param task_ids: ids or aliases.
    :param hardware_config_ids: ids of machines of one kind, from `list_hardware_configs`.
    :param model: model of the machines, e.g. "Default".
    :param ram: memory of the machines, e.g. "64GB".
    :param gpu_num: graphics cards of the machines, e.g. "2*GPU"; empty for CPU machines.
    """
    return Call(
        "edit_task_hardware_config",
        ("/api/render/handle/editTaskHardwareConfig",),
        {
            "taskIds": validation.parse_task_ids("task_ids", task_ids),
            "hardwareConfigIds": validation.non_empty_strs("hardware_config_ids", hardware_config_ids),
            "model": validation.non_empty_str("model", model),
            "gpuNum": validation.require_str("gpu_num", gpu_num),
            "ram": validation.non_empty_str("ram", ram),
        },
        read=ignore,
    )


def _task_ids_call(
    name: str, paths: tuple[str, ...], task_ids: Iterable[TaskId], *, spends: bool = False
) -> Call[None]:
    body = {"taskIds": validation.parse_task_ids("task_ids", task_ids)}
    return Call(name, paths, body, read=ignore, spends=spends)


def _by_id(data: Any) -> dict[int, TaskInfo]:
    return {task.id: task for task in _read_page(data).items}
