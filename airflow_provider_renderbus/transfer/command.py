"""The vendor's transfer command: where it is, its environment, its argument list and its resume database."""

from __future__ import annotations

import os
import shutil
import tempfile
from configparser import ConfigParser
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from airflow_provider_renderbus.transfer.endpoints import ENGINE
from airflow_provider_renderbus.transfer.errors import TransferSetupError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_renderbus.transfer.endpoints import StorageEndpoint

VENDORS_NAME = "rayvision_transmitter"
TransferKind: TypeAlias = Literal["upload_json", "download_path", "download_list"]
MAX_SPEED_KB_PER_S = 1048576
"""The largest speed limit that the command accepts, in KB/s."""

# The environment variables that the command gets. Others can hold connections and keys.
_PASSED_ENV = {"HOME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "TMPDIR", "TZ", "USER"}
_PASSED_ENV_PREFIXES = ("LC_", "RENDERBUS_FARM_")
_INSTALL_HINT = (
    "The vendor ships it for Linux in the package rayvision-sync, which needs an environment of its own "
    "(python3.11 -m venv rayvision && rayvision/bin/pip install rayvision-sync==3.1.8). Its path there is "
    "lib/python3.11/site-packages/rayvision_sync/transmission/linux/rayvision_transmitter; make it and "
    "aspera/ascp beside it executable with chmod +x"
)
_CONFIG_HINT = (
    "Set its path in the connection's extra as transfer_command, or in Airflow's configuration as "
    "[renderbus] transfer_command"
)
_MAX_CONNECTION_FAILURES = "2"
_NO_RESUME = "None"


@dataclass(frozen=True, slots=True)
class Command:
    """A transfer command that can be run."""

    path: Path

    @classmethod
    def find(cls, name: str | None) -> Command:
        """Return the command with a path, or with a name in PATH, after checking that it can be run.

        :raises TransferSetupError: it does not exist, or it or the program that it starts is not executable.
        """
        if not name:
            raise TransferSetupError(f"No transfer command is configured. {_CONFIG_HINT}. {_INSTALL_HINT}.")
        in_path = shutil.which(name) if "/" not in name else name
        path = Path(in_path or name).expanduser().absolute()
        if not path.is_file():
            raise TransferSetupError(
                f"The transfer command {name!r} does not exist on this worker. {_INSTALL_HINT}."
            )
        _require_executable(path)
        ascp = path.parent / "aspera" / "ascp"
        if path.name == VENDORS_NAME or ascp.parent.is_dir():
            # Without it the vendor's command hangs without a message.
            if not ascp.is_file():
                raise TransferSetupError(f"{path} needs {ascp}, which does not exist. {_INSTALL_HINT}.")
            _require_executable(ascp)
        return cls(path)

    def environment(self, logs: Path, env: Mapping[str, str] = os.environ) -> dict[str, str]:
        """Return the environment to run it in; the vendor's command writes its log files to `logs`."""
        passed = {
            name: value
            for name, value in env.items()
            if name in _PASSED_ENV or name.startswith(_PASSED_ENV_PREFIXES)
        }
        return passed | {"RAYVISION_LOG": str(logs)}

    @property
    def library_folder(self) -> Path:
        """The folder of the shared libraries that it is shipped with."""
        return self.path.parent


def _require_executable(path: Path) -> None:
    if not os.access(path, os.X_OK):
        raise TransferSetupError(
            f"{path} is not executable by the worker's user (wheels lose that permission): chmod +x {path}"
        )


@dataclass(frozen=True, slots=True)
class TransferArguments:
    """The arguments of one run of the command.

    :param local: an upload.json, or the folder to download to.
    :param remote: ``/`` for an upload.json; the path in the storage for ``download_path``; the path of a
        local file with one remote path per line for ``download_list``.
    :param resume_ini: ini file of the resume database, if any.
    :param scratch: a folder of this transfer, which is removed if the worker is killed.
    """

    kind: TransferKind
    endpoint: StorageEndpoint
    local: Path
    remote: str
    resume_ini: Path | None = None
    speed_limit_kb_per_s: int = MAX_SPEED_KB_PER_S
    scratch: Path | None = None

    def argv(self) -> list[str]:
        """Return the arguments after the command's own name. They are not passed to a shell."""
        options = {
            "-E": ENGINE,
            "-H": self.endpoint.server,
            "-P": self.endpoint.port,
            "-S": self.endpoint.storage_id,
            "-U": self.endpoint.user_id,
            "-T": self.kind,
            "-L": str(self.local),
            "-R": self.remote,
            "-r": _MAX_CONNECTION_FAILURES,
            # Frames keep the folders of the storage; an upload.json has the path of each file.
            "-K": "false" if self.kind == "upload_json" else "true",
            "-s": str(self.speed_limit_kb_per_s),
            "-C": str(self.resume_ini) if self.resume_ini else _NO_RESUME,
        }
        return [word for option in options.items() for word in option]


def write_resume_ini(folder: Path, platform: str, endpoint: StorageEndpoint) -> Path:
    """Write the ini file for the command's option ``-C``, and return its path. Each storage has its database.

    Sections and keys are those that the vendor's Python client writes.

    :param folder: this connection's folder on this worker, for ini file and database; created if missing.
    :param platform: id of the render platform.
    """
    folder.mkdir(0o700, parents=True, exist_ok=True)
    storage = f"{endpoint.storage_id}-{endpoint.user_id}"
    settings = ConfigParser(interpolation=None)
    settings["database"] = {"on": "true", "platform_id": platform, "type": "sqlite"}
    settings["redis"] = {
        "host": "127.0.0.1",
        "port": "6379",
        "password": "",
        "table_index": "0",
        "timeout": "5000",
    }
    settings["sqlite"] = {"db_path": str(folder / f"sent-{storage}.db"), "temporary": "false"}
    path = folder / f"resume-{storage}.ini"
    # Replaced at once: another transfer of this connection may be reading it.
    descriptor, temporary = tempfile.mkstemp(dir=folder)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        settings.write(file)
    Path(temporary).replace(path)
    return path
