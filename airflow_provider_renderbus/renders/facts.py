"""Finds out what a step of the policy asks for, before it is decided how to continue a render."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.renders import recommit, restart
from airflow_provider_renderbus.renders.failed_frames import list_failed_frames
from airflow_provider_renderbus.renders.policy import (
    Check,
    CheckFrames,
    CheckFunds,
    CheckHalted,
    ConfirmRecommit,
    Facts,
    Pause,
)

if TYPE_CHECKING:
    from airflow_provider_renderbus.renders.client import RenderClient


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
