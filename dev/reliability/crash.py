"""The crash table: the process that runs a render's operator is killed at each of its steps.

A clean run is recorded first. Every request in it becomes two points, before and after, so that a request
which the product makes tomorrow is a point tomorrow. All points are tasks of one DAG run, each with a
connection of its own; Airflow's retry finishes each job, and the farm's database holds what it cost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from dev.reliability.crash_trial import CORRECT, CrashTrial
from dev.reliability.process_killer import POLL
from dev.reliability.report import Row
from dev.reliability.testbed import LINES

COLUMNS = ("mode", "step", "killed")
_SETTINGS = {"AIRFLOW__CORE__PARALLELISM": "10"}


def run(
    folder: Path,
    log: Callable[[str], None],
    *,
    every: int = 1,
    line: str = LINES[0],
    settings: Mapping[str, str] = _SETTINGS,
) -> list[Row]:
    """Make the table, in a new folder, with every n-th of the points."""
    with CrashTrial(folder, settings, line=line) as trial:
        rows, points = trial.record()
        points = [(mode, point) for mode, point in points if point.step.name != POLL][::every]
        log(f"{len(points)} points")
        results = trial.render("killed", points) if points else []
        for (mode, point), result in zip(points, results, strict=True):
            rows.append(Row((mode, str(point.step), point.moment), CORRECT, result))
        return rows
