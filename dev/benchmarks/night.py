"""Measures a night of renders in a real Airflow, beside operators that only defer. See docs/deployment.md.

The two DAGs have a mapped task for each render, over the same list. One renders on the embedded farm; the
other defers for the time that a render takes. PostgreSQL; LocalExecutor, then Celery with two workers.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_provider_renderbus.farm.control import send_command
from dev.benchmarks.figure import Figure
from dev.harness.airflow_instance import AirflowInstance
from dev.harness.celery_airflow import WORKERS
from dev.harness.cpu_time import WORKERS as TASKS, CpuTimes
from dev.harness.embedded_farm import CONNECTION_ID, EmbeddedFarm, put_scene
from dev.harness.postgres import postgres_server
from dev.harness.processes import Program, Programs
from dev.reliability.testbed import CELERY, LINES, airflow_class_of, python_of, task_json

_FRAMES = 8
_QUEUE_SECONDS, _FRAME_SECONDS, _MACHINES = 30, 45, 4
_RENDER_SECONDS = _QUEUE_SECONDS + _FRAMES // _MACHINES * _FRAME_SECONDS
_SCENARIO = {
    "pictures": False,
    "account": {"balance": "100000"},
    "machines": _MACHINES,
    "queue_seconds": _QUEUE_SECONDS,
    "frame_seconds": [_FRAME_SECONDS, _FRAME_SECONDS],
}
_SLOTS = 4
_WARM_UP = 4
_DURATION = re.compile(r"Workload finished .*\bduration=([0-9.]+)")
_TIMEOUT = 7200.0
_RENDERS, _DEFERRALS = "renders", "deferrals"
_DAGS = {
    _RENDERS: """
import json
from pathlib import Path

from airflow.sdk import DAG
from airflow_provider_renderbus.operators import RenderbusRenderOperator

for name in ("renders", "renders_warm_up"):
    with DAG(name, schedule=None, max_active_tasks=1000) as dag:
        RenderbusRenderOperator.partial(task_id="render", deferrable=True, poll_interval=10).expand(
            task_json=json.loads(Path({jobs!r}, f"{{name}}.json").read_text())
        )
    globals()[name] = dag
""",
    _DEFERRALS: """
import json
from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG, BaseOperator
from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger


class Defer(BaseOperator):
    def __init__(self, *, task_json, **kwargs):
        super().__init__(**kwargs)
        self.task_json = task_json

    def execute(self, context):
        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds={seconds})), method_name="execute_complete")

    def execute_complete(self, context, event):
        return {{"state": "FINISHED"}}


for name in ("deferrals", "deferrals_warm_up"):
    with DAG(name, schedule=None, max_active_tasks=1000) as dag:
        Defer.partial(task_id="render").expand(
            task_json=json.loads(Path({jobs!r}, f"{{name}}.json").read_text())
        )
    globals()[name] = dag
""",
}


@dataclass(frozen=True)
class _Night:
    """Seconds of a run: wall time, the time in which slots of workers were occupied, CPU by component."""

    seconds: float
    worker_seconds: float
    cpu: dict[str, float]


def measure(count: int = 200) -> Iterator[Figure]:
    for line, name in ((LINES[0], "LocalExecutor"), (CELERY, "Celery")):
        with tempfile.TemporaryDirectory() as folder:
            for figure in _measure_executor(Path(folder), line, count):
                yield Figure(f"{name}: {figure.name}", figure.value, figure.goal, figure.bound)


def _measure_executor(folder: Path, line: str, count: int) -> Iterator[Figure]:
    farm = EmbeddedFarm(folder / "farm", folder / "farm.log", _SCENARIO)
    dags = folder / "dags"
    dags.mkdir()
    for name, dag in _DAGS.items():
        (dags / f"{name}.py").write_text(dag.format(jobs=str(folder), seconds=_RENDER_SECONDS))
    with ExitStack() as stack:
        programs = stack.enter_context(Programs(terminate_timeout=5.0))
        database = stack.enter_context(postgres_server(programs, folder / "postgres.log"))
        farm.start(programs, speed=1.0)
        for name in _DAGS:
            _describe_renders(folder, farm, name, count)
            _describe_renders(folder, farm, f"{name}_warm_up", _WARM_UP)
        settings = {
            f"AIRFLOW_CONN_{CONNECTION_ID.upper()}": json.dumps(farm.connection),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database.url,
            "AIRFLOW__CORE__PARALLELISM": str(_SLOTS),
            "AIRFLOW__CORE__MAX_MAP_LENGTH": str(max(count, 1024)),
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(_SLOTS // len(WORKERS)),
        }
        airflow = stack.enter_context(
            airflow_class_of(line)(folder / "airflow", dags, programs, settings, python_of(line))
        )
        for name in _DAGS:
            _run(airflow, database.program, f"{name}_warm_up")
        before = _requests(farm)
        ours = _run(airflow, database.program, _RENDERS)
        requests = _requests(farm) - before
        base = _run(airflow, database.program, _DEFERRALS)
    yield Figure("wall time, s", ours.seconds)
    yield Figure("wall time, deferral alone, s", base.seconds)
    yield Figure("times the wall time of deferral alone", ours.seconds / base.seconds, 1.15)
    yield Figure("worker seconds per render", ours.worker_seconds / count)
    yield Figure("worker seconds per deferral alone", base.worker_seconds / count)
    yield Figure("times the worker seconds of deferral alone", ours.worker_seconds / base.worker_seconds, 1.2)
    yield Figure("CPU of workers per render, s", ours.cpu[TASKS] / count)
    yield Figure("CPU of workers per deferral alone, s", base.cpu[TASKS] / count)
    for component in ours.cpu:
        if component != TASKS:
            yield Figure(f"CPU of {component} per render, s", ours.cpu[component] / count)
            yield Figure(f"CPU of {component} per deferral alone, s", base.cpu[component] / count)
    yield Figure("requests to the farm per render", requests / count)


def _describe_renders(folder: Path, farm: EmbeddedFarm, name: str, count: int) -> None:
    """Write the list that a DAG is mapped over, and put the scenes where the farm finds them."""
    jobs: list[dict[str, Any]] = []
    for index in range(count):
        job = task_json(f"{name}-{index:03}")
        job["scene_info_render"]["common"]["frames"] = f"1-{_FRAMES}[1]"
        put_scene(farm.storage, job["task_info"]["input_cg_file"])
        jobs.append(job)
    (folder / f"{name}.json").write_text(json.dumps(jobs))


def _run(airflow: AirflowInstance, database: Program, dag_id: str) -> _Night:
    """Run a DAG to its end.

    :raises RuntimeError: it fails.
    """
    airflow.unpause(dag_id)
    components = {name: program for name, program in airflow.components.items() if name not in WORKERS}
    workers = [program for name, program in airflow.components.items() if name in WORKERS]
    times = CpuTimes({**components, "PostgreSQL": database}, workers)
    before, occupied = times.seconds(), _worker_seconds(airflow)
    start = time.perf_counter()
    airflow.trigger(dag_id, dag_id)
    airflow.wait_for_run(dag_id, dag_id, _TIMEOUT)
    seconds = time.perf_counter() - start
    state = airflow.get(f"/dags/{dag_id}/dagRuns/{dag_id}")["state"]
    if state != "success":
        raise RuntimeError(f"{dag_id}: must end in success, got {state}")
    cpu = {name: value - before[name] for name, value in times.seconds().items()}
    return _Night(seconds, _worker_seconds(airflow) - occupied, cpu)


def _worker_seconds(airflow: AirflowInstance) -> float:
    """Return the seconds of all task processes until now, as their supervisors log them."""
    logs = [airflow.log(name) for name in ("scheduler", *WORKERS)]
    texts = [log.read_text("utf-8", "replace") for log in logs if log.exists()]
    return sum(float(seconds) for text in texts for seconds in _DURATION.findall(text))


def _requests(farm: EmbeddedFarm) -> int:
    return sum(send_command(farm.connection, {})["request_counts"].values())
