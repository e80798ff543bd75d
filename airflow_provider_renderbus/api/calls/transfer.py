"""Calls about files: a task's configuration and its output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_renderbus.api import arguments
from airflow_provider_renderbus.api.call import Call, without_none
from airflow_provider_renderbus.api.models.outputs import OutputFile, read_output_file
from airflow_provider_renderbus.api.reading import each, nothing

if TYPE_CHECKING:
    from airflow_provider_renderbus.api.arguments import TaskNumber


def upload_task_json(task_id: TaskNumber, content: str, file_name: str = "task.json") -> Call[None]:
    """Upload one of the files that describe a task, before it is submitted.

    :param task_id: the task's number or alias.
    :param content: the file, as JSON text.
    :param file_name: task.json, upload.json, asset.json or tips.json; the farm takes no other.
    :raises ValueError: an argument is not what the farm takes.
    """
    return Call(
        "upload_task_json",
        ("/api/render/submit/taskJsonFile",),
        {
            "taskId": arguments.task_number("task_id", task_id),
            "fileName": arguments.one_of("file_name", file_name, arguments.CONFIG_FILES),
            "content": arguments.text("content", content),
        },
        read=nothing,
    )


def get_output_files(task_id: TaskNumber | None = None, tree_path: str = "/") -> Call[tuple[OutputFile, ...]]:
    """List a folder of the account's output storage.

    :param task_id: number or alias of a leaf: only its top folder is listed, whose own files a second
        call lists, without `task_id` and with that folder's path.
    :param tree_path: the folder, relative to the storage's root.
    :raises ValueError: an argument is not what the farm takes.
    """
    return Call(
        "get_output_files",
        ("/api/render/file/operate/getOutputUserDirFile",),
        without_none(
            taskId=None if task_id is None else arguments.task_number("task_id", task_id),
            treePath=arguments.text("tree_path", tree_path),
        ),
        read=each(read_output_file),
    )
