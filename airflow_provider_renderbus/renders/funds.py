"""Lack of funds: how much to wait for, and renders that the farm refuses to start."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.renders.results import Outcome, WaitResult

if TYPE_CHECKING:
    from airflow_provider_renderbus.api.errors import InsufficientFunds

_CENT = Decimal("0.01")


def funds_to_await(available: Decimal, at_last_stop: str | None) -> str:
    """Return the available funds to wait for, as text.

    The remaining funds may be too low for a frame, or be credit that the farm does not accept. So the first
    restart needs any funds at all, a later one more than there were at this stop or the one before.

    :param available: the available funds at this stop.
    :param at_last_stop: the available funds at the stop before, as text, if there was one.
    """
    too_low = min(available, Decimal(at_last_stop or 0))
    return str(max(too_low, Decimal(0)) + _CENT)


@dataclass(frozen=True, slots=True)
class UnfundedRender:
    """A render that the farm refused to create or submit, as Airflow stores it while the task is deferred.

    :param deadline: when this try stops waiting, in seconds since 1970.
    :param poll_interval: seconds between polls of the funds.
    :param render_task_id: id of the render; None if it is not created.
    :param artist: name of the artist to submit.
    :param funds: the available funds at the last refusal, as text.
    """

    deadline: float
    poll_interval: float
    render_task_id: int | None = None
    artist: str | None = None
    funds: str | None = None


def refused_result(result: WaitResult, error: InsufficientFunds) -> WaitResult:
    """Return the result of a wait after whose end the farm refused to continue the render for lack of funds.

    It is the same as if the render had stopped for that.
    """
    stopped = {**result.first_result, "state": TaskStatus.ARREARAGE_STOP.name}
    return replace(
        result,
        outcome=Outcome.FAILED_PERMANENTLY,
        message=f"{result.message}; {error}",
        result=stopped,
    )
