"""The steps of a render that more than one operator takes."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import NotSent, RenderbusError, is_refusal

if TYPE_CHECKING:
    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.hooks.renderbus import RenderbusHook

log = logging.getLogger(__name__)

# Seconds between the looks for a task that an answer did not hold.
_PAUSES = (2.0, 5.0, 10.0)


def look_up(hook: RenderbusHook, number: int) -> TaskInfo | None:
    """Return what the farm tells of a task, or None where it does not know it."""
    return hook.send(calls.query_task_info([number])).get(number)


def look_for(hook: RenderbusHook, number: int) -> TaskInfo | None:
    """Return what the farm tells of a task, or None where several answers in a row did not hold it.

    An answer can be short of a task for a moment, and to take it for gone would be to render and pay anew.
    """
    known = look_up(hook, number)
    for pause in _PAUSES:
        if known is not None:
            break
        time.sleep(pause)
        known = look_up(hook, number)
    return known


def submit(hook: RenderbusHook, number: int, producer: str | None) -> None:
    """Submit a task, unless it is submitted: a number is never submitted again, but taken up as it is.

    :param hook: the farm's hook.
    :param number: the task's number.
    :param producer: name of the artist, which comes back in the task's info.
    """
    known = look_up(hook, number)
    if known is not None and known.submitted:
        log.info("Task %s is already submitted (%s); taking it up", number, known.status.name)
        return
    try:
        hook.send(calls.submit_task(number, producer=producer))
    except RenderbusError as lost:
        if is_refusal(lost) or isinstance(lost, NotSent):
            raise
        log.warning("It is not known whether task %s was submitted; the farm is asked: %s", number, lost)
        known = look_up(hook, number)
        if known is None or not known.submitted:
            raise
    log.info("Submitted task %s: %s", number, hook.console_url(number))
