"""Calls about projects, and about the labels of tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.server.envelope import NAME_TAKEN, NO_NAME, Refused

if TYPE_CHECKING:
    from airflow_provider_renderbus.farm.calls.context import Desk, Request


def add_project(desk: Desk, request: Request) -> None:
    """Add a project; a known name is refused with 503."""
    name, status = request.text("newName"), request.choice("status", 1, 0)
    projects = _projects(desk)
    if any(project["projectName"] == name for project in projects):
        raise Refused(NAME_TAKEN, name=name)
    number = max((project["projectId"] for project in projects), default=0) + 1
    desk.books.note("projects", [*projects, {"projectId": number, "projectName": name, "status": status}])


def delete_project(desk: Desk, request: Request) -> None:
    """Delete a project."""
    name, projects = request.text("delName"), _projects(desk)
    rest = [project for project in projects if project["projectName"] != name]
    if len(rest) == len(projects):
        raise Refused(NO_NAME, name=name)
    desk.books.note("projects", rest)


def get_project_list(desk: Desk, _request: Request) -> dict[str, Any]:
    """Tell the customer's projects."""
    return {
        "projectNameList": [
            {"projectId": project["projectId"], "projectName": project["projectName"]}
            for project in _projects(desk)
        ]
    }


def list_projects(desk: Desk, request: Request) -> dict[str, Any]:
    """Tell the customer's projects; it has no sub-accounts, so every flag gives the same."""
    request.choice("flag", 0, 1, 2)
    return get_project_list(desk, request)


def add_task_label(desk: Desk, request: Request) -> None:
    """Give tasks a label; one that has it keeps it once."""
    label = request.text("label")
    for task in desk.tasks(request):
        if label not in task.labels:
            task.labels.append(label)
            desk.life.touch(task)


def delete_task_label(desk: Desk, request: Request) -> None:
    """Take labels from tasks. Labels have no ids here, so the ids are not looked at."""
    names = request.texts("labelNames")
    request.numbers("labelIds", [])
    for task in desk.tasks(request):
        task.labels = [label for label in task.labels if label not in names]
        desk.life.touch(task)


def _projects(desk: Desk) -> list[dict[str, Any]]:
    projects: list[dict[str, Any]] = desk.books.fact("projects", [])
    return projects
