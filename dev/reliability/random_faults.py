"""Random faults of the farm and random kills in a real Airflow, all at once, while renders run."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from dev.reliability.crash_trial import CORRECT, MODES, RESTARTED, CrashTrial
from dev.reliability.process_killer import kill_process
from dev.reliability.report import Row
from dev.reliability.testbed import QUICK_HEARTBEATS

COLUMNS = ("mode", "render")
# What a retry inside the client cannot repair costs a try.
_FAULTS: tuple[dict[str, Any], ...] = (
    {"fault": "drop", "probability": 0.04, "executes_call": True},
    {"fault": "drop", "probability": 0.04},
    {"fault": "status", "probability": 0.04, "status": 500},
    {"fault": "code", "probability": 0.02, "code": 1000, "executes_call": True},
    {"fault": "delay", "probability": 0.05, "seconds": 1},
)
_KILLS = (*["worker"] * 8, *["triggerer"] * 2, "scheduler")


def run(folder: Path, log: Callable[[str], None], *, renders: int = 30, seed: int = 1) -> list[Row]:
    """Make the table, in a new folder.

    :param seed: decides which faults and kills there are; when they happen depends on the machine as well.
    """
    modes = list(MODES)
    points = [(modes[index % len(modes)], None) for index in range(renders)]
    with CrashTrial(folder, {**QUICK_HEARTBEATS, "AIRFLOW__CORE__PARALLELISM": "10"}) as trial:
        results = trial.render("faults", points, partial(_inject_faults, trial, seed, log))
    return [
        # A try that ends with a lost response stops its render, and the next one restarts it.
        Row((mode, f"{index:02}"), RESTARTED if result == RESTARTED else CORRECT, result)
        for index, ((mode, _), result) in enumerate(zip(points, results, strict=True))
    ]


def _inject_faults(trial: CrashTrial, seed: int, log: Callable[[str], None]) -> None:
    """Inject faults and kill, and return when all kills are done."""
    rng = random.Random(seed)  # noqa: S311 - a seed is to repeat it
    airflow, farm = trial.testbed.airflow, trial.testbed.farm
    for fault in _FAULTS:
        farm.inject(**fault, seed=rng.randrange(1 << 30))
    killed = set()
    for component in rng.sample(_KILLS, len(_KILLS)):
        time.sleep(rng.uniform(2.0, 5.0))
        if component == "worker":
            # Each only once, so that Airflow's retries last.
            running = [trace for trace in trial.traces if trace.pid is not None and id(trace) not in killed]
            if not running:
                continue
            trace = rng.choice(running)
            killed.add(id(trace))
            with contextlib.suppress(psutil.NoSuchProcess, ValueError):
                kill_process(trace)
        else:
            trial.testbed.programs.kill(airflow.components[component])
            airflow.start_component(component)
        log(f"the {component} is killed")
    farm.clear_faults()
