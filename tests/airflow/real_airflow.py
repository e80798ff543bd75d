"""A real Airflow with its four processes."""

from __future__ import annotations

import json
from contextlib import contextmanager

from dev.harness.airflow_instance import AirflowInstance, connections_file_settings
from dev.harness.postgres import postgres
from dev.harness.processes import Programs
from dev.reliability.airflow_2 import Airflow2
from tests.airflow_version import LINE, copy_dag_file


@contextmanager
def real_airflow(folder, dags, connections, **settings):
    """Run an Airflow of the line of this environment.

    :param folder: a new folder for all its files.
    :param dags: paths of the DAG files.
    :param connections: connections by id.
    :param settings: additional environment variables.
    """
    airflow_class = AirflowInstance if LINE >= (3, 0) else Airflow2
    dags_folder = folder / "dags"
    dags_folder.mkdir(parents=True)
    for dag in dags:
        copy_dag_file(dag, dags_folder)
    file = folder / "connections.json"
    file.touch(0o600)
    file.write_text(json.dumps(connections))
    settings = {
        **connections_file_settings(file),
        "AIRFLOW__RENDERBUS__POLL_INTERVAL": "1",
        **settings,
    }
    with (
        Programs(terminate_timeout=5.0) as programs,
        _database(programs, folder / "postgres.log") as database,
        airflow_class(folder / "home", dags_folder, programs, settings | database) as airflow,
    ):
        yield airflow
        # Texts below five characters in a connection's extra, for example, cause it in each log.
        logs = [*airflow.home.rglob("*.log*")]
        assert logs
        warned = [log for log in logs if "Skipping masking for a secret" in log.read_text(errors="replace")]
        assert not warned, warned


@contextmanager
def _database(programs, log):
    """Yield the settings of a database: LocalExecutor of Airflow 2 takes no SQLite."""
    if LINE >= (3, 0):
        yield {}
        return
    with postgres(programs, log) as url:
        yield {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url}


def instances(airflow, dag_id, run_id):
    """The task instances of a DAG run, by task id."""
    path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
    return {instance["task_id"]: instance for instance in airflow.get_all(path, "task_instances")}


def wait_for_final_state(airflow, dag_id, run_id, seconds):
    """Wait for the end of a DAG run and return its state."""
    airflow.wait_for_run(dag_id, run_id, seconds)
    return airflow.get(f"/dags/{dag_id}/dagRuns/{run_id}")["state"]
