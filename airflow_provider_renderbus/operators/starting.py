"""Creates and submits renders; if the farm refuses for lack of funds, waits for them first."""

from __future__ import annotations

import logging
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import InsufficientFunds, NotSent, RenderbusError, is_permanent
from airflow_provider_renderbus.clients.lost_time import TimeLostError
from airflow_provider_renderbus.compat import AirflowException
from airflow_provider_renderbus.polling.worker import ConditionWorkerPoller, deferral_timeout
from airflow_provider_renderbus.renders import submit
from airflow_provider_renderbus.renders.conditions import SufficientFunds
from airflow_provider_renderbus.renders.funds import UnfundedRender, funds_to_await
from airflow_provider_renderbus.renders.results import Outcome, WaitResult
from airflow_provider_renderbus.task_result import result_or_raise

if TYPE_CHECKING:
    from airflow_provider_renderbus.api.call import Call
    from airflow_provider_renderbus.api.models.tasks import CreatedTasks
    from airflow_provider_renderbus.compat import Context
    from airflow_provider_renderbus.operators.submitting import SubmittingOperator

log = logging.getLogger(__name__)


def create_render(operator: SubmittingOperator, context: Context, call: Call[CreatedTasks]) -> int:
    """Create a render, and return its id.

    :param operator: the operator, which may wait for funds.
    :param context: of the Airflow task.
    :param call: result of :func:`airflow_provider_renderbus.renders.submit.create_call`.
    """
    unfunded = UnfundedRender(operator.try_deadline(context), operator.seconds_between_polls())
    while True:
        operator.require_time("create_task")
        try:
            (task_id,) = submit.create_tasks(operator.hook, call)
        except InsufficientFunds as error:
            unfunded = _await_funds(operator, unfunded, error)
        else:
            return task_id


def submit_render(
    operator: SubmittingOperator,
    context: Context,
    render_task_id: int,
    artist: str | None,
    *,
    may_be_submitted: bool,
) -> None:
    """Submit a render, which the operator owns from just before.

    :param operator: the operator, which may wait for funds.
    :param context: of the Airflow task.
    :param render_task_id: id of the render.
    :param artist: name of the artist.
    :param may_be_submitted: whether an earlier try may have sent a submit.
    """
    try:
        _submit(operator, render_task_id, artist, may_be_submitted=may_be_submitted)
    except InsufficientFunds as error:
        unfunded = UnfundedRender(
            operator.try_deadline(context), operator.seconds_between_polls(), render_task_id, artist
        )
        submit_with_funds(operator, _await_funds(operator, unfunded, error), render_task_id)


def submit_with_funds(operator: SubmittingOperator, unfunded: UnfundedRender, render_task_id: int) -> None:
    """Submit a render that was refused for lack of funds, unless the farm shows it as submitted."""
    while not submit.is_submitted(operator.hook, render_task_id):
        try:
            return _submit(operator, render_task_id, unfunded.artist, may_be_submitted=True)
        except InsufficientFunds as error:
            unfunded = _await_funds(operator, unfunded, error)
    operator.owned_render_task_ids = [render_task_id]
    return None


def require_funds(result: WaitResult) -> None:
    """Check that a wait for funds has succeeded.

    :raises AirflowException: it has not, so nothing is submitted.
    """
    if result.outcome is not Outcome.SUCCEEDED:
        result_or_raise(replace(result, message=f"Nothing was submitted. {result.message}"))


def _submit(
    operator: SubmittingOperator, render_task_id: int, artist: str | None, *, may_be_submitted: bool
) -> None:
    operator.owned_render_task_ids = [render_task_id]
    try:
        submit.submit(operator.hook, render_task_id, artist, may_be_submitted=may_be_submitted)
    except RenderbusError as error:
        is_unsent = isinstance(error, NotSent | TimeLostError)
        if not may_be_submitted and (is_unsent or is_permanent(error)):
            operator.owned_render_task_ids = []
        raise


def _await_funds(
    operator: SubmittingOperator, unfunded: UnfundedRender, error: InsufficientFunds
) -> UnfundedRender:
    """Wait for a top-up, here or deferred, and return the render with the funds at its refusal.

    :raises InsufficientFunds: the operator does not wait for funds.
    :raises AirflowException: the account hides its funds, so only a retry shows whether there are more.
    """
    if operator.policy.on_insufficient_funds != "wait" or not operator.waits:
        raise error
    operator.owned_render_task_ids = []
    profile = operator.hook.send(calls.query_user_profile())
    if not profile.funds_visible:
        raise AirflowException(
            f"{error} The account hides its funds, so a top-up cannot be waited for. A retry queries the "
            f"state of the render, and requests it once more"
        ) from error
    awaited = funds_to_await(profile.available_funds, unfunded.funds)
    unfunded = replace(unfunded, funds=str(profile.available_funds))
    log.warning("%s Waiting until %s %s are available", error, awaited, profile.currency)
    if operator.deferrable:
        operator.defer(
            trigger=operator.funds_trigger(awaited, unfunded.poll_interval, unfunded.deadline),
            method_name=operator.execute_with_funds.__name__,
            kwargs={"unfunded": asdict(unfunded)},
            timeout=deferral_timeout(unfunded.deadline, operator.hook.clock.now()),
        )
    poller = ConditionWorkerPoller(operator.hook, SufficientFunds(awaited))
    require_funds(poller.poll_until(unfunded.deadline, unfunded.poll_interval))
    return unfunded
