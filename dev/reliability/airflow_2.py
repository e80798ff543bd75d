"""An Airflow 2.11 on this machine: its web server in place of an API server, and REST API v1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import httpx

from dev.harness.airflow_instance import AirflowInstance


class Airflow2(AirflowInstance):
    """An Airflow 2.11 in a folder, with the parameters of an AirflowInstance."""

    path: ClassVar[str] = "/api/v1"
    run_fields: ClassVar[Mapping[str, Any]] = {}
    mark_fields: ClassVar[Mapping[str, Any]] = {"dry_run": False}

    def environment(self) -> dict[str, str]:
        """Return the environment of its processes."""
        own = {
            "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.default",
            "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "1",
            "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "3600",
            # It could take a task that was cleared while it ran for dead, and fail it before it is restarted.
            "AIRFLOW__SCHEDULER__ZOMBIE_DETECTION_INTERVAL": "3600",
            "AIRFLOW__WEBSERVER__BASE_URL": self.url,
            "AIRFLOW__WEBSERVER__SECRET_KEY": self._keys["AIRFLOW__API__SECRET_KEY"],
            "AIRFLOW__WEBSERVER__WEB_SERVER_HOST": "127.0.0.1",
            "AIRFLOW__WEBSERVER__WEB_SERVER_PORT": str(self.port),
            "AIRFLOW__WEBSERVER__WORKERS": "1",
        }
        return super().environment() | own | dict(self.settings)

    def start(self, timeout: float = 120.0) -> None:
        """Make the database, start the three processes and return when the web server serves."""
        # A user without a name may do everything.
        (self.home / "webserver_config.py").write_text('AUTH_ROLE_PUBLIC = "Admin"\n')
        self._migrate_database(timeout)
        self.run("webserver", "webserver")
        for name in ("scheduler", "triggerer"):
            self.start_component(name)
        self.programs.wait_until("a response of Airflow's web server", self._is_serving, timeout)

    def clear(self, dag_id: str, run_id: str, tasks: Iterable[tuple[str, int]]) -> None:
        """Clear tasks, mapped ones with all their instances: this API cannot clear single ones."""
        task_ids = sorted({task_id for task_id, _ in tasks})
        fields = {"dag_run_id": run_id, "task_ids": task_ids, "only_failed": False, "dry_run": False}
        fields["reset_dag_runs"] = True
        self.post(f"/dags/{dag_id}/clearTaskInstances", **fields)

    def _is_serving(self) -> bool:
        try:
            return self._http.get("/health").is_success
        except httpx.TransportError:
            return False
