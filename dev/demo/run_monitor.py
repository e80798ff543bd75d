"""Following a DAG run: what its shots are doing on the farm, and what it leaves in Airflow."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api import calls
from dev.demo.nightly_expectations import CONTACT_SHEET, CREATE, DAG_ID, PREVIEW, WAIT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from decimal import Decimal

    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.clients.client import Client
    from dev.harness.airflow_instance import AirflowInstance

HEAD = f"{'shot':<16}{'task':<11}{'state':<12}{'frames':>7}{'cost, RMB':>12}"
"""What the columns of a :class:`Shot` as text are."""

_PAUSE = 1.0
_UNFINISHED = ("queued", "running")
# What these return is read and checked.
_RETURNING = (CREATE, WAIT, CONTACT_SHEET, PREVIEW)

Instance = tuple[str, int]
"""A task's id and a map index, which is -1 where the task is not mapped."""


@dataclass(frozen=True)
class Shot:
    """What the farm tells of a shot."""

    name: str
    number: int
    state: str
    done: int
    total: int
    cost: Decimal

    def __str__(self) -> str:
        frames = f"{self.done}/{self.total}"
        return f"{self.name:16}{self.number:<11}{self.state:12}{frames:>7}{self.cost:12.2f}"


@dataclass(frozen=True)
class Result:
    """A DAG run that has ended, as read from Airflow's REST API and from the farm.

    :param state: the run's.
    :param others: runs of the same DAG that should not be there.
    :param instances: the task instances.
    :param returned: what those that succeeded returned.
    :param tasks: the farm's tasks, by number.
    """

    state: str
    others: tuple[str, ...]
    instances: Mapping[Instance, Mapping[str, Any]]
    returned: Mapping[Instance, Any]
    tasks: Mapping[int, TaskInfo]


class Follower:
    """Follows the first run of the DAG.

    :param airflow: where it runs.
    :param farm: where it renders.
    :param dag_id: the DAG.
    :param create: the task that returns a task number of the farm.
    :param returning: the tasks whose results are read.
    """

    def __init__(
        self,
        airflow: AirflowInstance,
        farm: Client,
        dag_id: str = DAG_ID,
        create: str = CREATE,
        returning: Collection[str] = _RETURNING,
    ) -> None:
        self._airflow = airflow
        self._farm = farm
        self._runs = f"/dags/{dag_id}/dagRuns"
        self._create = create
        self._returning = returning
        self._run: Mapping[str, Any] = {}
        self._instances: Mapping[Instance, Mapping[str, Any]] = {}
        self._returned: dict[Instance, Any] = {}
        self._tasks: dict[int, TaskInfo] = {}

    def follow(self) -> Iterator[list[Shot]]:
        """Yield what has changed among the shots, be it nothing, each second until the run has ended."""
        told: set[Shot] = set()
        while not self._run or self._run["state"] in _UNFINISHED:
            self._look()
            shots = {_shot(task) for task in self._tasks.values() if task.scene_name}
            yield sorted(shots - told, key=lambda shot: shot.name)
            told |= shots
            time.sleep(_PAUSE)

    def result(self) -> Result:
        """Return what has become of the run."""
        runs = self._airflow.get(self._runs)["dag_runs"]
        others = tuple(f"{run['dag_run_id']} ({run['state']})" for run in runs if self._is_beside(run))
        return Result(self._run["state"], others, self._instances, self._returned, self._tasks)

    def _look(self) -> None:
        runs = self._airflow.get(self._runs, order_by="run_after")["dag_runs"]
        if not runs:
            return
        self._run = runs[0]
        path = f"{self._runs}/{self._run['dag_run_id']}/taskInstances"
        instances = self._airflow.get(path, limit=100)["task_instances"]
        self._instances = {(instance["task_id"], instance["map_index"]): instance for instance in instances}
        for (task_id, index), instance in self._instances.items():
            new = (task_id, index) not in self._returned
            if new and task_id in self._returning and instance["state"] == "success":
                xcom = self._airflow.get(f"{path}/{task_id}/xcomEntries/return_value", map_index=index)
                self._returned[task_id, index] = xcom["value"]
        numbers = [number for (task_id, _), number in self._returned.items() if task_id == self._create]
        if numbers:
            self._tasks = self._farm.send(calls.query_task_info(numbers))

    def _is_beside(self, run: Mapping[str, Any]) -> bool:
        """Tell whether a run is another one, and not the next night's, due while the demo was running."""
        falls_due = run["run_type"] == "scheduled" and run["run_after"] > self._run["start_date"]
        return run["dag_run_id"] != self._run["dag_run_id"] and not falls_due


def shot_name(task: TaskInfo) -> str:
    """Return the name of the shot that a task renders: that of its scene file."""
    return Path(task.scene_name or "").stem


def _shot(task: TaskInfo) -> Shot:
    progress = task.progress
    return Shot(
        shot_name(task),
        task.id,
        task.status.name.lower(),
        progress.done,
        progress.total,
        task.cost,
    )
