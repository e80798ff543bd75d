"""A farm, Airflow's API server alone, and DAG runs whose tasks have renders: all that the frame wall reads.

No scheduler runs: XComs are written through the REST API. So a test needs seconds instead of a minute.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from dev.harness.airflow_instance import AirflowInstance, connections_file_settings
from dev.harness.processes import Programs
from tests.airflow_version import LINE

DAG_ID = "night"
DAGS = """
from datetime import datetime
from airflow.sdk import DAG
from airflow_provider_renderbus.sensors import RenderbusTaskSensor
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("night", schedule=None, start_date=datetime(2026, 1, 1)):
    EmptyOperator(task_id="no_render")
    RenderbusTaskSensor(task_id="shots", render_task_id=1, max_cost=40)
    RenderbusTaskSensor(task_id="other", render_task_id=1)
    RenderbusTaskSensor(task_id="second", render_task_id=1, renderbus_conn_id="second")
    RenderbusTaskSensor(task_id="unknown", render_task_id=1, renderbus_conn_id="no_such_connection")
    RenderbusTaskSensor(task_id="foreign", render_task_id=1, renderbus_conn_id="a_database")
with DAG("secret", schedule=None, start_date=datetime(2026, 1, 1)):
    RenderbusTaskSensor(task_id="shots", render_task_id=1)
"""
IDS_KEY = "renderbus_render_task_ids"
PASSWORDS = {user: f"{user}-password" for user in ("admin", "viewer")}


@dataclass
class ApiServer(AirflowInstance):
    """The API server of an Airflow, with parsed DAGs.

    :param sub_path: path below which it serves, such as "/airflow".
    :param before_start: arguments of commands that are run before.
    """

    sub_path: str = ""
    before_start: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self):
        super().__post_init__()
        self.url += self.sub_path
        self._http.base_url = self.url

    def start(self, timeout=120.0):
        self._migrate_database(timeout)
        for arguments in (("dags", "reserialize"), *self.before_start):
            name = " ".join(arguments[:4])
            command = self.run(name.replace(" ", "-").replace("/", "-"), *arguments, may_end=True)
            self.programs.wait_until(name, lambda process=command.process: process.poll() == 0, timeout)
        self.run("api-server", "api-server")
        self.programs.wait_until("a response of Airflow's API server", self._is_serving, timeout)
        self.log_in("admin")

    def log_in(self, user):
        """Send the requests of this object as a user."""
        self._http.headers["Authorization"] = f"Bearer {self.token(user)}"

    def token(self, user):
        """Return the token of a user."""
        body = {"username": user, "password": f"{user}-password"}
        response = httpx.post(f"{self.url}/auth/token", json=body, timeout=30.0)
        response.raise_for_status()
        return response.json()["access_token"]

    def add_run(self, run_id, renders, dag_id=DAG_ID):
        """Add a DAG run.

        :param renders: what each task, by its id, has pushed as the ids of its renders.
        """
        self.trigger(dag_id, run_id)
        for task_id, ids in renders.items():
            self.push(run_id, task_id, ids, dag_id)

    def push(self, run_id, task_id, value, dag_id=DAG_ID):
        """Write the XCom with the ids of a task's renders."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries"
        self.post(path, key=IDS_KEY, value=value, map_index=-1)

    def page(self, run_id, task_id=None, dag_id=DAG_ID):
        """Return the URL of a page."""
        task = f"/tasks/{task_id}/-1" if task_id else ""
        return f"{self.url}/renderbus/dags/{dag_id}/runs/{run_id}{task}"

    def read(self, url, user="admin"):
        """Return the response to a request of a user, None for nobody."""
        headers = {"Authorization": f"Bearer {self.token(user)}"} if user else {}
        return httpx.get(url, headers=headers, timeout=30.0)


@contextmanager
def wall_airflow(folder, connections, *, dags=DAGS, sub_path="", before_start=(), **settings):
    """Run the API server of an Airflow.

    :param folder: a new folder for all its files.
    :param connections: connections by id.
    :param dags: the content of its one DAG file.
    :param sub_path: path below which it serves.
    :param before_start: arguments of commands that are run before.
    :param settings: additional environment variables.
    """
    assert LINE >= (3, 1)
    dags_folder = folder / "dags"
    dags_folder.mkdir(parents=True)
    (dags_folder / "dags.py").write_text(dags)
    connections_file = folder / "connections.json"
    connections_file.write_text(json.dumps(connections))
    passwords_file = folder / "passwords.json"
    passwords_file.write_text(json.dumps(PASSWORDS))
    settings = {
        **connections_file_settings(connections_file),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,viewer:viewer",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords_file),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__RENDERBUS__FRAMES_INTERVAL": "1",
        **settings,
    }
    with (
        Programs(terminate_timeout=5.0) as programs,
        ApiServer(
            folder / "home", dags_folder, programs, settings, sub_path=sub_path, before_start=before_start
        ) as airflow,
    ):
        yield airflow
