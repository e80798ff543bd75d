"""The way to a storage: server, storage id and user id, from what the farm tells of the account."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_renderbus.transfer.errors import TransferSetupError

if TYPE_CHECKING:
    from airflow_provider_renderbus.api.models.account import UserProfile
    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.api.models.transfer import EngineLine, TransferBids, TransferConfig

ENGINE = "aspera"
_SERVER = re.compile(r"[0-9A-Za-z:\[][0-9A-Za-z.:\]_-]*")
_ID = re.compile(r"[0-9A-Za-z]+")


@dataclass(frozen=True, slots=True)
class StorageEndpoint:
    """The way to one storage of one user.

    :param server: host name or address.
    :param port: of the server.
    :param storage_id: of the storage.
    :param user_id: whose part of the storage it is.
    :raises Unusable: a value is none that could be one, which a command line must not be made of.
    """

    server: str
    port: str
    storage_id: str
    user_id: str

    def __post_init__(self) -> None:
        for name, pattern in (("server", _SERVER), ("port", _ID), ("storage_id", _ID), ("user_id", _ID)):
            value = getattr(self, name)
            if not pattern.fullmatch(value):
                raise TransferSetupError(
                    f"The farm tells {value[:80]!r} as the {name.replace('_', ' ')} of a transfer"
                )


def select_line(config: TransferConfig, name: str | None = None) -> EngineLine:
    """Return the line to transfer over.

    The engine is known by its name: the farm's own choice (`isDefault`) can be one that the command does not
    speak, and an engine's accounts can be missing.

    :param config: what get_transfer_config answers.
    :param name: the line's name; the farm's default line where it is left out.
    :raises Unusable: there is no such line.
    """
    lines = [line for engine in config.engines if engine.name.lower() == ENGINE for line in engine.lines]
    for line in lines:
        if line.name == name if name else line.is_default:
            return line
    wanted = f"line named {name!r}" if name else "default line"
    there = ", ".join(repr(line.name) for line in lines) or "none"
    raise TransferSetupError(f"The engine {ENGINE} has no {wanted}; its lines are: {there}")


def input_endpoint(
    line: EngineLine, profile: UserProfile, bids: TransferBids, *, main_account: bool
) -> StorageEndpoint:
    """Return the way to the storage of scenes and assets.

    :param line: the line to transfer over.
    :param profile: of the account.
    :param bids: the account's storages.
    :param main_account: whether a sub-account's scenes go to its main account's storage.
    :raises Unusable: the farm does not tell of the storage or its user.
    """
    storage, user = (
        (bids.parent_input_bid, profile.main_user_id) if main_account else (bids.input_bid, profile.user_id)
    )
    if not storage or not user:
        whose = "main account's storage" if main_account else "account's storage"
        raise TransferSetupError(f"The farm names no id of the {whose} for scenes, or no user of it")
    return StorageEndpoint(line.server, line.port, storage, str(user))


def output_endpoint(
    line: EngineLine, profile: UserProfile, bids: TransferBids, leaf: TaskInfo
) -> StorageEndpoint:
    """Return the way to the frames of a leaf task.

    The leaf's own storage and user come first, so that a main account can fetch a sub-account's frames.

    :param line: the line to transfer over.
    :param profile: of the account.
    :param bids: the account's storages.
    :param leaf: a leaf task.
    :raises Unusable: the farm does not tell of the storage.
    """
    user = str(leaf.user_id or profile.user_id)
    of_sub_users = {each.user_id: each.output_bid for each in bids.sub_user_outputs}
    storage = leaf.bid or of_sub_users.get(user) or bids.output_bid
    if not storage:
        raise TransferSetupError(
            f"The farm names no id of the storage that holds the frames of task {leaf.id}"
        )
    return StorageEndpoint(line.server, line.port, storage, user)
