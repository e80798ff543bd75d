"""The vendor's transfer command: where it is, whether it can be run, and in what environment."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_renderbus.transfer.errors import Unusable

if TYPE_CHECKING:
    from collections.abc import Mapping

VENDORS_NAME = "rayvision_transmitter"
# What the command's processes get of this one's environment. The rest can hold connections and keys.
_HANDED_ON = {"HOME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "TMPDIR", "TZ", "USER"}
_HANDED_ON_PREFIXES = ("LC_", "RENDERBUS_FARM_")
_HOW_TO_GET_IT = (
    "The vendor ships it for Linux in the package rayvision-sync, which needs an environment of its own "
    "(python3.11 -m venv rayvision && rayvision/bin/pip install rayvision-sync==3.1.8); it lies there at "
    "lib/python3.11/site-packages/rayvision_sync/transmission/linux/rayvision_transmitter, without its run "
    "bit: chmod +x it and aspera/ascp beside it"
)
_WHERE_TO_NAME_IT = (
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
    def at(cls, given: str | None) -> Command:
        """Return the command at a path after a look whether it can be run.

        :param given: a path, or a name that is searched for in PATH.
        :raises Unusable: it is not there, or it or the program that it starts has no run bit.
        """
        if not given:
            raise Unusable(f"No transfer command is named. {_WHERE_TO_NAME_IT}. {_HOW_TO_GET_IT}.")
        found = shutil.which(given) if "/" not in given else given
        path = Path(found or given).expanduser().absolute()
        if not path.is_file():
            raise Unusable(f"There is no transfer command {given!r} on this worker. {_HOW_TO_GET_IT}.")
        _expect_run_bit(path)
        ascp = path.parent / "aspera" / "ascp"
        if path.name == VENDORS_NAME or ascp.parent.is_dir():
            # Without it the vendor's command hangs and says nothing of why.
            if not ascp.is_file():
                raise Unusable(f"{path} needs the program {ascp}, which is not there. {_HOW_TO_GET_IT}.")
            _expect_run_bit(ascp)
        return cls(path)

    def environment(self, logs: Path, given: Mapping[str, str] = os.environ) -> dict[str, str]:
        """Return the environment to run it in.

        :param logs: the folder that the vendor's command writes its own logs to.
        :param given: this process's environment.
        """
        kept = {
            name: value
            for name, value in given.items()
            if name in _HANDED_ON or name.startswith(_HANDED_ON_PREFIXES)
        }
        return kept | {"RAYVISION_LOG": str(logs)}

    @property
    def libraries(self) -> Path:
        """The folder of the shared libraries that come with it."""
        return self.path.parent


def _expect_run_bit(path: Path) -> None:
    if not os.access(path, os.X_OK):
        raise Unusable(
            f"{path} has no run bit for the worker's user; a wheel does not keep it: chmod +x {path}"
        )
