"""A DAG run with thousands of deferred renders on two triggerers is ended in several ways.

The task instances are put into the database as deferred. There is a scheduler only if the run is cleared:
Airflow leaves the trigger of a cleared task alone until the scheduler schedules its next try.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import create_engine, text

from airflow_provider_renderbus.api.states import Phase, TaskStatus
from airflow_provider_renderbus.clients import flows
from dev.benchmarks import deferred_night
from dev.harness.airflow_instance import AirflowInstance
from dev.harness.embedded_farm import EmbeddedFarm
from dev.harness.postgres import postgres
from dev.harness.processes import ProgramError, Programs
from dev.reliability.report import Row
from dev.reliability.testbed import task_records

COLUMNS = ("deferred renders", "the run is")
MARKED, CLEARED, DELETED = "marked failed", "cleared", "marked failed and deleted"
_CASES = tuple((count, end) for count in (2000, 5000) for end in (MARKED, CLEARED, DELETED))
_DAG = """
from airflow.sdk import DAG
from airflow_provider_renderbus.sensors.tasks import RenderbusTaskSensor

with DAG("night", schedule=None):
    RenderbusTaskSensor.partial(task_id="wait", cancel_on_kill=True, deferrable=True).expand(
        render_task_id={ids}
    )
"""
_NEXT_TRIES = "SELECT map_index FROM task_instance WHERE try_number > 1 AND state IN ('running', 'deferred')"
_UNSCHEDULED = "SELECT map_index FROM task_instance WHERE state IS NULL LIMIT 1"
_RUN = "/dags/night/dagRuns/night"
_POLL_INTERVAL = 60.0
_MAX_SECONDS = 60.0
_START_TIMEOUT, _END_TIMEOUT, _STOP_TIMEOUT = 600.0, 900.0, 180.0


def run(folder: Path, log: Callable[[str], None], *, cases: Iterable[tuple[int, str]] = _CASES) -> list[Row]:
    """Make the table of these cases, each with an Airflow of its own, in a new folder."""
    rows = []
    for place, (count, end) in enumerate(cases):
        case_folder = folder / str(place)
        case_folder.mkdir()
        rows.append(Row((f"{count:,}", end), _expected(end), _run_case(case_folder, log, count, end)))
    return rows


def _expected(end: str) -> str:
    """Return what must happen. The next try of a cleared task may have reattached to the render before."""
    return "all stopped or reattached to within 60 s" if end == CLEARED else "all stopped within 60 s"


def _run_case(folder: Path, log: Callable[[str], None], count: int, end: str) -> str:
    farm, ids, dags = deferred_night.prepare(folder, _DAG, count)
    with ExitStack() as stack:
        programs = stack.enter_context(Programs(terminate_timeout=5.0))
        url = stack.enter_context(postgres(programs, folder / "postgres.log"))
        farm.start(programs, speed=0.0001)
        settings = deferred_night.settings(farm, count, count // 2)
        settings["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = url
        airflow = stack.enter_context(AirflowInstance(folder / "airflow", dags, programs, settings))
        airflow.start_component("triggerer", name="triggerer-2")
        programs.wait_until("the DAG", lambda: bool(airflow.get("/dags")["dags"]), _START_TIMEOUT)
        if end != CLEARED:
            programs.terminate(airflow.components["scheduler"], timeout=60.0)
        kwargs = deferred_night.triggers(ids, _POLL_INTERVAL, TaskStatus.FINISHED, cancel_on_kill=True)
        deferred_night.defer_all(airflow, kwargs)
        programs.wait_until("the waits", lambda: _count_waits(airflow) >= count, _START_TIMEOUT, interval=2.0)
        shares = _triggers_per_triggerer(url)
        log(f"{count:,} renders wait in two triggerers ({' and '.join(map(str, shares))}): {end}")
        start = time.monotonic()
        _end(airflow, end)
        log(f"the response came after {time.monotonic() - start:.1f} s")
        if end == CLEARED:
            programs.wait_until("next tries", lambda: not _select(url, _UNSCHEDULED), _END_TIMEOUT)
            log(f"Airflow has scheduled the next tries after {time.monotonic() - start:.1f} s")
        start = time.monotonic()
        running = count

        def all_stopped() -> bool:
            nonlocal running
            running = _count_unattended(farm, ids, url) if end == CLEARED else _count_running(farm, ids)
            return not running

        try:
            programs.wait_until("the stops", all_stopped, _STOP_TIMEOUT, interval=1.0)
        except ProgramError:
            programs.raise_if_ended()
        seconds = time.monotonic() - start
        log(f"{count - running:,} of {count:,} renders were stopped within {seconds:.1f} s")
        if running:
            return f"{running:,} run on after {seconds:.0f} s"
        expected = _expected(end)
        return expected if seconds <= _MAX_SECONDS else f"{expected}: after {seconds:.0f} s"


def _end(airflow: AirflowInstance, end: str) -> None:
    if end == CLEARED:
        airflow.unpause("night")
        fields = {"only_failed": False, "dry_run": False}
        httpx.post(
            f"{airflow.url}{airflow.path}{_RUN}/clear", json=fields, timeout=_END_TIMEOUT
        ).raise_for_status()
        return
    httpx.patch(
        f"{airflow.url}{airflow.path}{_RUN}", json={"state": "failed"}, timeout=_END_TIMEOUT
    ).raise_for_status()
    if end == DELETED:
        httpx.delete(f"{airflow.url}{airflow.path}{_RUN}", timeout=_END_TIMEOUT).raise_for_status()


def _count_waits(airflow: AirflowInstance) -> int:
    """Return how many triggers have polled their render: each logs its state in a file of its own.

    One that has moved to the other triggerer has two.
    """
    logs = (airflow.home / "logs").rglob("*.trigger.*.log")
    return sum(": WAITING" in log.read_text("utf-8") for log in logs)


def _triggers_per_triggerer(url: str) -> list[int]:
    return [count for (count,) in _select(url, "SELECT count(*) FROM trigger GROUP BY triggerer_id")]


def _select(url: str, statement: str) -> list[Any]:
    """Return the rows that Airflow's database has for a statement."""
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return list(connection.execute(text(statement)))
    finally:
        engine.dispose()


def _count_unattended(farm: EmbeddedFarm, ids: list[int], url: str) -> int:
    """Return how many renders were not stopped although no next try of their task has reattached."""
    with farm.client() as client:
        tasks = client.run(flows.get_tasks(ids))
        stops = [each for each in task_records(client) if each["operateType"] == "stop"]
    stopped = {alias for stop in stops for alias in json.loads(stop["taskIds"])}
    attended = {ids[index] for (index,) in _select(url, _NEXT_TRIES)}
    return sum(task_id not in attended and task.alias not in stopped for task_id, task in tasks.items())


def _count_running(farm: EmbeddedFarm, ids: list[int]) -> int:
    with farm.client() as client:
        tasks = client.run(flows.get_tasks(ids))
    return sum(task.status.phase is Phase.ACTIVE for task in tasks.values())
