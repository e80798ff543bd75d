"""Calls about the customer's storage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.account import CONFIG_BID, INPUT_BID, OUTPUT_BID
from airflow_provider_renderbus.farm.envelope import NO_FOLDER, Refused

if TYPE_CHECKING:
    from airflow_provider_renderbus.farm.calls.desk import Desk, Request


def get_transfer_bid(_desk: Desk, _request: Request) -> dict[str, Any]:
    """Tell the ids of the customer's storages."""
    return {
        "config_bid": CONFIG_BID,
        "input_bid": INPUT_BID,
        "output_bid": OUTPUT_BID,
        "parent_input_bid": INPUT_BID,
        "sub_user_output_bids": [],
    }


def get_output_files(desk: Desk, request: Request) -> list[dict[str, Any]]:
    """List a folder of the output storage; of a task given by number only its one top folder."""
    storage = desk.storage
    if "taskId" in request.body:
        folder = storage.folder(desk.task(request.number("taskId")).output_name)
        return [storage.entry(folder)] if folder else []
    path = request.text("treePath", "/")
    folder = storage.folder(path)
    if folder is None:
        raise Refused(NO_FOLDER, path=path)
    return [storage.entry(entry) for entry in sorted(folder.iterdir())]
