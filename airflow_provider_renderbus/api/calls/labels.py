"""Calls about labels and projects, which the farm keeps as one thing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api import validation as arguments
from airflow_provider_renderbus.api.call import Call, without_none
from airflow_provider_renderbus.api.parsing import anything, nothing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_renderbus.api.validation import TaskNumber


def add_project(new_name: str, status: int | None = None) -> Call[None]:
    """Make a project. A name that exists is answered with code 503.

    :param new_name: its name.
    :param status: 0 open, 1 closed; the farm takes 1 where it is left out.
    :raises ValueError: an argument is not what the farm takes.
    """
    return Call(
        "add_project",
        ("/api/render/project/add",),
        without_none(
            newName=arguments.text("new_name", new_name),
            status=None if status is None else arguments.one_of("status", status, (0, 1)),
        ),
        read=nothing,
    )


def delete_project(del_name: str) -> Call[None]:
    """Delete a project.

    :param del_name: its name.
    :raises ValueError: an argument is not what the farm takes.
    """
    return Call(
        "delete_project",
        ("/api/render/project/delete",),
        {"delName": arguments.text("del_name", del_name)},
        read=nothing,
    )


def get_project_list() -> Call[Any]:
    """List the account's projects.

    :return: an object whose projectNameList holds objects with projectId and projectName.
    """
    return Call("get_project_list", ("/api/render/project/getList",), {}, read=anything)


def list_projects(flag: int = 0) -> Call[Any]:
    """List projects.

    :param flag: 0 the account's own, 1 these and the main account's, 2 all under the main account.
    :return: an object whose projectNameList holds objects with projectId and projectName.
    :raises ValueError: an argument is not what the farm takes.
    """
    return Call(
        "list_projects",
        ("/api/render/project/list",),
        {"flag": arguments.one_of("flag", flag, (0, 1, 2))},
        read=anything,
    )


def add_task_label(label: str, task_ids: Iterable[TaskNumber]) -> Call[None]:
    """Put a label on tasks.

    :param label: the label.
    :param task_ids: numbers or aliases.
    :raises ValueError: an argument is not what the farm takes.
    """
    return Call(
        "add_task_label",
        ("/api/render/handle/addTaskLabel",),
        {
            "label": arguments.text("label", label),
            "taskIds": arguments.task_numbers("task_ids", task_ids),
        },
        read=nothing,
    )


def delete_task_label(
    task_ids: Iterable[TaskNumber], label_names: Iterable[str], label_ids: Iterable[int] | None = None
) -> Call[None]:
    """Take labels off tasks.

    :param task_ids: numbers or aliases of leaf tasks.
    :param label_names: the labels.
    :param label_ids: the labels' ids.
    :raises ValueError: an argument is not what the farm takes.
    """
    return Call(
        "delete_task_label",
        ("/api/render/handle/deleteTaskLabel", "/api/render/task/deleteTaskLabel"),
        without_none(
            taskIds=arguments.task_numbers("task_ids", task_ids),
            labelNames=arguments.texts("label_names", label_names),
            labelIds=None if label_ids is None else arguments.integers("label_ids", label_ids),
        ),
        read=nothing,
    )
