"""The storage of a transfer: server, storage id and user id, from what the farm says about the account."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_renderbus.api.text import join_limited
from airflow_provider_renderbus.transfer.errors import TransferSetupError

if TYPE_CHECKING:
    from airflow_provider_renderbus.api.models.account import UserProfile
    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.api.models.transfer import EngineLine, TransferBids, TransferConfig

ENGINE = "aspera"
_SERVER_PATTERN = re.compile(r"[0-9A-Za-z:\[][0-9A-Za-z.:\]_-]*")
_ID_PATTERN = re.compile(r"[0-9A-Za-z]+")
_EXCERPT_CHARS = 80


@dataclass(frozen=True, slots=True)
class StorageEndpoint:
    """One storage of one user: a server, the id of the storage, and the user whose part of it this is.

    :raises TransferSetupError: a value is not valid, so that it must not become part of a command line.
    """

    server: str
    port: str
    storage_id: str
    user_id: str

    def __post_init__(self) -> None:
        for field in ("server", "port", "storage_id", "user_id"):
            value = getattr(self, field)
            pattern = _SERVER_PATTERN if field == "server" else _ID_PATTERN
            if not pattern.fullmatch(value):
                raise TransferSetupError(
                    f"The farm returned an invalid {field.replace('_', ' ')} for transfers: "
                    f"{value[:_EXCERPT_CHARS]!r}"
                )


def select_line(config: TransferConfig, name: str | None = None) -> EngineLine:
    """Return the line with a name, or the farm's default line.

    The engine is selected by its name: the farm's default engine (`isDefault`) can be one that the command
    does not support, and the accounts of an engine can be missing.

    :raises TransferSetupError: there is no such line.
    """
    lines = [line for engine in config.engines if engine.name.lower() == ENGINE for line in engine.lines]
    for line in lines:
        if line.name == name if name else line.is_default:
            return line
    missing = f"line {name!r}" if name else "default line"
    names = join_limited([repr(line.name) for line in lines], ", ") or "none"
    raise TransferSetupError(f"The transfer engine {ENGINE} has no {missing}; its lines are: {names}")


def input_endpoint(
    line: EngineLine, profile: UserProfile, bids: TransferBids, *, main_account: bool
) -> StorageEndpoint:
    """Return the storage of scenes and assets: of the account, or of its main account.

    :raises TransferSetupError: the farm does not return the storage's id or its user.
    """
    storage_id, user_id = (
        (bids.parent_input_bid, profile.main_user_id) if main_account else (bids.input_bid, profile.user_id)
    )
    if not storage_id or not user_id:
        account = "main account" if main_account else "account"
        raise TransferSetupError(f"The farm returned no input storage id or no user id of the {account}")
    return StorageEndpoint(line.server, line.port, storage_id, str(user_id))


def output_endpoint(
    line: EngineLine, profile: UserProfile, bids: TransferBids, leaf: TaskInfo
) -> StorageEndpoint:
    """Return the storage of the frames of a leaf task.

    Storage and user of the leaf have precedence, so that a main account can download a sub-account's frames.

    :raises TransferSetupError: the farm does not return the storage's id.
    """
    user_id = str(leaf.user_id or profile.user_id)
    sub_user_storages = {each.user_id: each.output_bid for each in bids.sub_user_outputs}
    storage_id = leaf.bid or sub_user_storages.get(user_id) or bids.output_bid
    if not storage_id:
        raise TransferSetupError(f"Render {leaf.id}: the farm returned no id of the storage with its frames")
    return StorageEndpoint(line.server, line.port, storage_id, user_id)
