"""Calls about labels and projects, which are the same objects on the farm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_renderbus.api import validation
from airflow_provider_renderbus.api.call import Call, drop_none
from airflow_provider_renderbus.api.models.projects import ProjectList, read_project_list
from airflow_provider_renderbus.api.parsing import ignore

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_renderbus.api.validation import TaskId


def add_project(new_name: str, status: int | None = None) -> Call[None]:
    """Add a project. The farm responds with code 503 if the name exists.

    :param new_name: name of the project.
    :param status: 0 open, 1 closed; 1 if omitted.
    """
    return Call(
        "add_project",
        ("/api/render/project/add",),
        drop_none(
            newName=validation.non_blank_line("new_name", new_name),
            status=validation.optional(validation.one_of, "status", status, (0, 1)),
        ),
        read=ignore,
    )


def delete_project(del_name: str) -> Call[None]:
    """Delete a project.

    :param del_name: name of the project.
    """
    return Call(
        "delete_project",
        ("/api/render/project/delete",),
        {"delName": validation.non_blank_line("del_name", del_name)},
        read=ignore,
    )


def get_project_list() -> Call[ProjectList]:
    """List the account's projects."""
    return Call("get_project_list", ("/api/render/project/getList",), {}, read=read_project_list)


def list_projects(flag: int = 0) -> Call[ProjectList]:
    """List projects.

    :param flag: 0 the account's own, 1 the account's and the main account's, 2 all below the main account.
    """
    return Call(
        "list_projects",
        ("/api/render/project/list",),
        {"flag": validation.one_of("flag", flag, (0, 1, 2))},
        read=read_project_list,
    )


def add_task_label(label: str, task_ids: Iterable[TaskId]) -> Call[None]:
    """Add a label to tasks.

    :param label: the label.
    :param task_ids: ids or aliases.
    """
    return Call(
        "add_task_label",
        ("/api/render/handle/addTaskLabel",),
        {
            "label": validation.non_blank_line("label", label),
            "taskIds": validation.parse_task_ids("task_ids", task_ids),
        },
        read=ignore,
    )


def delete_task_label(
    task_ids: Iterable[TaskId], label_names: Iterable[str], label_ids: Iterable[int] | None = None
) -> Call[None]:
    """Remove labels from tasks.

    :param task_ids: ids or aliases of leaf tasks.
    :param label_names: names of the labels.
    :param label_ids: ids of the labels.
    """
    return Call(
        "delete_task_label",
        ("/api/render/handle/deleteTaskLabel", "/api/render/task/deleteTaskLabel"),
        drop_none(
            taskIds=validation.parse_task_ids("task_ids", task_ids),
            labelNames=validation.non_blank_lines("label_names", label_names),
            labelIds=validation.optional(validation.require_ints, "label_ids", label_ids),
        ),
        read=ignore,
    )
