"""A DAG run with thousands of deferred renders on two triggerers is ended in several ways.

The task instances are put into the database as deferred. There is no scheduler, which would start new tries
of cleared tasks, so that a render which runs at the end was not stopped.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path

import httpx
from sqlalchemy import create_engine, text

from airflow_provider_renderbus.api.states import Phase
from airflow_provider_renderbus.clients import flows
from dev.benchmarks.farm import SCENARIO, open_farm, submit_tasks
from dev.harness.airflow_instance import AirflowInstance
from dev.harness.embedded_farm import CONNECTION_ID, EmbeddedFarm
from dev.harness.processes import ProgramError, Programs
from dev.reliability.postgres import postgres
from dev.reliability.report import Row
from dev.reliability.testbed import PROJECT

COLUMNS = ("deferred renders", "the run is")
MARKED, CLEARED, DELETED = "marked failed", "cleared", "marked failed and deleted"
_CASES = ((2000, MARKED), (2000, DELETED), (5000, MARKED))
_EXPECTED = "all stopped within 60 s"
_DAG = """
from airflow.sdk import DAG
from airflow_provider_renderbus.sensors.tasks import RenderbusTaskSensor

with DAG("night", schedule=None):
    RenderbusTaskSensor.partial(task_id="wait", cancel_on_kill=True, deferrable=True).expand(
        render_task_id={ids}
    )
"""
_RUN = "/dags/night/dagRuns/night"
_POLL_INTERVAL = 60.0
_MAX_SECONDS = 60.0
_START_TIMEOUT, _STOP_TIMEOUT = 600.0, 180.0


def run(folder: Path, log: Callable[[str], None], *, cases: Iterable[tuple[int, str]] = _CASES) -> list[Row]:
    """Make the table of these cases, each with an Airflow of its own, in a new folder."""
    rows = []
    for place, (count, end) in enumerate(cases):
        case_folder = folder / str(place)
        case_folder.mkdir()
        rows.append(Row((f"{count:,}", end), _EXPECTED, _run_case(case_folder, log, count, end)))
    return rows


def _run_case(folder: Path, log: Callable[[str], None], count: int, end: str) -> str:
    farm = EmbeddedFarm(folder / "farm", folder / "farm.log", SCENARIO)
    with open_farm(farm.storage) as (_, client):
        ids = submit_tasks(client, count)
    dags = folder / "dags"
    dags.mkdir()
    (dags / "night.py").write_text(_DAG.format(ids=ids))
    with ExitStack() as stack:
        programs = stack.enter_context(Programs(terminate_timeout=5.0))
        url = stack.enter_context(postgres(programs, folder / "postgres.log"))
        farm.start(programs, speed=0.0001)
        settings = {
            "PYTHONPATH": str(PROJECT),
            f"AIRFLOW_CONN_{CONNECTION_ID.upper()}": json.dumps(farm.connection),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
            "AIRFLOW__TRIGGERER__CAPACITY": str(count // 2),
            "AIRFLOW__CORE__MAX_MAP_LENGTH": str(count),
        }
        airflow = stack.enter_context(AirflowInstance(folder / "airflow", dags, programs, settings))
        airflow.start_component("triggerer", name="triggerer-2")
        programs.wait_until("the DAG", lambda: bool(airflow.get("/dags")["dags"]), _START_TIMEOUT)
        programs.terminate(airflow.components["scheduler"], timeout=60.0)
        _defer_all(airflow, ids)
        programs.wait_until("the waits", lambda: _count_waits(airflow) == count, _START_TIMEOUT, interval=2.0)
        shares = _triggers_per_triggerer(url)
        log(f"{count:,} renders wait in two triggerers ({' and '.join(map(str, shares))}): {end}")
        start = time.monotonic()
        _end(airflow, end)
        log(f"Airflow has ended the run after {time.monotonic() - start:.1f} s")
        start = time.monotonic()
        running = count

        def all_stopped() -> bool:
            nonlocal running
            running = _count_running(farm, ids)
            return not running

        try:
            programs.wait_until("the stops", all_stopped, _STOP_TIMEOUT, interval=1.0)
        except ProgramError:
            programs.raise_if_ended()
        seconds = time.monotonic() - start
        log(f"{count - running:,} of {count:,} renders were stopped within {seconds:.1f} s")
        if running:
            return f"{running:,} run on after {seconds:.0f} s"
        return _EXPECTED if seconds <= _MAX_SECONDS else f"all stopped within {seconds:.0f} s"


def _defer_all(airflow: AirflowInstance, ids: list[int]) -> None:
    trigger = {
        "renderbus_conn_id": CONNECTION_ID,
        "target_states": [25],
        "failed_states": None,
        "poll_interval": _POLL_INTERVAL,
        "deadline": time.time() + 86_400,
        "cancel_on_kill": True,
    }
    rows = {
        "dag_id": "night",
        "run_id": "night",
        "classpath": "airflow_provider_renderbus.triggers.tasks.RenderbusTaskTrigger",
        "kwargs": [{**trigger, "render_task_ids": [task_id]} for task_id in ids],
        "lag_file": "",
    }
    command = [sys.executable, "-m", "dev.benchmarks.triggerer_rows"]
    environment = airflow.environment()
    subprocess.run(command, input=json.dumps(rows), text=True, check=True, cwd=PROJECT, env=environment)


def _end(airflow: AirflowInstance, end: str) -> None:
    if end == CLEARED:
        url = f"{airflow.url}{airflow.path}/dags/night/clearTaskInstances"
        fields = {"dag_run_id": "night", "only_failed": False, "dry_run": False}
        httpx.post(url, json=fields, timeout=_STOP_TIMEOUT).raise_for_status()
        return
    airflow.patch(_RUN, state="failed")
    if end == DELETED:
        airflow.delete(_RUN)


def _count_waits(airflow: AirflowInstance) -> int:
    """Return how many triggers have polled their render: each logs its state in a file of its own."""
    logs = (airflow.home / "logs").rglob("*.trigger.*.log")
    return sum(": WAITING" in log.read_text("utf-8") for log in logs)


def _triggers_per_triggerer(url: str) -> list[int]:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            rows = connection.execute(text("SELECT count(*) FROM trigger GROUP BY triggerer_id"))
            return [count for (count,) in rows]
    finally:
        engine.dispose()


def _count_running(farm: EmbeddedFarm, ids: list[int]) -> int:
    with farm.client() as client:
        tasks = client.run(flows.get_tasks(ids))
    return sum(task.status.phase is Phase.ACTIVE for task in tasks.values())
