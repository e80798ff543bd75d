"""How scenes and frames travel: storages, engines, lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.parsing import (
    each,
    flag,
    integer,
    moment,
    optional,
    reader,
    required,
    text,
)
from airflow_provider_renderbus.api.secret import secret

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_renderbus.api.secret import Secret


@dataclass(frozen=True, slots=True)
class SubUserOutput:
    """The output storage of a sub-account."""

    user_id: str = required("userId", text)
    output_bid: str = required("outputBid", text)


@dataclass(frozen=True, slots=True)
class TransferBids:
    """The ids of the account's storages."""

    config_bid: str | None = optional("config_bid", text)
    input_bid: str | None = optional("input_bid", text)
    output_bid: str | None = optional("output_bid", text)
    parent_input_bid: str | None = optional("parent_input_bid", text)
    sub_user_outputs: tuple[SubUserOutput, ...] = optional(
        "sub_user_output_bids", each(reader(SubUserOutput)), ()
    )


@dataclass(frozen=True, slots=True)
class EngineAccount:
    """An account of a transfer engine on one storage."""

    bid: str | None = optional("bid", text)
    name: str | None = optional("name", text)
    password: Secret | None = optional("password", secret)


@dataclass(frozen=True, slots=True)
class EngineLine:
    """A server of a transfer engine."""

    server: str = required("server", text)
    port: str = required("port", text)
    name: str | None = optional("name", text)
    is_default: bool = optional("isDefault", flag, False)
    line_id: int | None = optional("lineId", integer)
    line_type: int | None = optional("type", integer)


@dataclass(frozen=True, slots=True)
class TransferEngine:
    """A transfer engine with its lines. ``is_default`` marks the farm's choice, not this provider's."""

    name: str = required("engineName", text)
    lines: tuple[EngineLine, ...] = optional("respTaskEngineLines", each(reader(EngineLine)), ())
    accounts: tuple[EngineAccount, ...] = optional("resqEngineAccounts", each(reader(EngineAccount)), ())
    is_default: bool = optional("isDefault", flag, False)
    automatic_check: bool = optional("automaticCheck", flag, False)
    check_server: str | None = optional("checkServer", text)
    check_port: str | None = optional("checkPort", text)
    check_enable: str | None = optional("checkEnable", text)
    check_exclude_types: str | None = optional("checkExcludType", text)


@dataclass(frozen=True, slots=True)
class TransferConfig:
    """The account's storages and the engines that reach them."""

    input_bid: str | None = optional("inputBid", text)
    output_bid: str | None = optional("outputBid", text)
    config_bid: str | None = optional("configBid", text)
    parent_input_bid: str | None = optional("parentInputBid", text)
    engines: tuple[TransferEngine, ...] = optional("resqEngines", each(reader(TransferEngine)), ())
    sub_user_outputs: tuple[SubUserOutput, ...] = optional(
        "subUserOutputBids", each(reader(SubUserOutput)), ()
    )


@dataclass(frozen=True, slots=True)
class RaysyncServer:
    """Where the engine Raysync listens."""

    server_ip: str | None = optional("serverIp", text)
    server_port: int | None = optional("serverPort", integer)
    proxy_ip: str | None = optional("proxyIp", text)
    proxy_port: int | None = optional("proxyPort", integer)
    ssl_port: int | None = optional("sslPort", integer)
    port: int | None = optional("port", integer)


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """Versions and address of the engine Raysync."""

    raysync: RaysyncServer | None = optional("raysyncTransfer", reader(RaysyncServer))
    client_version: str | None = optional("clientVersion", text)
    protocol_version: str | None = optional("protocolVersion", text)


def _hidden(wire: str, convert: Any) -> Any:
    """Declare an optional field that no repr shows, because it is about a person."""
    declared = optional(wire, convert)
    return field(default=None, repr=False, metadata=declared.metadata)


@dataclass(frozen=True, slots=True)
class RaysyncUserKey:
    """What the engine Raysync lets the account in by. It cannot be pickled."""

    raysync_user_key: Secret = required("raySyncUserKey", secret)
    user_key: Secret | None = optional("userKey", secret)
    signature: Secret | None = optional("signature", secret)
    id: int | None = optional("id", integer)
    user_name: str | None = optional("userName", text)
    phone: str | None = _hidden("phone", text)
    email: str | None = _hidden("email", text)
    channel: int | None = optional("channel", integer)
    platform: int | None = optional("platform", integer)
    version: str | None = optional("version", text)
    zone: int | None = optional("zone", integer)
    login_time: datetime | None = optional("loginTime", moment)
    info_status: int | None = optional("infoStatus", integer)
    account_type: int | None = optional("accountType", integer)
    share_main_capital: bool | None = optional("shareMainCapital", flag)
    sub_delete_task: bool | None = optional("subDeleteTask", flag)
    sub_delete_capital: bool | None = optional("subDeleteCapital", flag)
    use_main_balance: bool | None = optional("useMainBalance", flag)
    download_disable: bool | None = optional("downloadDisable", flag)


read_transfer_bids = reader(TransferBids)
read_transfer_config = reader(TransferConfig)
read_server_info = reader(ServerInfo)
read_raysync_user_key = reader(RaysyncUserKey)
