"""Calls about projects, and about the labels of tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.server.envelope import NAME_EXISTS, NAME_NOT_FOUND, ApiRefusal

if TYPE_CHECKING:
    from airflow_provider_renderbus.farm.calls.context import CallContext, Request


def add_project(desk: CallContext, request: Request) -> None:
    """Add a project; a known name is refused with 503."""
    name, status = request.string("newName"), request.one_of("status", 1, 0)
    projects = _projects(desk)
    if any(project["projectName"] == name for project in projects):
        raise ApiRefusal(NAME_EXISTS, name=name)
    number = max((project["projectId"] for project in projects), default=0) + 1
    desk.database.set_value(
        "projects", [*projects, {"projectId": number, "projectName": name, "status": status}]
    )


def delete_project(desk: CallContext, request: Request) -> None:
    """Delete a project."""
    name, projects = request.string("delName"), _projects(desk)
    rest = [project for project in projects if project["projectName"] != name]
    if len(rest) == len(projects):
        raise ApiRefusal(NAME_NOT_FOUND, name=name)
    desk.database.set_value("projects", rest)


def get_project_list(desk: CallContext, _request: Request) -> dict[str, Any]:
    """Tell the customer's projects."""
    return {
        "projectNameList": [
            {"projectId": project["projectId"], "projectName": project["projectName"]}
            for project in _projects(desk)
        ]
    }


def list_projects(desk: CallContext, request: Request) -> dict[str, Any]:
    """Tell the customer's projects; it has no sub-accounts, so every flag gives the same."""
    request.one_of("flag", 0, 1, 2)
    return get_project_list(desk, request)


def add_task_label(desk: CallContext, request: Request) -> None:
    """Give tasks a label; one that has it keeps it once."""
    label = request.string("label")
    for task in desk.tasks(request):
        if label not in task.labels:
            task.labels.append(label)
            desk.simulation.mark_dirty(task)


def delete_task_label(desk: CallContext, request: Request) -> None:
    """Take labels from tasks. Labels have no ids here, so the ids are not looked at."""
    names = request.strings("labelNames")
    request.integers("labelIds", [])
    for task in desk.tasks(request):
        task.labels = [label for label in task.labels if label not in names]
        desk.simulation.mark_dirty(task)


def _projects(desk: CallContext) -> list[dict[str, Any]]:
    projects: list[dict[str, Any]] = desk.database.get_value("projects", [])
    return projects
