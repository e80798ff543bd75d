"""Measures what thousands of deferred renders cost Airflow's components. See docs/deployment.md.

The real processes of Airflow run on PostgreSQL with two triggerers. The instances of a mapped task are put
into the database as deferred: with this provider's trigger, with one that does nothing, and with the Livy
provider's, which polls a server that answers at once.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from airflow_provider_renderbus.api.states import TaskStatus
from dev.benchmarks import deferred_night
from dev.benchmarks.figure import Figure
from dev.harness.airflow_instance import AirflowInstance, inherited_environment
from dev.harness.cpu_time import cpu_seconds, processes_of
from dev.harness.postgres import is_listening, postgres_server
from dev.harness.processes import Program, Programs, free_port
from dev.reliability.testbed import CELERY, PROJECT, python_of

_INTERVAL, _INTERVALS = 30.0, 4
_START_TIMEOUT = 900.0
_MEGABYTE = 1024 * 1024
_OURS, _IDLE, _LIVY = "this provider", "a trigger that does nothing", "the Livy provider"
_CLASSES = {
    _OURS: deferred_night.RENDER_TRIGGER,
    _IDLE: "dev.benchmarks.triggers.IdleTrigger",
    _LIVY: "airflow.providers.apache.livy.triggers.livy.LivyTrigger",
}
_DAG = """
from airflow.sdk import DAG
from airflow_provider_renderbus.sensors.tasks import RenderbusTaskSensor

with DAG("night", schedule=None):
    RenderbusTaskSensor.partial(task_id="wait", deferrable=True).expand(render_task_id={ids})
"""
_GOAL_CPU_MS = 0.25
"""CPU of the triggerers per render and poll at most, beyond a trigger that does nothing, in ms."""


@dataclass(frozen=True)
class _Cost:
    """CPU in percent of a core and memory in MB, by component."""

    cpu: Mapping[str, float]
    memory: Mapping[str, float]


def measure(count: int = 5000) -> Iterator[Figure]:
    costs = {}
    for name in _CLASSES:
        with tempfile.TemporaryDirectory() as folder:
            cost = costs[name] = _measure_trigger(Path(folder), name, count)
        for component in cost.cpu:
            yield Figure(f"{name}: CPU of {component}, % of a core", cost.cpu[component])
            yield Figure(f"{name}: memory of {component}, MB", cost.memory[component])
    idle = costs[_IDLE].cpu["triggerers"]
    per_wait = {
        name: (cost.cpu["triggerers"] - idle) / 100 * _INTERVAL / count * 1000 for name, cost in costs.items()
    }
    yield Figure(
        "ms of CPU per render and poll, beyond a trigger that does nothing", per_wait[_OURS], _GOAL_CPU_MS
    )
    yield Figure("the same, of the Livy provider", per_wait[_LIVY])


def _measure_trigger(folder: Path, name: str, count: int) -> _Cost:
    farm, ids, dags = deferred_night.prepare(folder, _DAG, count)
    with ExitStack() as stack:
        programs = stack.enter_context(Programs(terminate_timeout=5.0))
        database = stack.enter_context(postgres_server(programs, folder / "postgres.log"))
        farm.start(programs, speed=0.0001)
        livy_port = _start_livy(programs, folder / "livy.log")
        settings = {
            **deferred_night.settings(farm, count, count // 2),
            "AIRFLOW_CONN_LIVY_DEFAULT": f"livy://127.0.0.1:{livy_port}",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database.url,
        }
        airflow = stack.enter_context(
            AirflowInstance(folder / "airflow", dags, programs, settings, python_of(CELERY))
        )
        airflow.start_component("triggerer", name="triggerer-2")
        programs.wait_until("the DAG", lambda: bool(airflow.get("/dags")["dags"]), 120.0)
        deferred_night.defer_all(airflow, _triggers(name, ids), _CLASSES[name])
        airflow.unpause("night")
        logs = airflow.home / "logs"
        programs.wait_until(
            "the triggers' start",
            lambda: sum(1 for _ in logs.rglob("*.trigger.*.log")) == count,
            _START_TIMEOUT,
            interval=2.0,
        )
        time.sleep(2 * _INTERVAL)
        return _measure({**airflow.components, "PostgreSQL": database.program})


def _start_livy(programs: Programs, log: Path) -> int:
    port = free_port()
    command = [sys.executable, "-m", "dev.benchmarks.livy_server", str(port)]
    environment = {**inherited_environment(), "PYTHONPATH": str(PROJECT)}
    programs.start(command, name="the server in place of Livy", environment=environment, log=log)
    programs.wait_until("the start of the server in place of Livy", lambda: is_listening(port), 30.0)
    return port


def _triggers(name: str, ids: list[int]) -> list[Any]:
    """Return the arguments of each trigger. That which does nothing takes those of this provider's."""
    if name == _LIVY:
        return [
            {"batch_id": task_id, "spark_params": {}, "polling_interval": int(_INTERVAL)} for task_id in ids
        ]
    return deferred_night.triggers(ids, _INTERVAL, TaskStatus.FINISHED)


def _measure(programs: Mapping[str, Program]) -> _Cost:
    before = {name: cpu_seconds(program) for name, program in programs.items()}
    start = time.perf_counter()
    time.sleep(_INTERVALS * _INTERVAL)
    seconds = time.perf_counter() - start
    cpu = {name: 100 * (cpu_seconds(program) - before[name]) / seconds for name, program in programs.items()}
    memory = {name: _memory(program) / _MEGABYTE for name, program in programs.items()}
    return _Cost(_with_sum(cpu), _with_sum(memory))


def _with_sum(values: Mapping[str, float]) -> dict[str, float]:
    """Return the values with one of both triggerers."""
    others = {name: value for name, value in values.items() if not name.startswith("triggerer")}
    return {"triggerers": sum(values.values()) - sum(others.values()), **others}


def _memory(program: Program) -> float:
    """Return the bytes that its processes have, what several share counted once."""
    total = 0.0
    for member in processes_of(program):
        try:
            total += member.memory_full_info().pss
        except psutil.Error:  # it has just ended
            continue
    return total
