"""A PostgreSQL server in a folder, from the programs of the machine's package."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dev.harness.airflow_instance import inherited_environment
from dev.harness.processes import Program, ProgramError, Programs, free_port

_HOST = "127.0.0.1"
_USER = "postgres"
# Debian keeps the server's programs of each version in a folder that is on no PATH.
_DEBIAN = "/usr/lib/postgresql"


@dataclass
class Postgres:
    """A server.

    :param url: the URL by which Airflow reaches it.
    """

    url: str
    _start: Callable[[], Program]
    program: Program = field(init=False)

    def start(self) -> None:
        """Start it, for the first time or again."""
        self.program = self._start()


@contextmanager
def postgres(programs: Programs, log: Path) -> Generator[str]:
    """Run a new server among the programs, and yield the URL by which Airflow reaches it.

    :raises ProgramError: PostgreSQL is not installed, or its server does not start.
    """
    with postgres_server(programs, log) as server:
        yield server.url


@contextmanager
def postgres_server(programs: Programs, log: Path) -> Generator[Postgres]:
    """Run a new server that can be restarted.

    :raises ProgramError: PostgreSQL is not installed, or its server does not start.
    """
    binaries = _binaries()
    folder = Path(tempfile.mkdtemp(prefix="renderbus-postgres-"))
    password = secrets.token_hex(16)
    # The server refuses to run as root.
    as_user = [] if os.geteuid() else ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups"]
    try:
        password_file = folder / "password"
        password_file.touch(0o600)
        password_file.write_text(password)
        if as_user:
            account = pwd.getpwnam(_USER)
            for path in (folder, password_file):
                os.chown(path, account.pw_uid, account.pw_gid)
        data = folder / "data"
        command = [*as_user, str(binaries / "initdb"), f"--pgdata={data}", f"--username={_USER}"]
        command += ["--auth=scram-sha-256", f"--pwfile={password_file}", "--no-locale", "--encoding=UTF8"]
        initdb = subprocess.run(
            command, env=inherited_environment(), cwd="/", capture_output=True, text=True, check=False
        )
        if initdb.returncode:
            raise ProgramError(f"PostgreSQL's initdb has failed:\n{initdb.stderr}")
        port = free_port(_HOST)
        command = [*as_user, str(binaries / "postgres"), "-D", str(data), "-p", str(port)]
        for setting in (f"listen_addresses={_HOST}", "unix_socket_directories=", "fsync=off"):
            command += ["-c", setting]

        def start() -> Program:
            program = programs.start(command, name="PostgreSQL", environment=inherited_environment(), log=log)
            programs.wait_until("PostgreSQL's start", lambda: is_listening(port), timeout=30.0)
            return program

        url = f"postgresql+psycopg2://{_USER}:{password}@{_HOST}:{port}/postgres"
        server = Postgres(url, start)
        server.start()
        yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _binaries() -> Path:
    if on_path := shutil.which("postgres"):
        return Path(on_path).resolve().parent
    versions = sorted(Path(_DEBIAN).glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not versions:
        raise ProgramError(
            "PostgreSQL is not installed. Install it; on Debian and Ubuntu: apt install postgresql"
        )
    return versions[-1].parent


def is_listening(port: int) -> bool:
    """Return whether a program listens on a port of this machine."""
    with socket.socket() as client:
        return client.connect_ex((_HOST, port)) == 0
