"""Reads the state of Airflow task instances, which decides who may stop a render."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakSet

from airflow_provider_renderbus.polling.batching import Batcher
from airflow_provider_renderbus.polling.loop_logger import LoopLogger, is_triggerer
from airflow_provider_renderbus.polling.shielding import run_shielded, spawn

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

log = LoopLogger(logging.getLogger(__name__))

# A newer try or another triggerer waits for the render.
_ACTIVE = {"running", "deferred", "restarting"}
_FINISHED = {"failed", "success", "skipped", "removed"}
# Seconds: on a busy machine the first request of a triggerer to Airflow takes many. Together with the
# time-out of a stop it is less than the minute in which a newer try takes a stop for that of an older one;
# only after a query that has timed out it can be more, and then the farm's stopType decides.
_QUERY_TIMEOUT = 30.0
# Seconds after the first trigger has started; by then those that have come with it have started too.
_PREPARE_DELAY = 60.0


# The answer for all indexes of a mapped task can be thousands of states. It keeps the triggerer's supervisor
# busy for a second and fills the socket between the triggerer's two processes, which can then wait for each
# other (Airflow 3.3.2). So the states of a few indexes are queried one by one. For more, the number of active
# ones is queried first, which is 0 if the whole run was ended, and one answer serves all that have waited.
_FEW = 10


class _DagRunKey(NamedTuple):
    dag_id: str
    run_id: str


class _TaskKey(NamedTuple):
    """Identifies a task instance in a DAG run; the map index is -1 if the task is not mapped."""

    task_id: str
    map_index: int


async def is_active(ti: Any) -> bool | None:
    """Return whether the task instance of a cancelled trigger is still active and needs its render.

    None if Airflow does not answer. After a clear, the new try can run or even be deferred before the old
    trigger is cancelled.
    """
    try:
        run, task = _keys_of(ti)
        return (await _batched_query(run, task)).get(task) in _ACTIVE
    except Exception as error:  # noqa: BLE001 - whatever Airflow raises means that it does not answer
        log.warning("The state of the Airflow task is unknown, Airflow does not answer: %r", error)
        return None


def prepare_queries(ti: Any) -> None:
    """Have the triggerer answer a first query in a minute, once, for the task instance of a trigger.

    In Airflow 3 the first answer takes 5 s of CPU, because the triggerer's supervisor builds an API server in
    its process. If a kill of thousands of tasks came first, the stops would wait for that.
    """
    loop = asyncio.get_running_loop()
    if is_triggerer() and loop not in _prepared:
        _prepared.add(loop)
        loop.call_later(_PREPARE_DELAY, lambda: spawn(is_active(ti)))


_prepared: WeakSet[asyncio.AbstractEventLoop] = WeakSet()


def is_finished(ti: Any) -> bool:
    """Return whether the task instance of this process was ended from outside; the signal may come later.

    False also if Airflow does not answer.
    """
    try:
        run, task = _keys_of(ti)
        return _state_reader()(run, [task]).get(task) in _FINISHED
    except Exception:  # whatever Airflow raises means that it does not answer
        log.debug("The state of the Airflow task is unknown, Airflow does not answer", exc_info=True)
        return False


def states_of_run(ti: Any, task_ids: Collection[str]) -> dict[tuple[str, int], str | None]:
    """Return the states of all instances of some tasks of a task instance's run, by task id and map index.

    :param ti: of the process that asks, which must run a task.
    """
    try:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
    except ImportError:
        names = _states_of_dag_in_database(ti.dag_id).get(ti.run_id, {})
    else:
        names = RuntimeTaskInstance.get_task_states(
            ti.dag_id, task_ids=list(task_ids), run_ids=[ti.run_id]
        ).get(ti.run_id, {})
    states: dict[tuple[str, int], str | None] = {}
    for name, state in names.items():
        task_id, _, index = name.rpartition("_")
        if name in task_ids:
            states[name, -1] = state
        elif task_id in task_ids and index.isdecimal():
            states[task_id, int(index)] = state
    return states


def states_of_dag(dag_id: str) -> dict[str, dict[str, str | None]]:
    """Return the states of all task instances of a DAG, by run id and by name.

    The name is the task id, for a mapped one with the map index: ``render_3``. Only a process that runs a
    task may ask.
    """
    try:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
    except ImportError:
        return _states_of_dag_in_database(dag_id)
    states: dict[str, dict[str, str | None]] = RuntimeTaskInstance.get_task_states(dag_id)
    return states


def _states_of_dag_in_database(dag_id: str) -> dict[str, dict[str, str | None]]:
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    states: dict[str, dict[str, str | None]] = {}
    with create_session() as session:
        rows = session.query(
            TaskInstance.run_id, TaskInstance.task_id, TaskInstance.map_index, TaskInstance.state
        ).filter_by(dag_id=dag_id)
        for run_id, task_id, map_index, state in rows:
            name = task_id if map_index < 0 else f"{task_id}_{map_index}"
            states.setdefault(run_id, {})[name] = state
    return states


def _keys_of(ti: Any) -> tuple[_DagRunKey, _TaskKey]:
    return _DagRunKey(ti.dag_id, ti.run_id), _TaskKey(ti.task_id, ti.map_index)


async def _query(run: _DagRunKey, tasks: list[_TaskKey]) -> Mapping[_TaskKey, str | None]:
    from asgiref.sync import sync_to_async

    # In a thread of its own: the shared one may wait for something that this process has closed already.
    read = sync_to_async(_state_reader(), thread_sensitive=False)
    async with asyncio.timeout(_QUERY_TIMEOUT):
        return await run_shielded(read(run, tasks))


_batched_query: Batcher[_DagRunKey, _TaskKey, Mapping[_TaskKey, str | None]] = Batcher(
    _query, one_at_a_time=True
)


def _state_reader() -> Callable[[_DagRunKey, list[_TaskKey]], Mapping[_TaskKey, str | None]]:
    """Return the function that reads states of task instances in this version of Airflow."""
    try:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
    except ImportError:
        return _states_in_database

    def states_from_api(run: _DagRunKey, tasks: list[_TaskKey]) -> Mapping[_TaskKey, str | None]:
        task_ids = sorted({task.task_id for task in tasks})
        indexes: set[int | None] = {task.map_index for task in tasks}
        if len(indexes) > _FEW:
            if not RuntimeTaskInstance.get_ti_count(
                run.dag_id, task_ids=task_ids, run_ids=[run.run_id], states=sorted(_ACTIVE)
            ):
                return dict.fromkeys(tasks)
            # Without an index, the answer has the states of all indexes.
            indexes = {None}
        states: dict[str, str | None] = {}
        for index in indexes:
            answer = RuntimeTaskInstance.get_task_states(
                run.dag_id, map_index=index, task_ids=task_ids, run_ids=[run.run_id]
            )
            states |= answer.get(run.run_id, {})
        return {
            task: states.get(task.task_id if task.map_index < 0 else f"{task.task_id}_{task.map_index}")
            for task in tasks
        }

    return states_from_api


def _states_in_database(run: _DagRunKey, tasks: list[_TaskKey]) -> Mapping[_TaskKey, str | None]:
    """Read the states from the database, as Airflow 2 allows its triggerer and workers to."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    with create_session() as session:
        rows = (
            session.query(TaskInstance.task_id, TaskInstance.map_index, TaskInstance.state)
            .filter_by(**run._asdict())
            .filter(TaskInstance.task_id.in_({task.task_id for task in tasks}))
        )
        return {_TaskKey(task_id, map_index): state for task_id, map_index, state in rows}
