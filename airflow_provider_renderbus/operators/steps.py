"""The steps of a render that more than one operator takes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import NotSent, RenderbusError, is_refusal
from airflow_provider_renderbus.operators.task_json import filled_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.hooks.renderbus import RenderbusHook

log = logging.getLogger(__name__)


def upload(hook: RenderbusHook, number: int, task_json: Mapping[str, Any] | str) -> dict[str, int]:
    """Complete a task.json and upload it.

    :param hook: the farm's hook.
    :param number: the task's number.
    :param task_json: the file, as a mapping or as JSON text.
    :return: the size of each uploaded file in bytes, by its name.
    :raises ValueError: it is no task.json; nothing is sent.
    """
    profile = hook.send(calls.query_user_profile())
    content = filled_in(task_json, task_id=number, user_id=profile.user_id, platform=hook.settings.platform)
    hook.send(calls.upload_task_json(number, content))
    size = len(content.encode())
    log.info("Uploaded task.json of task %s, %s bytes", number, size)
    return {"task.json": size}


def look_up(hook: RenderbusHook, number: int) -> TaskInfo | None:
    """Return what the farm tells of a task, or None where it does not know it."""
    return hook.send(calls.query_task_info([number])).get(number)


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
