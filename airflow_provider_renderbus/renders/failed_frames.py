"""Lists the frames of a render, and those that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_renderbus.api.states import FrameStatus
from airflow_provider_renderbus.clients import flows

if TYPE_CHECKING:
    from airflow_provider_renderbus.api.models.frames import Frame
    from airflow_provider_renderbus.api.validation import TaskId
    from airflow_provider_renderbus.clients.flows import Flow

FAILED_STATUSES = frozenset({FrameStatus.ERROR, FrameStatus.TIMEOUT})


def list_all_frames(task_id: TaskId) -> Flow[tuple[Frame, ...]]:
    """List the frames of a task, over all its leaves."""
    frames: list[Frame] = []
    for leaf in (yield from flows.leaf_task_ids(task_id)):
        frames += yield from flows.list_frames(leaf)
    return tuple(frames)


def list_failed_frames(task_id: TaskId) -> Flow[tuple[Frame, ...]]:
    """List the failed frames of a task, over all its leaves."""
    frames = yield from list_all_frames(task_id)
    return tuple(frame for frame in frames if frame.status in FAILED_STATUSES)
