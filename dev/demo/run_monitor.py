"""Follows a DAG run: what its shots do on the farm, and what it leaves in Airflow."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.models.tasks import TaskInfo
from airflow_provider_renderbus.clients.client import Client
from dev.harness.airflow_instance import AirflowInstance

HEAD = f"{'shot':<16}{'task':<11}{'state':<12}{'frames':>7}{'cost, RMB':>12}"
"""The head of the columns of :class:`ShotStatus` as text."""

_POLL_INTERVAL = 1.0
_UNFINISHED = ("queued", "running")

InstanceKey = tuple[str, int]
"""A task's id and a map index, which is -1 if the task is not mapped."""


@dataclass(frozen=True)
class ShotStatus:
    """The status of a shot on the farm."""

    name: str
    render_task_id: int
    state: str
    done: int
    total: int
    cost: Decimal

    def __str__(self) -> str:
        frames = f"{self.done}/{self.total}"
        return f"{self.name:16}{self.render_task_id:<11}{self.state:12}{frames:>7}{self.cost:12.2f}"


@dataclass(frozen=True)
class RunResult:
    """A DAG run that has ended, as read from Airflow's REST API and from the farm.

    :param other_runs: runs of the same DAG that should not exist.
    """

    state: str
    other_runs: tuple[str, ...]
    instances: Mapping[InstanceKey, Mapping[str, Any]]
    return_values: Mapping[InstanceKey, Any]
    tasks: Mapping[int, TaskInfo]


class RunMonitor:
    """Follows the first run of a DAG, on a farm that renders nothing else.

    :param returning: the ids of the tasks whose return values are read.
    """

    def __init__(
        self,
        airflow: AirflowInstance,
        farm: Client,
        dag_id: str,
        returning: Collection[str],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._airflow, self._farm, self._sleep = airflow, farm, sleep
        self._runs = f"/dags/{dag_id}/dagRuns"
        self._returning = returning
        self._run: Mapping[str, Any] = {}
        self._instances: Mapping[InstanceKey, Mapping[str, Any]] = {}
        self._return_values: dict[InstanceKey, Any] = {}
        self._tasks: dict[int, TaskInfo] = {}

    def changes(self) -> Iterator[list[ShotStatus]]:
        """Yield what has changed among the shots, be it nothing, each second until the run has ended."""
        seen: set[ShotStatus] = set()
        while not self._run or self._run["state"] in _UNFINISHED:
            self._poll()
            shots = {_shot_status(task) for task in self._tasks.values() if task.scene_name}
            yield sorted(shots - seen, key=lambda shot: shot.name)
            seen |= shots
            self._sleep(_POLL_INTERVAL)

    def result(self) -> RunResult:
        """Return the result of the run."""
        runs = self._airflow.get(self._runs)["dag_runs"]
        others = tuple(f"{run['dag_run_id']} ({run['state']})" for run in runs if self._is_unexpected(run))
        return RunResult(self._run["state"], others, self._instances, self._return_values, self._tasks)

    def _poll(self) -> None:
        runs = self._airflow.get(self._runs, order_by="run_after")["dag_runs"]
        if not runs:
            return
        self._run = runs[0]
        path = f"{self._runs}/{self._run['dag_run_id']}/taskInstances"
        instances = self._airflow.get(path, limit=100)["task_instances"]
        self._instances = {(instance["task_id"], instance["map_index"]): instance for instance in instances}
        for (task_id, index), instance in self._instances.items():
            is_new = (task_id, index) not in self._return_values
            if is_new and task_id in self._returning and instance["state"] == "success":
                xcom = self._airflow.get(f"{path}/{task_id}/xcomEntries/return_value", map_index=index)
                self._return_values[task_id, index] = xcom["value"]
        if ids := [task.id for task in self._farm.send(calls.get_task_list()).items]:
            self._tasks = self._farm.send(calls.query_task_info(ids))

    def _is_unexpected(self, run: Mapping[str, Any]) -> bool:
        """Return whether a run is another one, and not the next night's, due while the demo was running."""
        is_next_night = run["run_type"] == "scheduled" and run["run_after"] > self._run["start_date"]
        return run["dag_run_id"] != self._run["dag_run_id"] and not is_next_night


def shot_name(task: TaskInfo) -> str:
    """Return the name of the shot that a task renders: that of its scene file."""
    return Path(task.scene_name or "").stem


def _shot_status(task: TaskInfo) -> ShotStatus:
    progress = task.progress
    state = task.status.name.lower()
    return ShotStatus(shot_name(task), task.id, state, progress.done, progress.total, task.cost)
