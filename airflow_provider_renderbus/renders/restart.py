"""Finds and restarts renders that were stopped, for a later try of the Airflow task."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import NothingToDo
from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.renders.results import RESTARTABLE, describe, is_manual_stop
from airflow_provider_renderbus.renders.submit import find_task

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from decimal import Decimal

    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.renders.client import RenderClient

log = logging.getLogger(__name__)

# A render in one of these states cannot be restarted.
_UNRECOVERABLE = {TaskStatus.ABANDON, TaskStatus.RENDERING_TASK_SUBMIT_FAIL}
# Seconds after a try reattached to a render during which a stop is taken for that of the try before.
STALE_STOP_WINDOW = 60.0
# Seconds before each poll for the effect of a request.
RESTART_POLL_DELAYS = (0.0, 2.0, 5.0, 10.0)


def find_usable(client: RenderClient, task_id: int) -> TaskInfo | None:
    """Return the render of an earlier try, or None if it is lost."""
    task = find_task(client, task_id)
    if task is not None and not task.is_deleted and task.status not in _UNRECOVERABLE:
        return task
    state = task.status.name if task is not None and task.status in _UNRECOVERABLE else "deleted"
    log.warning("Render %s: %s, starting a new render", task_id, state)
    return None


def restart_stopped(
    client: RenderClient,
    task_ids: Iterable[int],
    max_cost: Decimal | None = None,
    *,
    undo_manual_stops: bool = False,
) -> None:
    """Restart those renders of an earlier try that were stopped, and leave the others as they are.

    :param max_cost: a render that has cost more is not restarted; None for no limit.
    :param undo_manual_stops: whether to restart those too that somebody has stopped: only if a user asked for
        it by a clear of the Airflow task.
    """
    for task in client.run(flows.get_tasks(task_ids)).values():
        is_stopped = task.is_submitted and task.status in RESTARTABLE
        if is_stopped and max_cost is not None and task.cost > max_cost:
            log.warning("Render %s: not restarted, cost %s exceeds max_cost %s", task.id, task.cost, max_cost)
        elif is_manual_stop(task) and not undo_manual_stops:
            log.warning("%s: not restarted; clear this Airflow task to restart it", describe(task))
        elif is_stopped:
            log.info("Render %s: %s, restarting it", task.id, task.status.name)
            restart(client, task.id)
        else:
            log.info("Render %s: reattached, %s", task.id, task.status.name)


def restart(client: RenderClient, task_id: int) -> None:
    """Restart a render, and wait until that shows."""
    try:
        client.send(calls.start_task([task_id]))
    except NothingToDo as error:
        log.info("Render %s: not restarted: %s", task_id, error)
    wait_until_active(client, task_id)


def wait_until_active(client: RenderClient, task_id: int) -> bool:
    """Return whether a render is active within 17 s, so that its old end is not taken for a new one."""
    for delay in RESTART_POLL_DELAYS:
        client.clock.sleep(delay)
        task = client.run(flows.get_tasks([task_id])).get(task_id)
        if task is not None and not task.is_terminal:
            return True
    return False


def is_halted(
    client: RenderClient,
    task_id: int,
    states: Collection[TaskStatus],
    *,
    settle: bool,
    undo_manual_stop: bool = False,
) -> bool:
    """Return whether a render is still in one of the states in which it came to rest.

    A render that the farm does not show counts as halted, and one that somebody has stopped does not,
    unless a user has asked to restart it.

    :param settle: whether to wait up to 17 s for the render to become active.
    """
    if settle and wait_until_active(client, task_id):
        return False
    task = find_task(client, task_id)
    return task is None or (task.status in states and (undo_manual_stop or not is_manual_stop(task)))
