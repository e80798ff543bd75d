"""An Airflow on several machines: CeleryExecutor, two workers and two triggerers.

A machine is a program with a host name, a home, an AIRFLOW_HOME and a temporary folder of its own. All of
them reach what real ones share too: the addresses of the servers, the DAGs, and the folders of the project.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dev.harness.airflow_instance import AirflowInstance
from dev.harness.processes import Program
from dev.harness.redis_server import Redis

WORKERS = ("worker-1", "worker-2")
TRIGGERERS = ("triggerer-1", "triggerer-2")
SLOTS = 4
"""Tasks that a worker runs at once."""
SERVERS = ("api-server", "dag-processor", "scheduler")
"""What runs beside the machines."""
_SETTINGS = {
    "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
    # As many as the workers have slots: what is above waits in the scheduler and not in Redis.
    "AIRFLOW__CORE__PARALLELISM": str(SLOTS * len(WORKERS)),
    "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",
    "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(SLOTS),
    "AIRFLOW__CELERY__WORKER_PREFETCH_MULTIPLIER": "1",
    "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "86400",
}
_RESTART_DELAY = 1.0


@dataclass
class CeleryAirflow(AirflowInstance):
    """An Airflow in a folder, with the parameters of an AirflowInstance; its database must be a server.

    Besides it starts Redis, the workers and the triggerers. ``<home>/machines/<name>`` is a machine's folder.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.redis = Redis(self.home / "redis", self.programs)
        self.machine_settings: dict[str, dict[str, str]] = {}
        """Environment variables of machines, by their names, for their next start."""

    def environment(self) -> dict[str, str]:
        """Return the environment of the processes that run beside the machines."""
        url = {
            "AIRFLOW__CELERY__BROKER_URL": self.redis.url,
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{self.settings['AIRFLOW__DATABASE__SQL_ALCHEMY_CONN']}",
        }
        return super().environment() | _SETTINGS | url | dict(self.settings)

    def start(self, timeout: float = 120.0) -> None:
        """Make the database, start all servers and machines, and return when the API server serves."""
        self.redis.start()
        self._migrate_database(timeout)
        for name in (*SERVERS, *WORKERS, *TRIGGERERS):
            self.start_component(name)
        self.programs.wait_until("a response of Airflow's API server", self._is_serving, timeout)

    def start_component(self, component: str, *options: str, name: str = "") -> Program:
        """Start a server or a machine, for the first time or again.

        :param component: of SERVERS, WORKERS or TRIGGERERS.
        :param name: its name in messages and of its log; that of the component by default.
        """
        if component in WORKERS:
            command: tuple[str, ...] = ("celery", "worker", "--skip-serve-logs")
        elif component in TRIGGERERS:
            command = ("triggerer", "--skip-serve-logs")
        else:
            command = (component, *(("--skip-serve-logs",) if component == "scheduler" else ()))
        self.components[component] = self.run(name or component, *command, *options)
        return self.components[component]

    def machine(self, name: str) -> Path:
        """Return the folder of a machine."""
        return self.home / "machines" / name

    def environment_of(self, name: str) -> dict[str, str]:
        """Return the environment of one of its processes."""
        if name not in WORKERS + TRIGGERERS:
            return self.environment()
        folder = self.machine(name)
        own = {"HOME": folder / "home", "AIRFLOW_HOME": folder / "airflow", "TMPDIR": folder / "tmp"}
        for path in own.values():
            path.mkdir(parents=True, exist_ok=True)
        (own["AIRFLOW_HOME"] / "airflow.cfg").touch()
        paths = {variable: str(path) for variable, path in own.items()}
        return self.environment() | paths | self.machine_settings.get(name, {})

    @contextmanager
    def restart_always(self) -> Generator[None]:
        """Start again whatever ends while the block lasts, as systemd does with ``Restart=always``."""
        leaving = threading.Event()

        def restart() -> None:
            while not leaving.wait(_RESTART_DELAY):
                for name, program in list(self.components.items()):
                    if program.process.poll() is not None:
                        self.start_component(name).killed = True

        for program in self.components.values():
            program.killed = True  # it may end
        thread = threading.Thread(target=restart, name="restart-always")
        thread.start()
        try:
            yield
        finally:
            leaving.set()
            thread.join()

    def _start(
        self, name: str, command: list[str], *, may_end: bool = False, paused: bool = False
    ) -> Program:
        if name in WORKERS + TRIGGERERS:
            # A user other than root needs a user namespace to have a host name of its own.
            as_root = () if os.geteuid() == 0 else ("--user", "--map-root-user")
            script = 'hostname "$0" && exec "$@"'
            command = ["unshare", "--uts", *as_root, "sh", "-c", script, name, *command]
        return super()._start(name, command, may_end=may_end, paused=paused)
