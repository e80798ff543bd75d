"""Storages, their files, and the engines and lines that transfer files to and from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.parsing import (
    list_of,
    optional_field,
    read_bool,
    read_count,
    read_int,
    read_non_empty_str,
    read_str,
    read_timestamp_ms,
    reader_for,
    required_field,
)
from airflow_provider_renderbus.api.secret import read_secret

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_renderbus.api.secret import Secret


@dataclass(frozen=True, slots=True)
class SubUserOutput:
    """The output storage of a sub-account."""

    user_id: str = required_field("userId", read_str)
    output_bid: str = required_field("outputBid", read_str)


@dataclass(frozen=True, slots=True)
class TransferBids:
    """Ids of the account's storages."""

    config_bid: str | None = optional_field("config_bid", read_str)
    input_bid: str | None = optional_field("input_bid", read_str)
    output_bid: str | None = optional_field("output_bid", read_str)
    parent_input_bid: str | None = optional_field("parent_input_bid", read_str)
    sub_user_outputs: tuple[SubUserOutput, ...] = optional_field(
        "sub_user_output_bids", list_of(reader_for(SubUserOutput)), ()
    )


@dataclass(frozen=True, slots=True)
class EngineAccount:
    """An account of a transfer engine on one storage."""

    bid: str | None = optional_field("bid", read_str)
    name: str | None = optional_field("name", read_str)
    password: Secret | None = optional_field("password", read_secret)


@dataclass(frozen=True, slots=True)
class EngineLine:
    """A server of a transfer engine."""

    server: str = required_field("server", read_str)
    port: str = required_field("port", read_str)
    name: str | None = optional_field("name", read_str)
    is_default: bool = optional_field("isDefault", read_bool, False)
    line_id: int | None = optional_field("lineId", read_int)
    line_type: int | None = optional_field("type", read_int)


@dataclass(frozen=True, slots=True)
class TransferEngine:
    """A transfer engine with its lines. ``is_default`` marks the farm's choice, not this provider's."""

    name: str = required_field("engineName", read_str)
    lines: tuple[EngineLine, ...] = optional_field("respTaskEngineLines", list_of(reader_for(EngineLine)), ())
    accounts: tuple[EngineAccount, ...] = optional_field(
        "resqEngineAccounts", list_of(reader_for(EngineAccount)), ()
    )
    is_default: bool = optional_field("isDefault", read_bool, False)
    automatic_check: bool = optional_field("automaticCheck", read_bool, False)
    check_server: str | None = optional_field("checkServer", read_str)
    check_port: str | None = optional_field("checkPort", read_str)
    check_enable: str | None = optional_field("checkEnable", read_str)
    check_exclude_types: str | None = optional_field("checkExcludType", read_str)


@dataclass(frozen=True, slots=True)
class TransferConfig:
    """The account's storages, and the engines that transfer to and from them."""

    input_bid: str | None = optional_field("inputBid", read_str)
    output_bid: str | None = optional_field("outputBid", read_str)
    config_bid: str | None = optional_field("configBid", read_str)
    parent_input_bid: str | None = optional_field("parentInputBid", read_str)
    engines: tuple[TransferEngine, ...] = optional_field(
        "resqEngines", list_of(reader_for(TransferEngine)), ()
    )
    sub_user_outputs: tuple[SubUserOutput, ...] = optional_field(
        "subUserOutputBids", list_of(reader_for(SubUserOutput)), ()
    )


@dataclass(frozen=True, slots=True)
class RaysyncServer:
    """Address of the engine Raysync."""

    server_ip: str | None = optional_field("serverIp", read_str)
    server_port: int | None = optional_field("serverPort", read_int)
    proxy_ip: str | None = optional_field("proxyIp", read_str)
    proxy_port: int | None = optional_field("proxyPort", read_int)
    ssl_port: int | None = optional_field("sslPort", read_int)
    port: int | None = optional_field("port", read_int)


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """Versions and address of the engine Raysync."""

    raysync: RaysyncServer | None = optional_field("raysyncTransfer", reader_for(RaysyncServer))
    client_version: str | None = optional_field("clientVersion", read_str)
    protocol_version: str | None = optional_field("protocolVersion", read_str)


def _private_field(json_key: str, read: Any) -> Any:
    """Declare an optional field with personal data, which no repr shows."""
    return field(default=None, repr=False, metadata=optional_field(json_key, read).metadata)


@dataclass(frozen=True, slots=True)
class RaysyncUserKey:
    """Credentials of the account for the engine Raysync. It cannot be pickled."""

    raysync_user_key: Secret = required_field("raySyncUserKey", read_secret)
    user_key: Secret | None = optional_field("userKey", read_secret)
    signature: Secret | None = optional_field("signature", read_secret)
    id: int | None = optional_field("id", read_int)
    user_name: str | None = optional_field("userName", read_str)
    phone: str | None = _private_field("phone", read_str)
    email: str | None = _private_field("email", read_str)
    channel: int | None = optional_field("channel", read_int)
    platform: int | None = optional_field("platform", read_int)
    version: str | None = optional_field("version", read_str)
    zone: int | None = optional_field("zone", read_int)
    login_time: datetime | None = optional_field("loginTime", read_timestamp_ms)
    info_status: int | None = optional_field("infoStatus", read_int)
    account_type: int | None = optional_field("accountType", read_int)
    share_main_capital: bool | None = optional_field("shareMainCapital", read_bool)
    sub_delete_task: bool | None = optional_field("subDeleteTask", read_bool)
    sub_delete_capital: bool | None = optional_field("subDeleteCapital", read_bool)
    use_main_balance: bool | None = optional_field("useMainBalance", read_bool)
    download_disable: bool | None = optional_field("downloadDisable", read_bool)


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A file or a folder in the account's output storage.

    ``path`` is relative to the storage's root and begins with a slash. ``modified`` carries no time zone.
    """

    name: str = required_field("fileName", read_str)
    path: str = required_field("filePath", read_non_empty_str)
    is_directory: bool = required_field("directory", read_bool)
    size: int | None = optional_field("fileSize", read_count)
    file_type: str | None = optional_field("fileType", read_str)
    modified: str | None = optional_field("lastModify", read_str)
    in_arrears: bool = optional_field("isArrears", read_bool, False)
    icon_path: str | None = optional_field("iconPath", read_str)


read_transfer_bids = reader_for(TransferBids)
read_transfer_config = reader_for(TransferConfig)
read_server_info = reader_for(ServerInfo)
read_raysync_user_key = reader_for(RaysyncUserKey)
read_output_file = reader_for(OutputFile)
