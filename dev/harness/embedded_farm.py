"""The embedded farm: in this process, or as a running program."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.call import Call
from airflow_provider_renderbus.api.secret import find_secrets
from airflow_provider_renderbus.clients.client import Client
from airflow_provider_renderbus.clients.request_flow import Response, SigningSession
from airflow_provider_renderbus.clients.settings import Settings
from airflow_provider_renderbus.farm import Farm
from airflow_provider_renderbus.farm.calls import ROUTES
from airflow_provider_renderbus.farm.calls.tasks import upload_task_json
from dev.harness.airflow_instance import inherited_environment
from dev.harness.processes import Program, Programs

Handle = Callable[[str, Mapping[str, str], bytes], tuple[int, Any, bytes]]

T = TypeVar("T")
CONNECTION_ID = "renderbus_default"


def settings_of(connection: Mapping[str, Any]) -> Settings:
    """Return a client's settings for the embedded farm with this Airflow connection."""
    return Settings(
        domain=f"{connection['host']}:{connection['port']}",
        access_id=connection["login"],
        access_key=connection["password"],
        platform=connection["extra"]["platform"],
        protocol=connection["schema"],
    )


def put_scene(storage: Path, scene: str) -> None:
    """Put an empty file where a scene is in the input storage of a farm.

    :param storage: the farm's storage folder.
    :param scene: path of the scene, as a machine of the farm opens it.
    """
    (inputs,) = (storage / "input").iterdir()
    path = inputs / scene.replace("\\", "/").replace(":", "").lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


class StockedFarm(Farm):
    """A farm in this process, whose customer uploads each scene together with its task.json."""

    def handle(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Answer a request. The scene of an uploaded task.json is there before the answer."""
        answer = super().handle(path, headers, body)
        if ROUTES.get(path) is upload_task_json:
            # What is malformed has no scene.
            with contextlib.suppress(ValueError, LookupError, TypeError, RecursionError, OSError):
                scene = json.loads(json.loads(body)["content"])["task_info"]["input_cg_file"]
                put_scene(self.output_root.parents[1], scene)
        return answer


class InProcessClient:
    """Sends calls to a farm in this process, without retries; ``handle`` answers as Farm.handle does."""

    def __init__(self, handle: Handle, settings: Settings) -> None:
        self._handle = handle
        self._session = SigningSession(settings, clock=time.time, first_nonce=0)

    def send(self, call: Call[T]) -> T:
        """Send a call and return its result."""
        flow = self._session.request_flow(call)
        request = next(flow)
        while True:
            url = urlsplit(request.url)
            status, _, body = self._handle(url.path, {"Host": url.netloc, **request.headers}, request.body)
            try:
                request = flow.send(Response(status, body))
            except StopIteration as end:
                result: T = end.value
                return result


@dataclass(frozen=True)
class EmbeddedFarm:
    """A farm whose storage folder is known, and a file of its output; :meth:`start` runs it."""

    storage: Path
    log: Path
    scenario: Mapping[str, Any] = field(default_factory=dict)

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

    def start(self, programs: Programs, speed: float, seconds: float = 30.0, port: int = 0) -> Program:
        """Start the farm and return when it serves.

        :param speed: farm seconds that pass in a second.
        :param port: its port; 0 for a free one.
        :raises ProgramError: it ended, or the time is over.
        """
        self.connections_file.unlink(missing_ok=True)  # of a farm that was killed
        scenario = self.log.with_name("scenario.json")
        scenario.write_text(json.dumps(self.scenario))
        command = [sys.executable, "-m", "airflow_provider_renderbus.farm", "--port", str(port)]
        command += ["--storage", str(self.storage), "--speed", str(speed), "--scenario", str(scenario)]
        program = programs.start(command, name="the farm", environment=inherited_environment(), log=self.log)
        programs.wait_until("the farm's start", self.connections_file.exists, seconds)
        return program

    @property
    def connection(self) -> dict[str, Any]:
        """The Airflow connection to the running farm. It holds the key."""
        connection: dict[str, Any] = json.loads(self.connections_file.read_text())[CONNECTION_ID]
        return connection

    @property
    def settings(self) -> Settings:
        """A client's settings for the running farm."""
        return settings_of(self.connection)

    @property
    def port(self) -> int:
        """The port of the running farm."""
        return int(self.connection["port"])

    def secrets(self, client: Client) -> dict[str, str]:
        """Return the secrets of the account, the key and what the farm returns, each with its name."""
        handed_out = find_secrets(
            [client.send(calls.get_transfer_config()), client.send(calls.get_raysync_user_key())]
        )
        return {
            str(self.connection["password"]): "the access key",
            **{secret.get_secret_value(): "a transfer password" for secret in handed_out},
        }

    def client(self) -> Client:
        """Return a client of the running farm."""
        return Client(self.settings)
