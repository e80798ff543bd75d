"""Calls about the customer's storage, and about the way to it."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.server.envelope import FOLDER_NOT_FOUND, ApiRefusal
from airflow_provider_renderbus.farm.simulation.account import (
    CONFIG_BID,
    INPUT_BID,
    OUTPUT_BID,
    USER_ID,
    USER_NAME,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_renderbus.farm.calls.context import CallContext, Request

RAYSYNC_PORT = "2121"


def get_transfer_bid(_desk: CallContext, _request: Request) -> dict[str, Any]:
    """Tell the ids of the customer's storages."""
    return {
        "config_bid": CONFIG_BID,
        "input_bid": INPUT_BID,
        "output_bid": OUTPUT_BID,
        "parent_input_bid": INPUT_BID,
        "sub_user_output_bids": [],
    }


def get_transfer_config(desk: CallContext, _request: Request) -> dict[str, Any]:
    """Tell the engines and lines by which the storages are reached.

    The passwords are for show: what moves files here asks for none.
    """
    accounts = [
        {"bid": bid, "name": bid, "password": desk.account.transfer_password(bid)}
        for bid in (INPUT_BID, OUTPUT_BID, CONFIG_BID)
    ]
    engines = (
        ("Aspera", "Aspera_main", str(desk.port), accounts, 1),
        ("RaySync", "raysync_main", RAYSYNC_PORT, None, 0),
    )
    return {
        "inputBid": INPUT_BID,
        "outputBid": OUTPUT_BID,
        "configBid": CONFIG_BID,
        "parentInputBid": None,
        "resqEngines": [
            {
                "resqEngineAccounts": accounts_of_engine,
                "respTaskEngineLines": [
                    {
                        "name": line,
                        "server": desk.host,
                        "port": port,
                        "isDefault": 1,
                        "lineId": number,
                        "type": 0,
                    }
                ],
                "engineName": engine,
                "automaticCheck": 0,
                "checkServer": desk.host,
                "checkPort": port,
                "checkEnable": "0",
                "checkExcludType": "",
                "isDefault": is_default,
            }
            for number, (engine, line, port, accounts_of_engine, is_default) in enumerate(engines, 121)
        ],
        "subUserOutputBids": [],
    }


def get_server_info(desk: CallContext, request: Request) -> dict[str, Any]:
    """Tell where the RaySync server is; every zone has the same."""
    request.one_of("zone", 1, 2)
    return {
        "clientVersion": "3.2.8.2",
        "protocolVersion": "3.2.8.2",
        "raysyncTransfer": {
            "serverIp": desk.host,
            "serverPort": int(RAYSYNC_PORT),
            "proxyIp": desk.host,
            "proxyPort": 32_001,
            "sslPort": 2443,
            "port": 2442,
        },
    }


def get_raysync_user_key(desk: CallContext, request: Request) -> dict[str, Any]:
    """Tell the keys for the RaySync server, which this farm does not have: they open nothing."""
    return {
        "channel": 2,
        "platform": request.platform,
        "signature": desk.account.raysync_key("signature"),
        "version": "1.0.0",
        "userKey": desk.account.raysync_key("user"),
        "id": USER_ID,
        "userName": USER_NAME,
        "zone": 1,
        "phone": "",
        "email": "",
        "loginTime": int(desk.clock.unix_time() * 1000),
        "infoStatus": 0,
        "accountType": 2,
        "shareMainCapital": 0,
        "subDeleteTask": 0,
        "subDeleteCapital": 1,
        "useMainBalance": 0,
        "downloadDisable": 0,
        "raySyncUserKey": desk.account.raysync_key("server"),
    }


def get_output_files(desk: CallContext, request: Request) -> list[dict[str, Any]]:
    """List a folder of the output storage; of a task given by number only its one top folder."""
    storage = desk.storage
    if request.has("taskId"):
        folder = storage.resolve_folder(desk.task(request.integer("taskId")).output_folder)
        return _entries(desk, [str(folder)] if folder else [])
    path = request.string("treePath", "/")
    folder = storage.resolve_folder(path)
    if folder is None:
        raise ApiRefusal(FOLDER_NOT_FOUND, path=path)
    return _entries(desk, storage.list_folder(folder))


def _entries(desk: CallContext, paths: Iterable[str]) -> list[dict[str, Any]]:
    """Return what the farm tells about files, without links and what has vanished."""
    in_arrears = cache(partial(_in_arrears, desk))
    told = (
        desk.storage.file_entry(
            path, in_arrears=in_arrears(desk.storage.customer_path(path).split("/", 2)[1])
        )
        for path in paths
    )
    return [entry for entry in told if entry]


def _in_arrears(desk: CallContext, top_folder: str) -> bool:
    """Return whether money is owed for what is in a folder, which bears its task's number."""
    number = top_folder.partition("_")[0]
    task = desk.simulation.tasks.get(int(number)) if number.isdecimal() else None
    return bool(task and task.unpaid)
