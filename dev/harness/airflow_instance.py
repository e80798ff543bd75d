"""A whole Airflow on this machine: its settings and its four processes."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sqlite3
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
from cryptography.fernet import Fernet
from sqlalchemy import create_engine, text

from dev.harness.airflow_api import AirflowApi
from dev.harness.processes import Program, Programs, free_port

_HOST = "127.0.0.1"
_PREWARMED = Path(__file__).with_name("prewarmed_component.py")
# Each would reach the processes from the user's shell: another Airflow's settings and connections, another
# farm's, and a switch that makes each process import for 5 s instead of 2 s.
_NOT_INHERITED = ("AIRFLOW", "_AIRFLOW", "RENDERBUS", "PYTHONDONTWRITEBYTECODE")
# The processes beside the API server, and their options.
_COMPONENTS = {"dag-processor": (), "scheduler": ("--skip-serve-logs",), "triggerer": ("--skip-serve-logs",)}

NO_PROXY = {"NO_PROXY": _HOST, "no_proxy": _HOST}
"""Environment variables that keep requests to this machine from going through a proxy."""


def inherited_environment() -> dict[str, str]:
    """Return this process's environment for a program that talks to 127.0.0.1 only."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}
    return environment | NO_PROXY | {"PYTHONUNBUFFERED": "1"}


def connections_file_settings(file: Path) -> dict[str, str]:
    """Return the settings by which an Airflow reads its connections from a file, each time it needs one."""
    return {
        "AIRFLOW__SECRETS__BACKEND": "airflow.secrets.local_filesystem.LocalFilesystemBackend",
        "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps({"connections_file_path": str(file)}),
    }


@dataclass
class AirflowInstance(AirflowApi):
    """An Airflow in a folder, on SQLite and LocalExecutor, with an open REST API on 127.0.0.1.

    It is started on entry of its ``with`` block, and terminated with the others of ``programs``.

    :param settings: environment variables that override those made here.
    """

    home: Path
    dags: Path
    programs: Programs
    settings: Mapping[str, str] = field(default_factory=dict)
    python: Path = Path(sys.executable)

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True)
        # With no file there, each of the processes that start first would write one, with keys of its own.
        (self.home / "airflow.cfg").touch()
        self.port = free_port(_HOST)
        self.url = f"http://{_HOST}:{self.port}"
        fernet_key = Fernet.generate_key()
        self._fernet = Fernet(fernet_key)
        self._keys = {
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(64),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(64),
            "AIRFLOW__CORE__FERNET_KEY": fernet_key.decode(),
        }
        self.components: dict[str, Program] = {}
        """The processes that were started last, by their names."""
        self._http = httpx.Client(base_url=self.url, timeout=30.0, trust_env=False)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def environment(self) -> dict[str, str]:
        """Return the environment of its processes."""
        own = {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__HOST": _HOST,
            "AIRFLOW__API__PORT": str(self.port),
            # Airflow 3.0 signs no token without one, together with the PyJWT of today.
            "AIRFLOW__API_AUTH__JWT_ISSUER": self.url,
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
            "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
            # The DAGs do not change while it runs, so each is parsed once.
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
            "AIRFLOW__DAG_PROCESSOR__PRINT_STATS_INTERVAL": "0",
            # Airflow 3.0 deletes a DAG that was not parsed for so long.
            "AIRFLOW__DAG_PROCESSOR__STALE_DAG_THRESHOLD": "86400",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
            # A worker notices the end of its task's process only after this time if the process closed its
            # pipes a moment before it ended (Airflow 3.3.2, WatchedSubprocess; 5 s by default).
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        }
        return inherited_environment() | own | self._keys | dict(self.settings)

    def environment_of(self, name: str) -> dict[str, str]:  # noqa: ARG002 - it has one of its own on a machine
        """Return the environment of one of its processes."""
        return self.environment()

    def start(self, timeout: float = 120.0) -> None:
        """Make the database, start the four processes and return when the API server serves.

        :raises ProgramError: a process ended, or the time-out has passed.
        """
        # Importing is most of the API server's start and needs no database: both at once save seconds.
        command = [str(self.python), str(_PREWARMED), "airflow.api_fastapi.main", "api-server"]
        api_server = self._start("api-server", command, paused=True)
        self.components["api-server"] = api_server
        self._migrate_database(timeout)
        api_server.resume()
        for name in _COMPONENTS:
            self.start_component(name)
        self.programs.wait_until("a response of Airflow's API server", self._is_serving, timeout)

    def _migrate_database(self, timeout: float) -> None:
        migration = self.run("db-migrate", "db", "migrate", may_end=True)
        self.programs.wait_until("Airflow's database", lambda: migration.process.poll() == 0, timeout)

    def start_component(self, component: str, *options: str, name: str = "") -> Program:
        """Start one of the processes beside the API server, again or one more.

        :param component: "dag-processor", "scheduler" or "triggerer".
        :param name: its name in messages and of its log; that of the component by default.
        """
        name = name or component
        self.components[name] = self.run(name, component, *_COMPONENTS[component], *options)
        return self.components[name]

    def run(self, name: str, *arguments: str, may_end: bool = False) -> Program:
        """Start ``airflow`` with arguments, with ``<home>/<name>.log`` as its log."""
        return self._start(name, [str(self.python.with_name("airflow")), *arguments], may_end=may_end)

    def log(self, name: str) -> Path:
        """Return the path of a process's log."""
        return self.home / f"{name}.log"

    def task_log(self, instance: Mapping[str, Any]) -> Path:
        """Return the path of the log of a task instance's last try, as Airflow names it."""
        folder = self.home / "logs" / f"dag_id={instance['dag_id']}" / f"run_id={instance['dag_run_id']}"
        folder /= f"task_id={instance['task_id']}"
        if instance["map_index"] >= 0:
            folder /= f"map_index={instance['map_index']}"
        return folder / f"attempt={instance['try_number']}.log"

    def change_database(self, statement: str, parameters: Mapping[str, Any]) -> None:
        """Execute SQL with ``:name`` for parameters, e.g. so that a timeout of hours has passed."""
        default = f"sqlite:///{self.home / 'airflow.db'}"
        engine = create_engine(self.settings.get("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", default))
        try:
            with engine.begin() as connection:
                connection.execute(text(statement), parameters)
        finally:
            engine.dispose()

    def triggers(self) -> set[str]:
        """Return the arguments of the triggers that wait now, as JSON.

        Airflow encrypts them, but not those that come from a worker through its API (3.3.2).
        """
        url = f"file:{self.home / 'airflow.db'}?mode=ro"
        with contextlib.closing(sqlite3.connect(url, timeout=30.0, uri=True)) as database:
            rows = database.execute("select kwargs from trigger").fetchall()
        return {
            kwargs if kwargs.startswith("{") else self._fernet.decrypt(kwargs).decode() for (kwargs,) in rows
        }

    def _is_serving(self) -> bool:
        """Return whether the API server serves tasks. The first such request takes seconds: not a task's."""
        try:
            return self._http.get("/execution/health").is_success
        except httpx.TransportError:
            return False

    def _start(
        self, name: str, command: list[str], *, may_end: bool = False, paused: bool = False
    ) -> Program:
        return self.programs.start(
            command,
            name=f"Airflow's {name}",
            environment=self.environment_of(name),
            log=self.log(name),
            may_end=may_end,
            paused=paused,
        )
