"""The crash table: the process that runs a render's operator is killed at each of its steps.

A clean run is recorded first. Every request in it becomes two points, before and after, so that a request
which the product makes tomorrow is a point tomorrow. All points are tasks of one DAG run, each with a
connection of its own; Airflow's retry finishes each job, and the farm's books tell what it cost.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from reliability.reaper import AFTER, BEFORE, END, Life, Point, Reaper, Step
from reliability.result import Row
from reliability.stage import COST, FRAMES, NOT_RENDERED, PROJECT, Stage, task_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from reliability.stage import Render

TITLE = "Crash table"
COLUMNS = ("mode", "step", "killed")
_DAG, _TASK = "crash", "render"
_POLL_INTERVAL = 2.0
# A render lasts for 60 + 90 to 150 farm seconds: several polls.
_SPEED = 20.0
_LONGEST_RUN = 600.0
# Of requests in a row with one name, as in a wait, these are points; the last one is the one that ends it.
_OF_A_WAIT = 2
_MODES = {"waiting": False, "deferrable": True}
_RIGHT = "1 submit, 1 charge, right result"


def run(folder: Path, say: Callable[[str], None], *, every: int = 1) -> list[Row]:
    """Make the table.

    :param folder: a new folder for all that is made.
    :param say: told what happens.
    :param every: of the points, take every so many-th.
    """
    experiment = _Experiment(folder)
    with experiment.stage as stage:
        stage.airflow.unpause(_DAG)
        clean = experiment.render("clean", [(mode, None) for mode in _MODES])
        yield_ = [row for row in clean if not row.holds]
        if yield_:
            return yield_
        points = [
            (mode, point)
            for mode, life in zip(_MODES, experiment.reaper.lives, strict=True)
            for point in points_of(life.steps)
        ][::every]
        say(f"{len(points)} points")
        return experiment.render("killed", points)


def points_of(steps: Sequence[Step]) -> Iterator[Point]:
    """Yield where a run of these steps can be killed."""
    for name, group in groupby(steps, lambda step: step.name):
        row = list(group)
        for step in row[:_OF_A_WAIT]:
            yield Point(step, BEFORE)
            yield Point(step, AFTER)
        if len(row) > _OF_A_WAIT:
            yield Point(Step(name, 0), END)


class _Experiment:
    def __init__(self, folder: Path) -> None:
        self.reaper = Reaper(self._index_of)
        settings = {"AIRFLOW__CORE__PARALLELISM": "10", "AIRFLOW__RENDERBUS__POLL_INTERVAL": "1"}
        self.stage = Stage(
            folder, PROJECT / "reliability" / "dags" / _DAG, _SPEED, settings, self.reaper.workers
        )
        self._run_id = ""
        self._indexes: dict[str, int] = {}

    def render(self, run_id: str, points: Sequence[tuple[str, Point | None]]) -> list[Row]:
        """Render once for each point, and return what came of it."""
        self._run_id = run_id
        self.reaper.lives = [Life(point) for _, point in points]
        renders = []
        for index, (life, (mode, _)) in enumerate(zip(self.reaper.lives, points, strict=True)):
            name = f"{run_id}{index:03}"
            self.stage.connect(name, self.reaper.rule_of(life))
            renders.append(
                {
                    "renderbus_conn_id": name,
                    "task_json": task_json(name),
                    "deferrable": _MODES[mode],
                    "poll_interval": _POLL_INTERVAL,
                }
            )
        airflow = self.stage.airflow
        airflow.trigger(_DAG, run_id, {"renders": renders})
        airflow.wait_for_run(_DAG, run_id, _LONGEST_RUN)
        instances = {each["map_index"]: each for each in self._instances()}
        books = self.stage.renders()
        return [
            Row(
                (mode, str(point.step) if point else "all", point.moment if point else "never"),
                _RIGHT if point is None or life.kills else "the kill",
                "; ".join(self._told(life, instances[index], books.get(f"{run_id}{index:03}", NOT_RENDERED))),
            )
            for index, (life, (mode, point)) in enumerate(zip(self.reaper.lives, points, strict=True))
        ]

    def _told(self, life: Life, instance: dict[str, Any], render: Render) -> Iterator[str]:
        """Yield what came of a render, be it right or wrong."""
        if life.point and not life.kills:
            yield "the step was not reached"
        right = {
            "number": render.numbers[-1] if render.numbers else None,
            "state": "FINISHED",
            "frames": {"total": FRAMES, "done": FRAMES, "failed": 0, "running": 0, "aborted": 0},
            "cost": str(COST),
        }
        result = self.stage.airflow.returned(instance) if instance["state"] == "success" else None
        submits = render.orders["submit"]
        other = {name: count for name, count in render.orders.items() if name not in {"create", "submit"}}
        charge = "1 charge" if render.cost == COST else f"{render.cost} charged"
        same = result is not None and {name: result.get(name) for name in right} == right
        told = f"{submits} submit{'s' * (submits != 1)}, {charge}, "
        told += "right result" if same else f"result {result}, task {instance['state']}"
        yield told
        if other:
            yield f"orders {other}"

    def _instances(self) -> list[dict[str, Any]]:
        path = f"/dags/{_DAG}/dagRuns/{self._run_id}/taskInstances"
        return [each for each in self.stage.airflow.pages(path, "task_instances") if each["task_id"] == _TASK]

    def _index_of(self, instance_id: str) -> int | None:
        """Return the map index of a task instance; each try has an id of its own."""
        if instance_id not in self._indexes:
            self._indexes |= {each["id"]: each["map_index"] for each in self._instances()}
            self._indexes.setdefault(instance_id, -1)
        index = self._indexes[instance_id]
        return None if index < 0 else index
