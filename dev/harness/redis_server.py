"""A Redis server in a folder, from the program of the machine's package."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from dev.harness.airflow_instance import inherited_environment
from dev.harness.postgres import is_listening
from dev.harness.processes import Program, ProgramError, Programs, free_port

_HOST = "127.0.0.1"


@dataclass
class Redis:
    """A server with Debian's settings: at SIGTERM it saves its data, at SIGKILL it loses the last minutes.

    :param folder: a new folder for its data.
    """

    folder: Path
    programs: Programs
    program: Program = field(init=False)
    """Its program, since it was started last."""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self._port = free_port(_HOST)
        self._password = secrets.token_hex(16)
        # Not on the command line, where every user sees it.
        file = self.folder / "redis.conf"
        file.touch(0o600)
        file.write_text(
            f"bind {_HOST}\nport {self._port}\ndir {self.folder}\nrequirepass {self._password}\n"
            "save 3600 1 300 100 60 10000\nappendonly no\n"
        )
        self._command = [shutil.which("redis-server") or "", str(file)]

    @property
    def url(self) -> str:
        """The URL by which Celery reaches it."""
        return f"redis://:{self._password}@{_HOST}:{self._port}/0"

    def start(self) -> None:
        """Start it, for the first time or again.

        :raises ProgramError: Redis is not installed, or its server does not start.
        """
        if not self._command[0]:
            raise ProgramError(
                "Redis is not installed. Install it; on Debian and Ubuntu: apt install redis-server"
            )
        self.program = self.programs.start(
            self._command,
            name="Redis",
            environment=inherited_environment(),
            log=self.folder.with_suffix(".log"),
        )
        self.programs.wait_until("Redis's start", lambda: is_listening(self._port), timeout=30.0)
