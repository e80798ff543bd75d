"""Creates and submits a render so that it is never paid twice."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import (
    InvalidResponse,
    NotSent,
    RenderbusError,
    UnknownTask,
    is_permanent,
    may_send_again,
)
from airflow_provider_renderbus.api.validation import USER_LEVELS, one_of, parse_int, parse_int_from
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.clients.lost_time import TimeLostError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from airflow_provider_renderbus.api.call import Call
    from airflow_provider_renderbus.api.models.account import UserProfile
    from airflow_provider_renderbus.api.models.tasks import CreatedTasks, TaskInfo
    from airflow_provider_renderbus.api.validation import TaskId
    from airflow_provider_renderbus.renders.client import RenderClient

log = logging.getLogger(__name__)

# Seconds before each query that follows a response without the task.
LOOKUP_DELAYS = (2.0, 5.0, 10.0)
# Seconds before each query by which it is confirmed whether a request arrived: three queries over 30 s.
CONFIRM_DELAYS = (0.0, 15.0, 15.0)
MAX_TASKS_PER_CREATE = 1_000
"""More tasks at once are taken for a typing error. The farm's own limit is not documented."""


def find_task(client: RenderClient, task_id: int) -> TaskInfo | None:
    """Return a task, or None if four responses in a row lack it.

    A response can lack a task for a moment. If it counted as deleted, it would be rendered and paid again.
    """
    task = _query(client, task_id)
    for delay in LOOKUP_DELAYS:
        if task is not None:
            break
        client.clock.sleep(delay)
        task = _query(client, task_id)
    return task


def submit_time(client: RenderClient, task_id: int) -> float:
    """Return when the farm received the submit, in seconds since 1970; now if it does not say."""
    task = find_task(client, task_id)
    return task.submitted_at.timestamp() if task and task.submitted_at else client.clock.now()


def create_call(
    count: Any = 1,
    *,
    priority: Any,
    labels: Sequence[str] | None,
    artist: str | None,
    clone_original_id: TaskId | None = None,
) -> Call[CreatedTasks]:
    """Return the call that creates tasks, which cost nothing until they are submitted.

    :raises ValueError: an argument is wrong.
    """
    return calls.create_task(
        count=parse_int_from("count", count, 1, MAX_TASKS_PER_CREATE),
        task_user_level=one_of("priority", parse_int("priority", priority), USER_LEVELS),
        labels=labels,
        artist=artist,
        clone_original_id=clone_original_id,
    )


def create_tasks(client: RenderClient, call: Call[CreatedTasks]) -> tuple[int, ...]:
    """Create tasks, and return their ids.

    :param call: result of :func:`create_call`.
    :raises InvalidResponse: the farm created another number of tasks.
    """
    task_ids = client.send(call).ids
    count = call.body["count"]
    if len(task_ids) != count:
        raise InvalidResponse(call.name, f"{count} tasks were requested, {len(task_ids)} created")
    log.info("Created render %s", ", ".join(map(str, task_ids)))
    return task_ids


class BelowMinFunds(ValueError):
    """The account can spend less than `min_funds`."""


def check_funds(profile: UserProfile, min_funds: Decimal) -> None:
    """Check that the account can spend an amount; if its funds are hidden, only log a warning.

    :raises BelowMinFunds: the available funds are lower.
    """
    funds, currency = profile.available_funds, profile.currency
    message = f"The account shows {funds} {currency}, below min_funds {min_funds} {currency}"
    if profile.has_less_than(min_funds):
        raise BelowMinFunds(f"{message}: nothing was submitted, top up the account")
    if funds < min_funds:
        log.warning("%s; %s", message, profile.FUNDS_HIDDEN_NOTE)


def submit(client: RenderClient, task_id: int, artist: str | None, *, may_be_submitted: bool) -> None:
    """Submit a task that is not submitted.

    After any error except a permanent refusal, the farm is queried. The submit is sent again only if the
    error allows it and the farm has shown the task as not submitted three times over 30 s.

    :param may_be_submitted: whether an earlier try may have sent a submit.
    :raises RenderbusError: the farm refused or did not answer; a retry continues from there.
    """
    try:
        client.send(calls.submit_task(task_id, producer=artist))
    except (NotSent, TimeLostError):
        raise
    except RenderbusError as error:
        if is_permanent(error):
            if may_be_submitted and is_submitted(client, task_id):
                return
            raise
        log.warning("Render %s: submit uncertain, checking whether it arrived: %s", task_id, error)
        if not confirm_submitted(client, task_id):
            if not may_send_again(error):
                raise
            _submit_again(client, task_id, artist, error)
    log.info("Render %s: submitted, %s", task_id, client.console_url(task_id))


def confirm_submitted(client: RenderClient, task_id: int) -> bool:
    """Return whether a submit that may have been sent has arrived, after three queries over 30 s."""
    for delay in CONFIRM_DELAYS:
        client.clock.sleep(delay)
        if is_submitted(client, task_id):
            return True
    return False


def is_submitted(client: RenderClient, task_id: int) -> bool:
    """Return whether the farm shows a task as submitted, or raise UnknownTask."""
    task = find_task(client, task_id)
    if task is None:
        raise UnknownTask(task_id)
    if task.is_submitted:
        log.info("Render %s: submitted by an earlier request", task_id)
    return task.is_submitted


def are_submitted(client: RenderClient, task_ids: Sequence[int]) -> bool:
    """Return whether the farm shows all tasks as submitted."""
    tasks = client.run(flows.get_tasks(task_ids))
    return all(task_id in tasks and tasks[task_id].is_submitted for task_id in task_ids)


def _submit_again(
    client: RenderClient, task_id: int, artist: str | None, first_error: RenderbusError
) -> None:
    log.warning("Render %s: not submitted according to the farm, submitting it again", task_id)
    try:
        client.send(calls.submit_task(task_id, producer=artist))
    except NotSent as error:
        # NotSent would say that nothing was sent, but the first submit was.
        raise first_error from error
    except RenderbusError as error:
        # A refusal may mean that the first one has arrived meanwhile.
        log.warning("Render %s: second submit uncertain, checking again: %s", task_id, error)
        if not confirm_submitted(client, task_id):
            raise


def _query(client: RenderClient, task_id: int) -> TaskInfo | None:
    return client.send(calls.query_task_info([task_id])).get(task_id)
