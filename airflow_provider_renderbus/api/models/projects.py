"""The account's projects."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_renderbus.api.parsing import list_of, read_id, read_str, reader_for, required_field


@dataclass(frozen=True, slots=True)
class Project:
    """A project, to which tasks belong."""

    id: int = required_field("projectId", read_id)
    name: str = required_field("projectName", read_str)


@dataclass(frozen=True, slots=True)
class ProjectList:
    """The projects that a call lists."""

    projects: tuple[Project, ...] = required_field("projectNameList", list_of(reader_for(Project)))


read_project_list = reader_for(ProjectList)
