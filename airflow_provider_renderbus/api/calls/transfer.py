"""Calls about files: the files that describe a task, its output, and the transfer of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_renderbus.api import validation
from airflow_provider_renderbus.api.call import Call, drop_none
from airflow_provider_renderbus.api.models.transfer import (
    OutputFile,
    RaysyncUserKey,
    ServerInfo,
    TransferBids,
    TransferConfig,
    read_output_file,
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

    :param task_id: id or alias.
    :param content: content of the file, JSON text.
    :param file_name: task.json, upload.json, asset.json or tips.json.
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

    :param task_id: id or alias of a leaf: only its top folder is listed. A second call without `task_id` and
        with the path of that folder lists the files in it.
    :param tree_path: path of the folder, relative to the storage's root.
    """
    return Call(
        "get_output_files",
        ("/api/render/file/operate/getOutputUserDirFile",),
        drop_none(
            taskId=validation.optional(validation.parse_task_id, "task_id", task_id),
            treePath=validation.non_empty_str("tree_path", tree_path),
        ),
        read=list_of(read_output_file),
    )


def get_transfer_bid() -> Call[TransferBids]:
    """Query the ids of the account's storages."""
    return Call(
        "get_transfer_bid",
        ("/api/render/transfer/getBid", "/api/rendering/task/plugin/getPluginTransferBid"),
        {},
        read=read_transfer_bids,
    )


def get_transfer_config() -> Call[TransferConfig]:
    """Query the transfer engines and their lines. The result holds passwords and cannot be pickled."""
    return Call(
        "get_transfer_config",
        ("/api/render/transfer/getConfig",),
        {},
        read=read_transfer_config,
        returns_secrets=True,
    )


def get_server_info(zone: int | None = None) -> Call[ServerInfo]:
    """Query the address of the engine Raysync.

    :param zone: 1 or 2; sources disagree about which of them is China. Not needed.
    """
    return Call(
        "get_server_info",
        ("/api/render/transfer/getServerInfo",),
        drop_none(zone=validation.optional(validation.one_of, "zone", zone, validation.ZONES)),
        read=read_server_info,
    )


def get_raysync_user_key() -> Call[RaysyncUserKey]:
    """Query the account's credentials for the engine Raysync. The result cannot be pickled."""
    return Call(
        "get_raysync_user_key",
        ("/api/render/transfer/getRaySyncUserKey", "/api/render/user/getRaySyncUserKey"),
        {},
        read=read_raysync_user_key,
        returns_secrets=True,
    )
