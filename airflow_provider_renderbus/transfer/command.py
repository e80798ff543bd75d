"""The vendor's transfer command: where it is, whether it can be run, and in what environment."""

from __future__ import annotations

import os
import shutil
import tempfile
from configparser import ConfigParser
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from airflow_provider_renderbus.transfer.endpoints import ENGINE
from airflow_provider_renderbus.transfer.errors import TransferSetupError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_renderbus.transfer.endpoints import StorageEndpoint


VENDORS_NAME = "rayvision_transmitter"
# What the command's processes get of this one's environment. The rest can hold connections and keys.
_PASSED_ENV = {"HOME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "TMPDIR", "TZ", "USER"}
_PASSED_ENV_PREFIXES = ("LC_", "RENDERBUS_FARM_")
_INSTALL_HINT = (
    "The vendor ships it for Linux in the package rayvision-sync, which needs an environment of its own "
    "(python3.11 -m venv rayvision && rayvision/bin/pip install rayvision-sync==3.1.8); it lies there at "
    "lib/python3.11/site-packages/rayvision_sync/transmission/linux/rayvision_transmitter, without its run "
    "bit: chmod +x it and aspera/ascp beside it"
)
_CONFIG_HINT = (
    "Name its path in the connection's extra as transfer_command, or in Airflow's configuration as "
    "[renderbus] transfer_command"
)


@dataclass(frozen=True, slots=True)
class Command:
    """A transfer command that can be run.

    :param path: of the command.
    """

    path: Path

    @classmethod
    def find(cls, given: str | None) -> Command:
        """Return the command at a path after a look whether it can be run.

        :param given: a path, or a name that is searched for in PATH.
        :raises Unusable: it is not there, or it or the program that it starts has no run bit.
        """
        if not given:
            raise TransferSetupError(f"No transfer command is named. {_CONFIG_HINT}. {_INSTALL_HINT}.")
        found = shutil.which(given) if "/" not in given else given
        path = Path(found or given).expanduser().absolute()
        if not path.is_file():
            raise TransferSetupError(
                f"There is no transfer command {given!r} on this worker. {_INSTALL_HINT}."
            )
        _require_executable(path)
        ascp = path.parent / "aspera" / "ascp"
        if path.name == VENDORS_NAME or ascp.parent.is_dir():
            # Without it the vendor's command hangs and says nothing of why.
            if not ascp.is_file():
                raise TransferSetupError(
                    f"{path} needs the program {ascp}, which is not there. {_INSTALL_HINT}."
                )
            _require_executable(ascp)
        return cls(path)

    def environment(self, logs: Path, given: Mapping[str, str] = os.environ) -> dict[str, str]:
        """Return the environment to run it in.

        :param logs: the folder that the vendor's command writes its own logs to.
        :param given: this process's environment.
        """
        kept = {
            name: value
            for name, value in given.items()
            if name in _PASSED_ENV or name.startswith(_PASSED_ENV_PREFIXES)
        }
        return kept | {"RAYVISION_LOG": str(logs)}

    @property
    def library_folder(self) -> Path:
        """The folder of the shared libraries that come with it."""
        return self.path.parent


def _require_executable(path: Path) -> None:
    if not os.access(path, os.X_OK):
        raise TransferSetupError(
            f"{path} has no run bit for the worker's user; a wheel does not keep it: chmod +x {path}"
        )


MAX_SPEED_KB_PER_S = 1048576
"""The largest speed limit that the command takes, in KB/s."""
_CONNECTION_FAILURES = "2"
_NO_RESUME = "None"


@dataclass(frozen=True, slots=True)
class TransferArguments:
    """What the command is to do.

    :param kind: ``upload_json``, ``download_path`` or ``download_list``.
    :param route: the way to the storage.
    :param local: an upload.json, or the folder that is downloaded into.
    :param remote: ``/`` for an upload.json, the path in the storage for ``download_path``, the local file
        with a path a line for ``download_list``.
    :param resume: ini file of the resume database, where there is one.
    :param speed_limit: KB/s.
    """

    kind: Literal["upload_json", "download_path", "download_list"]
    endpoint: StorageEndpoint
    local: Path
    remote: str
    resume_ini: Path | None = None
    speed_limit_kb_per_s: int = MAX_SPEED_KB_PER_S

    def argv(self) -> list[str]:
        """Return the arguments after the command's own name. They go to no shell."""
        values = {
            "-E": ENGINE,
            "-H": self.endpoint.server,
            "-P": self.endpoint.port,
            "-S": self.endpoint.storage_id,
            "-U": self.endpoint.user_id,
            "-T": self.kind,
            "-L": str(self.local),
            "-R": self.remote,
            "-r": _CONNECTION_FAILURES,
            # Frames keep the folders of the storage; an upload.json says itself where each file goes.
            "-K": "false" if self.kind == "upload_json" else "true",
            "-s": str(self.speed_limit_kb_per_s),
            "-C": str(self.resume_ini) if self.resume_ini else _NO_RESUME,
        }
        return [word for pair in values.items() for word in pair]


def write_resume_ini(folder: Path, platform: str, route: StorageEndpoint) -> Path:
    """Write the ini file that the command's ``-C`` names, and return its path.

    Sections and keys are those that the vendor's Python client writes.

    :param folder: of this connection on this worker, for ini file and database; made where it is missing.
    :param platform: number of the render platform.
    :param route: the way to the storage: what was sent to one is not in another.
    :raises OSError: it cannot be written.
    """
    folder.mkdir(0o700, parents=True, exist_ok=True)
    storage = f"{route.storage_id}-{route.user_id}"
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
    ini = folder / f"resume-{storage}.ini"
    # Another transfer of this connection may read it at this moment.
    descriptor, new = tempfile.mkstemp(dir=folder)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        settings.write(file)
    Path(new).replace(ini)
    return ini
