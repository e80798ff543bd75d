"""Finds out what a step of the policy asks for, before it is decided how to continue a render."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import RenderbusError
from airflow_provider_renderbus.renders import recommit, restart
from airflow_provider_renderbus.renders.failed_frames import list_failed_frames
from airflow_provider_renderbus.renders.forecast import Forecast, fetch_forecast
from airflow_provider_renderbus.renders.policy import (
    Check,
    CheckForecast,
    CheckFrames,
    CheckFunds,
    CheckHalted,
    ConfirmRecommit,
    Facts,
    Pause,
)

if TYPE_CHECKING:
    from airflow_provider_renderbus.renders.client import RenderClient

log = logging.getLogger(__name__)


def find_fact(client: RenderClient, step: Check, facts: Facts) -> Facts:
    """Return the facts with what a step asks for."""
    task_id = step.wait.render_task_id
    match step:
        case CheckFunds():
            profile = client.send(calls.query_user_profile())
            return replace(
                facts, available_funds=profile.available_funds, funds_visible=profile.funds_visible
            )
        case CheckFrames():
            return replace(facts, failed_frames=client.run(list_failed_frames(task_id)))
        case CheckForecast():
            return replace(facts, forecast=_find_forecast(client, step))
        case ConfirmRecommit():
            arrived = recommit.has_recommit_arrived(client, task_id, step.frames)
            return replace(facts, recommit_arrived=arrived)
        case CheckHalted():
            halted = restart.is_halted(
                client,
                task_id,
                step.states,
                settle=step.settle,
                undo_manual_stop=step.wait.undo_manual_stop,
            )
            return replace(facts, still_halted=halted)
        case Pause():
            client.clock.sleep(max(0.0, step.until - client.clock.now()))
            return replace(facts, has_paused=True)


def _find_forecast(client: RenderClient, step: CheckForecast) -> Forecast:
    """Return the forecast of a render; without a budget, an empty one if the farm does not list its frames.

    :raises RenderbusError: the farm does not, and there is a budget.
    """
    task_id = step.wait.render_task_id
    try:
        forecast = client.run(fetch_forecast(task_id))
    except RenderbusError as error:
        if step.wait.max_cost is not None:
            raise
        log.warning("Render %s: could not forecast its cost: %s", task_id, error)
        return Forecast()
    log.info("Render %s: forecast %s", task_id, forecast)
    return forecast
