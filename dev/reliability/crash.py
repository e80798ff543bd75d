"""The crash table: the process that runs a render's operator is killed at each of its steps.

A clean run is recorded first. Every request in it becomes two points, before and after, so that a request
which the product makes tomorrow is a point tomorrow. All points are tasks of one DAG run, each with a
connection of its own; Airflow's retry finishes each job, and the farm's books tell what it cost.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from dev.reliability.crash_trial import MODES, RIGHT, Trial
from dev.reliability.process_killer import AFTER, BEFORE, END, POLL, Point, Step
from dev.reliability.result import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

COLUMNS = ("mode", "step", "killed")
# Of requests in a row with one name, as in a wait, so many are points; the last one is the one that ends it.
_OF_A_WAIT = 2


def run(folder: Path, say: Callable[[str], None], *, every: int = 1) -> list[Row]:
    """Make the table.

    :param folder: a new folder for all that is made.
    :param say: told what happens.
    :param every: of the points, take every so many-th.
    """
    with Trial(folder, {"AIRFLOW__CORE__PARALLELISM": "10"}) as trial:
        clean = trial.render("clean", [(mode, None) for mode in MODES])
        rows = [Row((mode, "all", "never"), RIGHT, told) for mode, told in zip(MODES, clean, strict=True)]
        if not all(row.holds for row in rows):
            return rows
        points = [
            (mode, point)
            for mode, life in zip(MODES, trial.lives, strict=True)
            for point in points_of([step for step in life.steps if step.name != POLL])
        ][::every]
        say(f"{len(points)} points")
        for (mode, point), told in zip(points, trial.render("killed", points), strict=True):
            rows.append(Row((mode, str(point.step), point.moment), RIGHT, told))
        return rows


def points_of(steps: Sequence[Step]) -> Iterator[Point]:
    """Yield where a run of these steps can be struck."""
    for name, group in groupby(steps, lambda step: step.name):
        row = list(group)
        for step in row[:_OF_A_WAIT]:
            yield Point(step, BEFORE)
            yield Point(step, AFTER)
        if len(row) > _OF_A_WAIT:
            yield Point(Step(name, 0), END)
