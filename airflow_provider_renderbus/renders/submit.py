"""The steps of a render that more than one operator takes."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import (
    BadRequest,
    InvalidResponse,
    NotSent,
    RenderbusError,
    UnknownTask,
    is_permanent,
)
from airflow_provider_renderbus.api.validation import USER_LEVELS, one_of, parse_int

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.api.validation import TaskId
    from airflow_provider_renderbus.hooks.renderbus import RenderbusHook

log = logging.getLogger(__name__)

# Seconds between the looks for a task that an answer did not hold.
LOOKUP_DELAYS = (2.0, 5.0, 10.0)
# Seconds before each look by which it is settled whether a submit arrived: three looks over 30 s.
CONFIRM_DELAYS = (0.0, 15.0, 15.0)


def find_task(hook: RenderbusHook, number: int) -> TaskInfo | None:
    """Return what the farm tells of a task, or None where several answers in a row did not hold it.

    An answer can be short of a task for a moment, and to take it for gone would be to render and pay anew.
    """
    known = _look_up(hook, number)
    for pause in LOOKUP_DELAYS:
        if known is not None:
            break
        time.sleep(pause)
        known = _look_up(hook, number)
    return known


def submit_time(hook: RenderbusHook, number: int) -> float:
    """Return the moment at which the farm took a submit, in seconds since 1970; now where it tells none."""
    known = find_task(hook, number)
    moment = known.submitted_at if known else None
    return moment.timestamp() if moment else time.time()


def create_tasks(
    hook: RenderbusHook,
    count: Any = 1,
    *,
    priority: Any,
    labels: Sequence[str] | None,
    artist: str | None,
    clone_original_id: TaskId | None = None,
) -> tuple[int, ...]:
    """Create task numbers, which cost nothing until they are submitted.

    :param hook: the farm's hook.
    :param count: how many numbers.
    :param priority: priority among the account's own tasks, 50 or 60.
    :param labels: labels that the task carries on the farm's web pages.
    :param artist: name of the person who made the scene.
    :param clone_original_id: number or alias of the task that is cloned.
    :raises ValueError: an argument is not what the farm takes.
    :raises InvalidResponse: other than so many numbers came.
    """
    count = parse_int("count", count)
    call = calls.create_task(
        count=count,
        task_user_level=one_of("priority", parse_int("priority", priority), USER_LEVELS),
        labels=labels,
        artist=artist,
        clone_original_id=clone_original_id,
    )
    numbers = hook.send(call).ids
    if len(numbers) != count:
        raise InvalidResponse(call.name, f"{count} task numbers were asked for, {len(numbers)} came")
    log.info("Created %s", ", ".join(f"task {number}" for number in numbers))
    return numbers


def check_funds(hook: RenderbusHook, least: Decimal) -> None:
    """See to it that the account can spend enough; where it does not show its money, that is only advice.

    :param hook: the farm's hook.
    :param least: how much, in the account's currency.
    :raises ValueError: it cannot.
    """
    profile = hook.send(calls.query_user_profile())
    told = f"the account has {profile.available_funds} {profile.currency}, min_funds asks for {least}"
    if profile.has_less_than(least):
        raise ValueError(f"{told}: nothing was submitted; top it up")
    if profile.available_funds < least:
        log.warning("%s; %s", told, profile.FUNDS_HIDDEN_NOTE)


def submit(hook: RenderbusHook, number: int, producer: str | None, *, may_be_submitted: bool) -> None:
    """Submit a task that is not submitted, so that it is never paid twice.

    Where it is not known whether a submit arrived, the farm is asked, and it is sent again only after the
    farm has called the number unsubmitted three times over 30 s. If that second one is refused, the first
    has arrived after all.

    :param hook: the farm's hook.
    :param number: the task's number.
    :param producer: name of the artist, which comes back in the task's info.
    :param may_be_submitted: whether an earlier try may have sent a submit already.
    :raises RenderbusError: the farm refused, or did not answer; another try settles it.
    """
    try:
        hook.send(calls.submit_task(number, producer=producer))
    except RenderbusError as lost:
        if isinstance(lost, NotSent):
            raise
        if is_permanent(lost):
            if may_be_submitted and is_submitted(hook, number):
                return
            raise
        log.warning("It is not known whether task %s was submitted; the farm is asked: %s", number, lost)
        if not confirm_submitted(hook, number):
            _submit_again(hook, number, producer)
    log.info("Submitted task %s: %s", number, hook.console_url(number))


def _submit_again(hook: RenderbusHook, number: int, producer: str | None) -> None:
    log.warning("The farm still calls task %s unsubmitted; submitting it again", number)
    try:
        hook.send(calls.submit_task(number, producer=producer))
    except RenderbusError as problem:
        if isinstance(problem, BadRequest):
            log.warning("It was refused, so the first submit counts: %s", problem)
        elif is_permanent(problem) or isinstance(problem, NotSent) or not confirm_submitted(hook, number):
            raise


def confirm_submitted(hook: RenderbusHook, number: int) -> bool:
    """Settle whether a submit that may have been sent has arrived, by three looks over 30 s.

    :param hook: the farm's hook.
    :param number: the task's number.
    """
    for pause in CONFIRM_DELAYS:
        time.sleep(pause)
        if is_submitted(hook, number):
            return True
    return False


def is_submitted(hook: RenderbusHook, number: int) -> bool:
    """Return whether the farm calls a task submitted.

    :param hook: the farm's hook.
    :param number: the task's number.
    :raises UnknownTask: the farm does not know the task.
    """
    known = find_task(hook, number)
    if known is None:
        raise UnknownTask(number)
    if known.is_submitted:
        log.info("Task %s was submitted by an earlier request", number)
    return known.is_submitted


def _look_up(hook: RenderbusHook, number: int) -> TaskInfo | None:
    return hook.send(calls.query_task_info([number])).get(number)
