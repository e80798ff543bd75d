"""A transfer command that waits in the middle of its first transfer, for what freezes its worker there."""

from __future__ import annotations

import sys
from pathlib import Path

from airflow_provider_renderbus.farm.transmitter.command import NAME

_STARTED, _CONTINUE = "started", "continue"
_SCRIPT = f"""#!{{python}}
import os, subprocess, sys, time
from pathlib import Path

place, arguments = Path(__file__).parent, sys.argv[1:]


def transfer(**fault):
    command = [{{command!r}}, *arguments]
    return subprocess.run(command, input=b"y\\n", env=os.environ | fault).returncode


if arguments[arguments.index("-T") + 1].startswith({{direction!r}}) and not (place / "{_STARTED}").exists():
    transfer(RENDERBUS_FARM_TRANSFER_FAULT={{fault!r}})
    (place / "{_STARTED}").touch()
    while not (place / "{_CONTINUE}").exists():
        time.sleep(0.05)
sys.exit(transfer())
"""


class HaltingTransfer:
    """The command, in a folder of its own.

    :param direction: "upload" or "download": which transfer waits. It has sent half of a file by then.
    """

    def __init__(self, folder: Path, direction: str) -> None:
        folder.mkdir(parents=True)
        self.path = folder / NAME
        # Of a download, a whole file has reached its place before.
        fault = "half exit=0" if direction == "upload" else "after=1 half exit=0"
        command = str(Path(sys.executable).with_name(NAME))
        self.path.write_text(
            _SCRIPT.format(python=sys.executable, command=command, direction=direction, fault=fault)
        )
        self.path.chmod(0o755)

    @property
    def has_started(self) -> bool:
        """Whether the first transfer waits."""
        return self.path.with_name(_STARTED).exists()

    def resume(self) -> None:
        """Let it continue."""
        self.path.with_name(_CONTINUE).touch()
