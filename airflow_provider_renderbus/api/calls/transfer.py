"""Calls about files: a task's configuration, its output, and how scenes and frames travel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_renderbus.api import validation
from airflow_provider_renderbus.api.call import Call, drop_none
from airflow_provider_renderbus.api.models.outputs import OutputFile, read_output_file
from airflow_provider_renderbus.api.models.transfer import (
    RaysyncUserKey,
    ServerInfo,
    TransferBids,
    TransferConfig,
    read_raysync_user_key,
    read_server_info,
    read_transfer_bids,
    read_transfer_config,
)
from airflow_provider_renderbus.api.parsing import ignore, list_of

if TYPE_CHECKING:
    from airflow_provider_renderbus.api.validation import TaskId


def upload_task_json(task_id: TaskId, content: str, file_name: str = "task.json") -> Call[None]:
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
            "taskId": validation.parse_task_id("task_id", task_id),
            "fileName": validation.one_of("file_name", file_name, validation.TASK_FILE_NAMES),
            "content": validation.non_empty_str("content", content),
        },
        read=ignore,
    )


def get_output_files(task_id: TaskId | None = None, tree_path: str = "/") -> Call[tuple[OutputFile, ...]]:
    """List a folder of the account's output storage.

    :param task_id: number or alias of a leaf: only its top folder is listed, whose own files a second
        call lists, without `task_id` and with that folder's path.
    :param tree_path: the folder, relative to the storage's root.
    :raises ValueError: an argument is not what the farm takes.
    """
    return Call(
        "get_output_files",
        ("/api/render/file/operate/getOutputUserDirFile",),
        drop_none(
            taskId=validation.optional_task_id("task_id", task_id),
            treePath=validation.non_empty_str("tree_path", tree_path),
        ),
        read=list_of(read_output_file),
    )


def get_transfer_bid() -> Call[TransferBids]:
    """Ask for the ids of the account's storages."""
    return Call(
        "get_transfer_bid",
        ("/api/render/transfer/getBid", "/api/rendering/task/plugin/getPluginTransferBid"),
        {},
        read=read_transfer_bids,
    )


def get_transfer_config() -> Call[TransferConfig]:
    """Ask for the transfer engines and their lines. The answer holds passwords and cannot be pickled."""
    return Call(
        "get_transfer_config",
        ("/api/render/transfer/getConfig",),
        {},
        read=read_transfer_config,
        returns_secrets=True,
    )


def get_server_info(zone: int | None = None) -> Call[ServerInfo]:
    """Ask where the engine Raysync listens.

    :param zone: 1 or 2; sources disagree which is China, and none is needed.
    :raises ValueError: an argument is not what the farm takes.
    """
    return Call(
        "get_server_info",
        ("/api/render/transfer/getServerInfo",),
        drop_none(zone=None if zone is None else validation.one_of("zone", zone, validation.ZONES)),
        read=read_server_info,
    )


def get_raysync_user_key() -> Call[RaysyncUserKey]:
    """Ask for what the engine Raysync lets the account in by. The answer cannot be pickled."""
    return Call(
        "get_raysync_user_key",
        ("/api/render/transfer/getRaySyncUserKey", "/api/render/user/getRaySyncUserKey"),
        {},
        read=read_raysync_user_key,
        returns_secrets=True,
    )
