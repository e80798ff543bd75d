"""The embedded farm as a running program."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.secret import find_secrets
from airflow_provider_renderbus.clients.client import Client
from airflow_provider_renderbus.clients.settings import Settings
from dev.harness.airflow_instance import inherited_environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from dev.harness.processes import Programs

CONNECTION_ID = "renderbus_default"


def settings_of(connection: Mapping[str, Any]) -> Settings:
    """Return a client's settings for an embedded farm.

    :param connection: the farm's Airflow connection, as :meth:`Farm.connection` returns it.
    """
    return Settings(
        domain=f"{connection['host']}:{connection['port']}",
        access_id=connection["login"],
        access_key=connection["password"],
        platform=connection["extra"]["platform"],
        protocol=connection["extra"]["protocol"],
    )


@dataclass(frozen=True)
class EmbeddedFarm:
    """A farm whose storage folder is known; :meth:`start` runs it.

    :param storage: the folder. The key lies there, in files that only their owner may read.
    :param log: where its output goes.
    """

    storage: Path
    log: Path

    @property
    def connections_file(self) -> Path:
        """The file of Airflow connections, which appears when the farm serves."""
        return self.storage / "connections.json"

    @property
    def private_files(self) -> frozenset[Path]:
        """The files that hold the key."""
        return frozenset({self.storage / "account.json", self.connections_file})

    @property
    def frames_folder(self) -> Path:
        """The folder that its one customer sees as "/" of the output storage."""
        (folder,) = (self.storage / "output").iterdir()
        return folder

    def start(self, programs: Programs, speed: float, seconds: float = 30.0) -> None:
        """Start the farm on a free port and return when it serves.

        :param programs: ends it.
        :param speed: farm seconds that pass in a second.
        :param seconds: how long the start may take.
        :raises ProgramError: it ended, or the time is over.
        """
        command = [sys.executable, "-m", "airflow_provider_renderbus.farm", "--port", "0"]
        command += ["--storage", str(self.storage), "--speed", str(speed)]
        programs.start(command, name="the farm", environment=inherited_environment(), log=self.log)
        programs.wait_until("the farm's start", self.connections_file.exists, seconds)

    @property
    def address(self) -> str:
        """Host and port."""
        return settings_of(self._connection()).domain

    def secrets(self, client: Client) -> dict[str, str]:
        """Return the account's secrets, the key and what the farm hands out, and what each is.

        :param client: asks the farm, which must be running.
        """
        handed_out = find_secrets(
            [client.send(calls.get_transfer_config()), client.send(calls.get_raysync_user_key())]
        )
        return {
            str(self._connection()["password"]): "the access key",
            **{secret.get_secret_value(): "a transfer password" for secret in handed_out},
        }

    def client(self) -> Client:
        """Return a client of the farm."""
        return Client(settings_of(self._connection()))

    def _connection(self) -> dict[str, Any]:
        connection: dict[str, Any] = json.loads(self.connections_file.read_text())[CONNECTION_ID]
        return connection
