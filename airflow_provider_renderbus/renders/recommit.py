"""Recommits frames: none more often than allowed, even if answers or whole processes are lost."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import (
    NothingToDo,
    NotSent,
    RenderbusError,
    is_permanent,
    may_send_again,
)
from airflow_provider_renderbus.api.frame_names import describe_frames
from airflow_provider_renderbus.api.states import FrameStatus
from airflow_provider_renderbus.api.text import join_limited
from airflow_provider_renderbus.clients.lost_time import TimeLostError
from airflow_provider_renderbus.renders.failed_frames import FAILED_STATUSES, list_all_frames
from airflow_provider_renderbus.renders.restart import wait_until_active
from airflow_provider_renderbus.renders.submit import CONFIRM_DELAYS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_renderbus.api.models.frames import Frame
    from airflow_provider_renderbus.clients.flows import Flow
    from airflow_provider_renderbus.renders.client import RenderClient

log = logging.getLogger(__name__)

IDLE_STATUSES = FAILED_STATUSES | {FrameStatus.DONE, FrameStatus.ABORTED}


def recommit(client: RenderClient, task_id: int, frames: Sequence[Frame]) -> None:
    """Recommit frames of a render, which costs money, and wait until that shows.

    The farm counts the recommits of each frame (``recommitFlag``). That count outlives any process, and
    shows whether a request arrived whose answer was lost.

    :param frames: frames that are recommittable, as the farm has listed them.
    :raises RenderbusError: the farm refused or did not answer; a retry continues from there.
    :raises ValueError: the farm has nothing to recommit, and the render is not active either.
    """
    log.warning("Render %s: recommitting its frames %s", task_id, _names(frames))
    call = calls.recommit_frames(ids=[frame.id for frame in frames])
    try:
        client.send(call)
    except NothingToDo as error:
        if wait_until_active(client, task_id):
            return
        raise ValueError(
            f"Render {task_id}: the farm has nothing to recommit of frames {_names(frames)}: render "
            f"them again in the web console ({error})"
        ) from error
    except (NotSent, TimeLostError):
        raise
    except RenderbusError as error:
        if is_permanent(error):
            raise
        log.warning("Render %s: recommit uncertain, checking whether it arrived: %s", task_id, error)
        # The farm takes all frames of a request or none, though leaves that are read in turn may differ.
        if len(_not_recommitted(client, task_id, frames)) == len(frames):
            if not may_send_again(error):
                raise
            log.warning("Render %s: frames %s not recommitted, trying again", task_id, _names(frames))
            client.send(call)
    wait_until_active(client, task_id)


def has_recommit_arrived(client: RenderClient, task_id: int, frames: Sequence[Frame]) -> bool:
    """Return whether the farm shows, over 30 s, a recommit of frames by an earlier try."""
    if len(_not_recommitted(client, task_id, frames)) == len(frames):
        return False
    wait_until_active(client, task_id)
    return True


def confirm_recommitted(client: RenderClient, list_frames: Callable[[], Flow[list[Frame]]]) -> bool:
    """Return whether an earlier try has recommitted frames, after queries over 30 s.

    :param list_frames: returns a flow that lists the frames to recommit; none if all is done.
    :raises ValueError: they were recommitted, and the farm does not say by whom.
    """
    frames: list[Frame] = []
    for delay in CONFIRM_DELAYS:
        client.clock.sleep(delay)
        frames = client.run(list_frames())
        if not frames or any(frame.recommits for frame in frames):
            break
    if not any(frame.recommits for frame in frames):
        return not frames
    idle = [frame for frame in frames if frame.status in IDLE_STATUSES]
    if len(idle) < len(frames) and all(frame.recommits for frame in idle):
        log.info("Frames %s are being rendered again", _names(frames))
        return True
    counts = join_limited([f"{frame.name} ({frame.recommits} times)" for frame in frames], ", ")
    raise ValueError(
        f"an earlier try may have recommitted frames, and a repetition is charged. Recommitted so far: "
        f"{counts}. Look at them: mark this Airflow task success to keep them, clear it to recommit them"
    )


def _not_recommitted(client: RenderClient, task_id: int, frames: Sequence[Frame]) -> Sequence[Frame]:
    """Return those frames that the farm shows, over 30 s, as ended with the same count of recommits."""
    unchanged = list(frames)
    for delay in CONFIRM_DELAYS:
        client.clock.sleep(delay)
        recommits = {
            frame.id: frame.recommits
            for frame in client.run(list_all_frames(task_id))
            if frame.status in IDLE_STATUSES
        }
        unchanged = [frame for frame in frames if recommits.get(frame.id) == frame.recommits]
        if len(unchanged) < len(frames):
            break
    return unchanged


def _names(frames: Sequence[Frame]) -> str:
    return describe_frames(frame.name for frame in frames)
