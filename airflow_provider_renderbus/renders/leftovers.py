"""Finds renders that run although their Airflow task has ended, by the marker behind the artist's name."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.states import Phase
from airflow_provider_renderbus.renders.reattach import find_task_key, task_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from airflow_provider_renderbus.api.models.tasks import TaskInfo

# The states of a task instance in which nothing waits for its render, or will.
ENDED = frozenset({"failed", "success", "skipped", "removed", "upstream_failed"})


@dataclass(frozen=True, slots=True)
class AirflowTask:
    """A task instance of Airflow; the map index is -1 if the task is not mapped."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    state: str | None


@dataclass(frozen=True, slots=True)
class Leftover:
    """A render that runs although its Airflow task has ended."""

    render_task_id: int
    airflow_task: AirflowTask

    def to_dict(self) -> dict[str, Any]:
        """Return it as small JSON."""
        task = asdict(self.airflow_task)
        return {"render_task_id": self.render_task_id, **task}


def task_instances(dag_id: str, states: Mapping[str, Mapping[str, str | None]]) -> Iterator[AirflowTask]:
    """Yield the task instances of a DAG, by run id and by name: the task id, or task id and map index.

    The name of a mapped instance can be that of another task, so both are yielded; only one has a marker.
    """
    for run_id, instances in states.items():
        for name, state in instances.items():
            yield AirflowTask(dag_id, run_id, name, -1, state)
            task_id, _, index = name.rpartition("_")
            if task_id and index.isdecimal():
                yield AirflowTask(dag_id, run_id, task_id, int(index), state)


def find_leftovers(renders: Iterable[TaskInfo], instances: Iterable[AirflowTask]) -> list[Leftover]:
    """Return the renders that run although their Airflow task has ended.

    A render without a marker, or of a task that is not among the instances, is none: another Airflow may wait
    for it.
    """
    by_key = {
        task_key(task.dag_id, task.run_id, task.task_id, str(task.map_index)): task for task in instances
    }
    running = [task for task in renders if task.is_submitted and task.status.phase is Phase.ACTIVE]
    found = ((task.id, by_key.get(find_task_key(task.producer) or "")) for task in running)
    return [Leftover(task_id, task) for task_id, task in found if task is not None and task.state in ENDED]
