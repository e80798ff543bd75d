"""What Airflow says of a task whose trigger is cancelled, or whose process is about to hand over."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

# A newer try has the render, or another triggerer.
_GOES_ON = {"running", "deferred", "restarting"}
_OVER = {"failed", "success", "skipped", "removed"}
# Seconds that Airflow may take to answer.
_ANSWER_WITHIN = 8.0


async def goes_on(ti: Any) -> bool | None:
    """Tell whether the Airflow task of a cancelled trigger goes on, so that its render is not to be stopped.

    After a clear, the new try can run, and even wait, before the old trigger asks.

    :param ti: the task instance, as the triggerer gave it to the trigger.
    :return: None where Airflow does not answer.
    """
    from asgiref.sync import sync_to_async

    try:
        async with asyncio.timeout(_ANSWER_WITHIN):
            # A thread of its own, for the shared one may wait for what this process has closed already.
            return await sync_to_async(_state_reader(), thread_sensitive=False)(ti) in _GOES_ON
    except Exception:  # whatever Airflow raises means that it does not answer
        log.warning("Airflow does not tell whether the task goes on", exc_info=True)
        return None


def is_over(ti: Any) -> bool:
    """Tell whether the task of this process was ended by somebody, of which its process hears later.

    :param ti: the task instance of the process.
    :return: False also where Airflow does not answer.
    """
    try:
        return _state_reader()(ti) in _OVER
    except Exception:  # whatever Airflow raises means that it does not answer
        log.debug("Airflow does not tell whether the task was ended", exc_info=True)
        return False


def _state_reader() -> Callable[[Any], str | None]:
    """Return what reads the state of a task instance on this version of Airflow."""
    try:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
    except ImportError:
        return _state_in_database

    def state(ti: Any) -> str | None:
        states = RuntimeTaskInstance.get_task_states(
            ti.dag_id, map_index=ti.map_index, task_ids=[ti.task_id], run_ids=[ti.run_id]
        )
        name = ti.task_id if ti.map_index < 0 else f"{ti.task_id}_{ti.map_index}"
        found: str | None = states.get(ti.run_id, {}).get(name)
        return found

    return state


def _state_in_database(ti: Any) -> str | None:
    """Read the state as Airflow 2 lets its triggerer and workers do."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    with create_session() as session:
        state: str | None = (
            session.query(TaskInstance.state)
            .filter_by(dag_id=ti.dag_id, run_id=ti.run_id, task_id=ti.task_id, map_index=ti.map_index)
            .scalar()
        )
    return state
