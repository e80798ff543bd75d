"""A thousand deferred renders in a real triggerer: ``python -m dev.benchmarks.triggerer``.

The real parts of Airflow run on 127.0.0.1, with a DAG of one mapped task whose instances are put into the
database as deferred. The triggerer's CPU, memory and loop are measured while all wait, and while some of them
are resumed to their end: first with this provider's trigger, then with one request a trigger. Prints a table
and writes JSON; see docs/waiting.md.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from airflow_provider_renderbus.api import calls
from dev.benchmarks import report
from dev.benchmarks.waiting_farm import FarmProcess, fill
from dev.harness.airflow_instance import AirflowInstance
from dev.harness.embedded_farm import EmbeddedFarm
from dev.harness.processes import Programs, stop_on_signals

if TYPE_CHECKING:
    from collections.abc import Callable

    from dev.harness.processes import Program

PROJECT = Path(__file__).parents[2]
CONN_ID = "renderbus_default"
STOPPED = 10
ENDED = ("success", "failed")
VARIANTS = {
    "one poller for all": "airflow_provider_renderbus.triggers.tasks.RenderbusTaskTrigger",
    "one request a trigger": "dev.benchmarks.triggerer_parts.AloneTrigger",
}
DAG = """
from airflow.sdk import DAG
from airflow_provider_renderbus.sensors.tasks import RenderbusTaskSensor

with DAG("night", schedule=None, max_active_tasks=64):
    RenderbusTaskSensor.partial(task_id="wait", target_states=["STOP"], deferrable=True).expand(
        render_task_id={numbers}
    )
    RenderbusTaskSensor(task_id="loop", render_task_id=1, deferrable=True)
"""


class Triggerer:
    """The triggerer's processes, from outside: its runner, in which the triggers live, and all together.

    :param program: the program.
    :param runner: pid of the runner.
    """

    def __init__(self, program: Program, runner: int) -> None:
        self._program = program
        self._runner = psutil.Process(runner)

    def memory_mb(self) -> float:
        """Return the memory that only the runner holds."""
        return float(self._runner.memory_full_info().uss) / 2**20

    def cpu_seconds(self) -> dict[str, float]:
        """Return the CPU that the runner has taken so far, and the whole program."""
        taken = {process.pid: sum(process.cpu_times()[:2]) for process in self._program.members()}
        return {"runner": taken[self._runner.pid], "all": sum(taken.values())}


def night(folder: Path, classpath: str, options: argparse.Namespace) -> dict[str, Any]:
    """Measure one variant in an Airflow of its own."""
    numbers = fill(folder / "farm", options.tasks)["plain"]
    dags, watch = folder / "dags", folder / "loop.jsonl"
    dags.mkdir()
    (dags / "night.py").write_text(DAG.format(numbers=numbers))
    with FarmProcess(folder / "farm") as farm, Programs(seconds_to_end=5.0) as programs:
        settings = {
            "PYTHONPATH": str(PROJECT),
            f"AIRFLOW_CONN_{CONN_ID.upper()}": json.dumps(farm.connection),
            # One more for the trigger that watches the loop.
            "AIRFLOW__TRIGGERER__CAPACITY": str(options.tasks + 1),
            "AIRFLOW__CORE__MAX_MAP_LENGTH": str(options.tasks),
        }
        with AirflowInstance(folder / "airflow", dags, programs, settings) as airflow:
            programs.wait_until("the DAG", lambda: _dags(airflow) == ["night"], 120.0)
            put_in(airflow, classpath, numbers, watch, options.interval)
            customer = EmbeddedFarm(folder / "farm", folder / "farm.log")
            return measure(airflow, customer, numbers, watch, options)


def put_in(
    airflow: AirflowInstance, classpath: str, numbers: list[int], watch: Path, interval: float
) -> None:
    """Have all task instances deferred."""
    deadline = time.time() + 86_400
    kwargs = [
        {
            "renderbus_conn_id": CONN_ID,
            "render_task_ids": [number],
            "target_states": [STOPPED],
            "failed_states": None,
            "poll_interval": interval,
            "deadline": deadline,
        }
        for number in numbers
    ]
    rows = {
        "dag_id": "night",
        "run_id": "night",
        "classpath": classpath,
        "kwargs": kwargs,
        "watch": str(watch),
    }
    command = [sys.executable, "-m", "dev.benchmarks.triggerer_rows"]
    subprocess.run(
        command, input=json.dumps(rows), text=True, check=True, cwd=PROJECT, env=airflow.environment()
    )
    airflow.unpause("night")


def measure(
    airflow: AirflowInstance, farm: EmbeddedFarm, numbers: list[int], watch: Path, options: argparse.Namespace
) -> dict[str, Any]:
    """Measure while all wait, then until the chosen ones have ended."""
    programs = airflow.programs
    program = next(program for program in programs.running if program.log == airflow.log("triggerer"))
    begin = time.perf_counter()
    programs.wait_until("the triggers' start", lambda: bool(_seconds(watch)), 120.0)
    triggerer = Triggerer(program, _seconds(watch)[0]["pid"])
    # All have their first answers, and the first round of those that ask alone is over.
    time.sleep(max(options.interval, 30.0))
    waiting = _measured(triggerer, watch, lambda: time.sleep(options.interval * options.rounds))

    chosen = random.Random(1).sample(numbers, options.resumed)
    with farm.client() as client:
        for start in range(0, len(chosen), 100):
            client.send(calls.stop_task(chosen[start : start + 100]))

    def resumed() -> None:
        programs.wait_until(
            "the events", lambda: _count(airflow, "deferred") <= 1 + len(numbers) - len(chosen), 300.0
        )

    events = _measured(triggerer, watch, resumed)
    programs.wait_until("the ends", lambda: _count(airflow, *ENDED) >= len(chosen), 900.0)
    return {
        "waiting": waiting,
        "events": events,
        **{state: _count(airflow, state) for state in ENDED},
        "still_deferred": _count(airflow, "deferred") - 1,
        "seconds": time.perf_counter() - begin,
    }


def _measured(triggerer: Triggerer, watch: Path, do: Callable[[], None]) -> dict[str, float]:
    seen, before, begin = len(_seconds(watch)), triggerer.cpu_seconds(), time.perf_counter()
    do()
    seconds, after = time.perf_counter() - begin, triggerer.cpu_seconds()
    beats = _seconds(watch)[seen:]
    blocked = [beat["blocked_ms"] for beat in beats]
    return {
        "seconds": seconds,
        "runner_cpu_percent": 100 * (after["runner"] - before["runner"]) / seconds,
        "triggerer_cpu_percent": 100 * (after["all"] - before["all"]) / seconds,
        "runner_memory_mb": triggerer.memory_mb(),
        "blocked_median_ms": statistics.median(blocked),
        "blocked_longest_ms": max(blocked),
        "late_longest_ms": max(beat["late_ms"] for beat in beats),
        "collector_longest_ms": max(beat["collector_ms"] for beat in beats),
    }


def _seconds(watch: Path) -> list[dict[str, Any]]:
    """Return what was written for each second so far."""
    text = watch.read_text() if watch.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def _count(airflow: AirflowInstance, *states: str) -> int:
    path = "/dags/night/dagRuns/night/taskInstances"
    return sum(int(airflow.get(path, state=state, limit=1)["total_entries"]) for state in states)


def _dags(airflow: AirflowInstance) -> list[str]:
    return [dag["dag_id"] for dag in airflow.get("/dags")["dags"]]


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure a thousand deferred renders in a real triggerer.")
    parser.add_argument("--tasks", type=int, default=1000, help="deferred, in hundreds (%(default)s)")
    parser.add_argument("--resumed", type=int, default=200, help="of them (%(default)s)")
    parser.add_argument("--interval", type=float, default=10.0, help="seconds (%(default)s)")
    parser.add_argument("--rounds", type=int, default=6, help="intervals in which all wait (%(default)s)")
    parser.add_argument(
        "--results", type=Path, default=report.RESULTS, help="folder for the file (%(default)s)"
    )
    options = parser.parse_args()
    # Its programs end with it, whatever ends it.
    stop_on_signals()
    figures = {}
    for variant, classpath in VARIANTS.items():
        with tempfile.TemporaryDirectory() as folder:
            figures[variant] = night(Path(folder), classpath, options)
        print(f"{variant}: {json.dumps(figures[variant], indent=1)}")
    size = {name: getattr(options, name) for name in ("tasks", "resumed", "interval", "rounds")}
    print(f"All figures: {report.keep(options.results, 'triggerer', {**size, 'figures': figures})}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
