"""Finds out what a step of the policy asks for, before it is decided how to continue a render."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import RenderbusError
from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.renders import recommit, restart
from airflow_provider_renderbus.renders.failed_frames import list_failed_frames
from airflow_provider_renderbus.renders.forecast import Forecast, fetch_frames, forecast
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
from airflow_provider_renderbus.renders.results import describe

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
            return _find_forecast(client, step, facts)
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


def _find_forecast(client: RenderClient, step: CheckForecast, facts: Facts) -> Facts:
    """Return the facts with the forecast of a render, and whether the render still pauses.

    Without a budget, the forecast is empty if the farm does not list the frames.

    :raises RenderbusError: the farm does not, and there is a budget.
    """
    task_id = step.wait.render_task_id
    try:
        task, frames = client.run(fetch_frames(task_id))
    except RenderbusError as error:
        if step.wait.max_cost is not None:
            raise
        log.warning("Render %s: could not forecast its cost: %s", task_id, error)
        return replace(facts, forecast=Forecast())
    expected = forecast(task, frames)
    is_paused = task.status is TaskStatus.FINISHED_TEST
    if not is_paused:
        log.info("%s: no longer paused after its test frames", describe(task))
    log.info("Render %s: forecast %s", task_id, expected)
    return replace(facts, forecast=expected, still_halted=is_paused)
