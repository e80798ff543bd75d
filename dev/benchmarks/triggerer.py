"""Measures a thousand deferred renders in a real triggerer. See docs/waiting.md.

The real processes of Airflow run on 127.0.0.1, with a DAG of one mapped sensor whose instances are put into
the database as deferred. The triggerer's CPU and event loop are measured while all wait, and while some of
them are resumed to their end: first with this provider's trigger, then with one request per trigger.
"""

from __future__ import annotations

import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from airflow_provider_renderbus.api import calls
from dev.benchmarks import deferred_night
from dev.benchmarks.figure import Figure
from dev.harness.airflow_instance import AirflowInstance
from dev.harness.embedded_farm import EmbeddedFarm
from dev.harness.processes import Programs

_ROOT = Path(__file__).parents[2]
_COUNT, _RESUMED, _INTERVAL, _ROUNDS = 1000, 200, 10.0, 6
_STOP = 10
_TRIGGERS = {
    "one poller for all": deferred_night.RENDER_TRIGGER,
    "one request per trigger": "dev.benchmarks.triggers.PerTaskTrigger",
}
_DAG_ID = "night"
_DAG = """
from airflow.sdk import DAG
from airflow_provider_renderbus.sensors.tasks import RenderbusTaskSensor

with DAG("night", schedule=None, max_active_tasks=64):
    RenderbusTaskSensor.partial(task_id="wait", target_states=["STOP"], deferrable=True).expand(
        render_task_id={ids}
    )
    RenderbusTaskSensor(task_id="lag", render_task_id=1, deferrable=True)
"""


def measure() -> Iterator[Figure]:
    for variant, classpath in _TRIGGERS.items():
        with tempfile.TemporaryDirectory() as folder:
            for figure in _measure_variant(Path(folder), classpath):
                yield Figure(f"{variant}: {figure.name}", figure.value, figure.goal, figure.bound)


def _measure_variant(folder: Path, classpath: str) -> Iterator[Figure]:
    farm, ids, dags = deferred_night.prepare(folder, _DAG, _COUNT)
    lag_file = folder / "lag.jsonl"
    with Programs(terminate_timeout=5.0) as programs:
        farm.start(programs, speed=0.0001)
        # One more for the trigger that watches the event loop.
        settings = deferred_night.settings(farm, _COUNT, _COUNT + 1)
        with AirflowInstance(folder / "airflow", dags, programs, settings) as airflow:
            programs.wait_until("the DAG", lambda: bool(airflow.get("/dags")["dags"]), 120.0)
            kwargs = deferred_night.triggers(ids, _INTERVAL, _STOP)
            deferred_night.defer_all(airflow, kwargs, classpath, str(lag_file))
            airflow.unpause(deferred_night.DAG_ID)
            yield from _measure(airflow, farm, ids, lag_file)


def _measure(
    airflow: AirflowInstance, farm: EmbeddedFarm, ids: list[int], lag_file: Path
) -> Iterator[Figure]:
    """Measure while all wait, then until the chosen ones have their events."""
    programs = airflow.programs
    programs.wait_until("the triggers' start", lambda: bool(_read_seconds(lag_file)), 120.0)
    # All have their first answers, and the first interval of those that poll alone is over.
    time.sleep(max(_INTERVAL, 30.0))
    yield from _figures("while all wait", lag_file, lambda: time.sleep(_INTERVAL * _ROUNDS))

    chosen = random.Random(1).sample(ids, _RESUMED)
    start = time.perf_counter()
    with farm.client() as client:
        for at in range(0, len(chosen), 100):
            client.send(calls.stop_task(chosen[at : at + 100]))
    # The instance of LagTrigger stays deferred too.
    left = 1 + len(ids) - len(chosen)

    def wait_for_events() -> None:
        programs.wait_until("the events", lambda: _count(airflow, "deferred") <= left, 300.0)

    yield from _figures("while some are resumed", lag_file, wait_for_events)
    yield Figure("s from the change of 200 tasks to their last event", time.perf_counter() - start)
    programs.wait_until("the ends", lambda: _count(airflow, "success", "failed") >= len(chosen), 900.0)
    yield Figure("resumed task instances that succeeded", _count(airflow, "success"), _RESUMED, "at least")


def _figures(when: str, lag_file: Path, action: Callable[[], None]) -> Iterator[Figure]:
    """Measure the process that the triggers live in, during an action."""
    before = _read_seconds(lag_file)
    runner = psutil.Process(before[0]["pid"])
    cpu, start = sum(runner.cpu_times()[:2]), time.perf_counter()
    action()
    cpu, seconds = sum(runner.cpu_times()[:2]) - cpu, time.perf_counter() - start
    yield Figure(f"CPU of the runner {when}, % of a core", 100 * cpu / seconds)
    since = _read_seconds(lag_file)[len(before) :]
    lags = [second["lag_ms"] for second in since]
    yield Figure(f"ms that the loop was blocked in a second {when}, median", statistics.median(lags))
    yield Figure(f"ms that the loop was blocked in a second {when}, longest", max(lags))
    longest = max(second["collector_ms"] for second in since)
    yield Figure(f"ms of the collector's longest pause {when}", longest)


def _read_seconds(lag_file: Path) -> list[dict[str, Any]]:
    """Return what LagTrigger has written for each second so far."""
    text = lag_file.read_text() if lag_file.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def _count(airflow: AirflowInstance, *states: str) -> int:
    path = f"/dags/{_DAG_ID}/dagRuns/{_DAG_ID}/taskInstances"
    return sum(int(airflow.get(path, state=state, limit=1)["total_entries"]) for state in states)
