"""What the end of a call or of a render means to an Airflow task: a result, or the right kind of failure."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_provider_renderbus.api.errors import RenderbusError
from airflow_provider_renderbus.triggers.events import End, RenderEvent

if TYPE_CHECKING:
    from collections.abc import Iterator


def conclude(event: RenderEvent) -> dict[str, Any]:
    """Return the summary of a render that has come to the wanted state.

    :param event: how the waiting ended.
    :raises AirflowFailException: it ended in a way that a retry of the Airflow task cannot mend.
    :raises AirflowException: it ended in another way, or the time was over.
    """
    if event.end is End.REACHED and event.result is not None:
        return event.result
    if event.end is End.FAILED_FOR_GOOD:
        raise AirflowFailException(event.message)
    raise AirflowException(event.message)


@contextlib.contextmanager
def airflow_failures() -> Iterator[None]:
    """Turn the farm's errors into Airflow's: without retries where a retry cannot help.

    :raises AirflowFailException: the farm refused, or the connection is wrong.
    :raises AirflowException: the farm could not be reached, or answered nonsense.
    """
    try:
        yield
    except (RenderbusError, ValueError) as problem:
        retryable = isinstance(problem, RenderbusError) and problem.retryable
        kind = AirflowException if retryable else AirflowFailException
        raise kind(str(problem)) from problem
