"""Calls on the customer's storage, and on the servers that give access to it."""

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


def get_transfer_bid(_ctx: CallContext, _request: Request) -> dict[str, Any]:
    """Return the ids of the customer's storages."""
    return {
        "config_bid": CONFIG_BID,
        "input_bid": INPUT_BID,
        "output_bid": OUTPUT_BID,
        "parent_input_bid": INPUT_BID,
        "sub_user_output_bids": [],
    }


def get_transfer_config(ctx: CallContext, _request: Request) -> dict[str, Any]:
    """Return the transfer engines and lines of the storages.

    The passwords open nothing: the transfer command of this farm needs none.
    """
    accounts = [
        {"bid": bid, "name": bid, "password": ctx.account.transfer_password(bid)}
        for bid in (INPUT_BID, OUTPUT_BID, CONFIG_BID)
    ]
    engines = (
        ("Aspera", "Aspera_main", str(ctx.port), accounts, 1),
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
                        "server": ctx.host,
                        "port": port,
                        "isDefault": 1,
                        "lineId": line_id,
                        "type": 0,
                    }
                ],
                "engineName": engine,
                "automaticCheck": 0,
                "checkServer": ctx.host,
                "checkPort": port,
                "checkEnable": "0",
                "checkExcludType": "",
                "isDefault": is_default,
            }
            for line_id, (engine, line, port, accounts_of_engine, is_default) in enumerate(engines, 121)
        ],
        "subUserOutputBids": [],
    }


def get_server_info(ctx: CallContext, request: Request) -> dict[str, Any]:
    """Return the address of the RaySync server; every zone has the same."""
    request.one_of("zone", 1, 2)
    return {
        "clientVersion": "3.2.8.2",
        "protocolVersion": "3.2.8.2",
        "raysyncTransfer": {
            "serverIp": ctx.host,
            "serverPort": int(RAYSYNC_PORT),
            "proxyIp": ctx.host,
            "proxyPort": 32_001,
            "sslPort": 2443,
            "port": 2442,
        },
    }


def get_raysync_user_key(ctx: CallContext, request: Request) -> dict[str, Any]:
    """Return the keys for the RaySync server. They open nothing: this farm has no such server."""
    return {
        "channel": 2,
        "platform": request.platform,
        "signature": ctx.account.raysync_key("signature"),
        "version": "1.0.0",
        "userKey": ctx.account.raysync_key("user"),
        "id": USER_ID,
        "userName": USER_NAME,
        "zone": 1,
        "phone": "",
        "email": "",
        "loginTime": int(ctx.clock.unix_time() * 1000),
        "infoStatus": 0,
        "accountType": 2,
        "shareMainCapital": 0,
        "subDeleteTask": 0,
        "subDeleteCapital": 1,
        "useMainBalance": 0,
        "downloadDisable": 0,
        "raySyncUserKey": ctx.account.raysync_key("server"),
    }


def get_output_files(ctx: CallContext, request: Request) -> list[dict[str, Any]]:
    """List a folder of the output storage, or with ``taskId`` only the output folder of that task."""
    storage = ctx.storage
    if request.has("taskId"):
        folder = storage.resolve_folder(ctx.task(request.integer("taskId")).output_folder)
        return _entries(ctx, [str(folder)] if folder else [])
    path = request.string("treePath", "/")
    folder = storage.resolve_folder(path)
    if folder is None:
        raise ApiRefusal(FOLDER_NOT_FOUND, path=path)
    return _entries(ctx, storage.list_folder(folder))


def _entries(ctx: CallContext, paths: Iterable[str]) -> list[dict[str, Any]]:
    """Return the entries of files, without links and deleted files."""
    in_arrears = cache(partial(_in_arrears, ctx))
    entries = (
        ctx.storage.file_entry(path, in_arrears=in_arrears(ctx.storage.customer_path(path).split("/", 2)[1]))
        for path in paths
    )
    return [entry for entry in entries if entry]


def _in_arrears(ctx: CallContext, top_folder: str) -> bool:
    """Return whether the task of an output folder has unpaid frames. The folder's name starts with its id."""
    task_id = top_folder.partition("_")[0]
    task = ctx.simulation.tasks.get(int(task_id)) if task_id.isdecimal() else None
    return bool(task and task.unpaid)
