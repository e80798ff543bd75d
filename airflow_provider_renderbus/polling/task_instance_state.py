"""What Airflow says of a task whose trigger is cancelled, or whose process is about to hand over."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_renderbus.polling.batching import Batcher
from airflow_provider_renderbus.polling.shielding import run_shielded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

# A newer try has the render, or another triggerer.
_GOES_ON = {"running", "deferred", "restarting"}
_OVER = {"failed", "success", "skipped", "removed"}
# Seconds that Airflow may take to answer: on a busy machine the first question to a triggerer takes many.
# With those for stopping it is less than the minute in which a newer try takes a stop for an old one.
_ANSWER_WITHIN = 30.0


class _Run(NamedTuple):
    """A DAG run."""

    dag_id: str
    run_id: str


class _Task(NamedTuple):
    """A task of a DAG run; its map index is -1 where it is not mapped."""

    task_id: str
    map_index: int


async def is_active(ti: Any) -> bool | None:
    """Tell whether the Airflow task of a cancelled trigger goes on, so that its render is not to be stopped.

    After a clear, the new try can run, and even wait, before the old trigger asks.

    :param ti: the task instance, as the triggerer gave it to the trigger.
    :return: None where Airflow does not answer.
    """
    try:
        run, task = _named(ti)
        return (await _ask_together(run, task)).get(task) in _GOES_ON
    except Exception as problem:  # noqa: BLE001 - whatever Airflow raises means that it does not answer
        log.warning("Airflow does not tell whether the task goes on: %r", problem)
        return None


def is_finished(ti: Any) -> bool:
    """Tell whether the task of this process was ended by somebody, of which its process hears later.

    :param ti: the task instance of the process.
    :return: False also where Airflow does not answer.
    """
    try:
        run, task = _named(ti)
        return _state_reader()(run, [task]).get(task) in _OVER
    except Exception:  # whatever Airflow raises means that it does not answer
        log.debug("Airflow does not tell whether the task was ended", exc_info=True)
        return False


def _named(ti: Any) -> tuple[_Run, _Task]:
    return _Run(ti.dag_id, ti.run_id), _Task(ti.task_id, ti.map_index)


async def _ask(run: _Run, tasks: list[_Task]) -> Mapping[_Task, str | None]:
    from asgiref.sync import sync_to_async

    # A thread of its own, for the shared one may wait for what this process has closed already.
    question = sync_to_async(_state_reader(), thread_sensitive=False)
    async with asyncio.timeout(_ANSWER_WITHIN):
        return await run_shielded(question(run, tasks))


_ask_together: Batcher[_Run, _Task, Mapping[_Task, str | None]] = Batcher(_ask)


def _state_reader() -> Callable[[_Run, list[_Task]], Mapping[_Task, str | None]]:
    """Return what reads the states of tasks of a DAG run on this version of Airflow."""
    try:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
    except ImportError:
        return _states_in_database

    def states(run: _Run, tasks: list[_Task]) -> Mapping[_Task, str | None]:
        indexes = {task.map_index for task in tasks}
        told = RuntimeTaskInstance.get_task_states(
            run.dag_id,
            # Those of all indexes come in one answer where more than one is asked for.
            map_index=indexes.pop() if len(indexes) == 1 else None,
            task_ids=sorted({task.task_id for task in tasks}),
            run_ids=[run.run_id],
        ).get(run.run_id, {})
        return {
            task: told.get(task.task_id if task.map_index < 0 else f"{task.task_id}_{task.map_index}")
            for task in tasks
        }

    return states


def _states_in_database(run: _Run, tasks: list[_Task]) -> Mapping[_Task, str | None]:
    """Read the states as Airflow 2 lets its triggerer and workers do."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    with create_session() as session:
        rows = (
            session.query(TaskInstance.task_id, TaskInstance.map_index, TaskInstance.state)
            .filter_by(**run._asdict())
            .filter(TaskInstance.task_id.in_({task.task_id for task in tasks}))
        )
        return {_Task(task_id, map_index): state for task_id, map_index, state in rows}
