"""A storm over a real Airflow: random faults of the farm and random kills, all at once, while renders run."""

from __future__ import annotations

import contextlib
import random
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import psutil

from dev.reliability.crash_trial import MODES, RIGHT, RIGHT_AGAIN, Trial
from dev.reliability.process_killer import kill_process
from dev.reliability.result import Row

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COLUMNS = ("mode", "render")
# Shares of all requests to the farm, in percent; what a retry inside the client cannot mend costs a try.
_FAULTS: tuple[dict[str, Any], ...] = (
    {"fault": "drop", "probability": 0.04, "executes_call": True},
    {"fault": "drop", "probability": 0.04},
    {"fault": "status", "probability": 0.04, "status": 500},
    {"fault": "code", "probability": 0.02, "code": 1000, "executes_call": True},
    {"fault": "delay", "probability": 0.05, "seconds": 1},
)
_SETTINGS = {
    "AIRFLOW__CORE__PARALLELISM": "10",
    "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "15",
}
_WORKERS, _TRIGGERERS = 8, 2


def run(folder: Path, say: Callable[[str], None], *, renders: int = 30, seed: int = 1) -> list[Row]:
    """Make the table.

    :param folder: a new folder for all that is made.
    :param say: told what happens.
    :param renders: how many, half of them deferrable.
    :param seed: decides which faults and kills there are; when they strike, the machine decides as well.
    """
    modes = list(MODES)
    points = [(modes[index % len(modes)], None) for index in range(renders)]
    with Trial(folder, _SETTINGS) as trial:
        told = trial.render("storm", points, partial(_rage, trial, seed, say))
    return [
        # A try that ends with a lost answer stops its render, and the next one starts it again.
        Row((mode, f"{index:02}"), RIGHT_AGAIN if came == RIGHT_AGAIN else RIGHT, came)
        for index, ((mode, _), came) in enumerate(zip(points, told, strict=True))
    ]


def _rage(trial: Trial, seed: int, say: Callable[[str], None]) -> None:
    """Let faults and kills strike, and end when all kills have."""
    chance = random.Random(seed)  # noqa: S311 - a seed is to repeat it
    for fault in _FAULTS:
        trial.stage.farm.inject(**fault, seed=chance.randrange(1 << 30))
    kills = ["worker"] * _WORKERS + ["triggerer"] * _TRIGGERERS + ["scheduler"]
    chance.shuffle(kills)
    killed = set()
    for kill in kills:
        time.sleep(chance.uniform(2.0, 5.0))
        if kill == "worker":
            # Each only once, so that Airflow's retries last.
            running = [life for life in trial.lives if life.pid is not None and id(life) not in killed]
            if not running:
                continue
            life = chance.choice(running)
            killed.add(id(life))
            with contextlib.suppress(psutil.NoSuchProcess, ValueError):
                kill_process(life)
        else:
            airflow = trial.stage.airflow
            trial.stage.programs.kill(airflow.components[kill], alone=False)
            airflow.start_component(kill)
        say(f"the {kill} is killed")
    trial.stage.farm.clear_faults()
