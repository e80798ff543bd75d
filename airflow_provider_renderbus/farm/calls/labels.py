"""Calls on projects and on the labels of tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.server.envelope import NAME_EXISTS, NAME_NOT_FOUND, ApiRefusal

if TYPE_CHECKING:
    from airflow_provider_renderbus.farm.calls.context import CallContext, Request


def add_project(ctx: CallContext, request: Request) -> None:
    """Add a project; an existing name is refused with 503."""
    name, status = request.string("newName"), request.one_of("status", 1, 0)
    projects = _projects(ctx)
    if any(project["projectName"] == name for project in projects):
        raise ApiRefusal(NAME_EXISTS, name=name)
    project_id = max((project["projectId"] for project in projects), default=0) + 1
    ctx.database.set_value(
        "projects", [*projects, {"projectId": project_id, "projectName": name, "status": status}]
    )


def delete_project(ctx: CallContext, request: Request) -> None:
    """Delete a project."""
    name, projects = request.string("delName"), _projects(ctx)
    remaining = [project for project in projects if project["projectName"] != name]
    if len(remaining) == len(projects):
        raise ApiRefusal(NAME_NOT_FOUND, name=name)
    ctx.database.set_value("projects", remaining)


def get_project_list(ctx: CallContext, _request: Request) -> dict[str, Any]:
    """Return the customer's projects."""
    return {
        "projectNameList": [
            {"projectId": project["projectId"], "projectName": project["projectName"]}
            for project in _projects(ctx)
        ]
    }


def list_projects(ctx: CallContext, request: Request) -> dict[str, Any]:
    """Return the customer's projects; without sub-accounts every flag returns the same."""
    request.one_of("flag", 0, 1, 2)
    return get_project_list(ctx, request)


def add_task_label(ctx: CallContext, request: Request) -> None:
    """Add a label to tasks; each has a label at most once."""
    label = request.string("label")
    for task in ctx.tasks(request):
        if label not in task.labels:
            task.labels.append(label)
            ctx.simulation.mark_dirty(task)


def delete_task_label(ctx: CallContext, request: Request) -> None:
    """Remove labels from tasks. Labels have no ids here: the ids of the request are ignored."""
    names = request.strings("labelNames")
    request.integers("labelIds", [])
    for task in ctx.tasks(request):
        task.labels = [label for label in task.labels if label not in names]
        ctx.simulation.mark_dirty(task)


def _projects(ctx: CallContext) -> list[dict[str, Any]]:
    projects: list[dict[str, Any]] = ctx.database.get_value("projects", [])
    return projects
