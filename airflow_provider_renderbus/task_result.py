"""What the end of a call or of a render means to an Airflow task: a result, or the right kind of failure."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, Asset

from airflow_provider_renderbus.api.errors import (
    InvalidResponse,
    NoResponse,
    RenderbusError,
    ServerError,
    is_permanent,
)
from airflow_provider_renderbus.renders.results import Outcome, WaitResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow.providers.common.compat.sdk import Context


_PAID = {"recommit_failed_frames", "recommit_frames"}


def result_or_raise(event: WaitResult) -> Any:
    """Return the result of a wait that has reached what it was for.

    :param event: how the waiting ended.
    :raises AirflowFailException: it ended in a way that a retry of the Airflow task cannot mend.
    :raises AirflowException: it ended in another way, or the time was over.
    """
    if event.outcome is Outcome.SUCCEEDED and event.result:
        return event.result
    if event.outcome in {Outcome.FAILED_PERMANENTLY, Outcome.OVER_BUDGET}:
        raise AirflowFailException(event.message)
    raise AirflowException(event.message)


@contextlib.contextmanager
def translate_errors() -> Iterator[None]:
    """Turn the farm's errors, and wrong arguments, into Airflow's failures.

    :raises AirflowFailException: the farm refused, or an argument or the connection is wrong: a retry cannot
        mend it.
    :raises AirflowException: the farm could not be reached, or answered what cannot be read.
    """
    try:
        yield
    except ValueError as problem:
        raise AirflowFailException(str(problem)) from problem
    except RenderbusError as problem:
        kind = AirflowFailException if is_permanent(problem) else AirflowException
        raise kind(str(problem)) from problem


@contextlib.contextmanager
def fail_if_charge_uncertain() -> Iterator[None]:
    """Keep Airflow's retries away from a call that costs money each time it is carried out.

    :raises AirflowFailException: the call may have been carried out, so a person must look before it is
        made again.
    :raises NotSent: nothing reached the farm; a retry is safe.
    """
    try:
        yield
    except (NoResponse, InvalidResponse, ServerError) as problem:
        if problem.call not in _PAID:
            raise
        raise AirflowFailException(
            f"{problem}. It may have been carried out all the same, and costs money again if it is repeated: "
            f"look at the task on the farm before you clear this one"
        ) from problem


_TOLD = ("render_task_id", "state", "frames", "cost", "output_folders", "console_url")


def add_asset_event_extra(context: Context, outlets: Iterable[Any], result: Any) -> None:
    """Put number, state, frames, cost, output folders and address of a render into the events of its Assets.

    :param context: of the Airflow task.
    :param outlets: what the operator updates.
    :param result: what it returns; only that of a single render is told.
    """
    if not isinstance(result, dict):
        return
    for outlet in outlets:
        if isinstance(outlet, Asset):
            context["outlet_events"][outlet].extra.update({name: result[name] for name in _TOLD})
