"""What Airflow says of a task whose trigger is cancelled, or whose process is about to hand over."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_renderbus.triggers.gathering import Gathering

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

# A newer try has the render, or another triggerer.
_GOES_ON = {"running", "deferred", "restarting"}
_OVER = {"failed", "success", "skipped", "removed"}
# Seconds that Airflow may take to answer: the first question to a triggerer can take ten.
_ANSWER_WITHIN = 15.0


class _Task(NamedTuple):
    """A task of a DAG run, with all that it is mapped to."""

    dag_id: str
    run_id: str
    task_id: str


async def goes_on(ti: Any) -> bool | None:
    """Tell whether the Airflow task of a cancelled trigger goes on, so that its render is not to be stopped.

    After a clear, the new try can run, and even wait, before the old trigger asks.

    :param ti: the task instance, as the triggerer gave it to the trigger.
    :return: None where Airflow does not answer.
    """
    try:
        states = await _ask_together(_task_of(ti), ti.map_index)
        return states.get(ti.map_index) in _GOES_ON
    except Exception as problem:  # noqa: BLE001 - whatever Airflow raises means that it does not answer
        log.warning("Airflow does not tell whether the task goes on: %r", problem)
        return None


def is_over(ti: Any) -> bool:
    """Tell whether the task of this process was ended by somebody, of which its process hears later.

    :param ti: the task instance of the process.
    :return: False also where Airflow does not answer.
    """
    try:
        return _state_reader()(_task_of(ti), [ti.map_index]).get(ti.map_index) in _OVER
    except Exception:  # whatever Airflow raises means that it does not answer
        log.debug("Airflow does not tell whether the task was ended", exc_info=True)
        return False


def _task_of(ti: Any) -> _Task:
    return _Task(ti.dag_id, ti.run_id, ti.task_id)


async def _ask(task: _Task, indexes: list[int]) -> Mapping[int, str | None]:
    from asgiref.sync import sync_to_async

    async with asyncio.timeout(_ANSWER_WITHIN):
        # A thread of its own, for the shared one may wait for what this process has closed already.
        return await sync_to_async(_state_reader(), thread_sensitive=False)(task, indexes)


_ask_together: Gathering[_Task, int, Mapping[int, str | None]] = Gathering(_ask)


def _state_reader() -> Callable[[_Task, list[int]], Mapping[int, str | None]]:
    """Return what reads the states of map indexes of a task on this version of Airflow."""
    try:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
    except ImportError:
        return _states_in_database

    def states(task: _Task, indexes: list[int]) -> Mapping[int, str | None]:
        dag_id, run_id, task_id = task
        told = RuntimeTaskInstance.get_task_states(
            dag_id,
            # Those of all indexes come in one answer where more than one is asked for.
            map_index=indexes[0] if len(indexes) == 1 else None,
            task_ids=[task_id],
            run_ids=[run_id],
        ).get(run_id, {})
        return {index: told.get(task_id if index < 0 else f"{task_id}_{index}") for index in indexes}

    return states


def _states_in_database(task: _Task, indexes: list[int]) -> Mapping[int, str | None]:
    """Read the states as Airflow 2 lets its triggerer and workers do."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    with create_session() as session:
        rows = (
            session.query(TaskInstance.map_index, TaskInstance.state)
            .filter_by(**task._asdict())
            .filter(TaskInstance.map_index.in_(indexes))
        )
        return dict(rows.all())
