"""Rendering frames again, none of them oftener than it may be, whatever gets lost on the way."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import NotSent, RenderbusError, is_permanent
from airflow_provider_renderbus.api.states import FrameStatus, TaskStatus
from airflow_provider_renderbus.cancel_on_kill import wait_until_active
from airflow_provider_renderbus.renders.failed_frames import FAILED_STATUSES, list_failed_frames
from airflow_provider_renderbus.renders.submit import CONFIRM_DELAYS, find_task

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_renderbus.api.models.frames import Frame
    from airflow_provider_renderbus.clients.flows import Flow
    from airflow_provider_renderbus.hooks.renderbus import RenderbusHook

# The states after which frames can be rendered again.
RECOMMITTABLE = frozenset({TaskStatus.FINISHED_HAS_FAILED, TaskStatus.FAILED})
_AT_REST = FAILED_STATUSES | {FrameStatus.DONE, FrameStatus.ABORTED}
log = logging.getLogger(__name__)


def recommit_failed_frames(hook: RenderbusHook, number: int, attempts: int, *, may_be_pending: bool) -> bool:
    """Render the failed frames of a task again.

    How often a frame was, the farm counts in its ``recommitFlag``: no counter of ours dies with its process.
    Where it is not known whether a request arrived, that count tells.

    :param hook: the farm's hook.
    :param number: the task's number.
    :param attempts: how often a frame may be rendered again in all.
    :param may_be_pending: whether an earlier try may have sent such a request.
    :return: whether frames are being rendered again; False where none may be.
    :raises RenderbusError: the farm refused, or did not answer; another try settles it.
    """
    failed = hook.run(list_failed_frames(number))
    if may_be_pending and failed and len(_untouched(hook, number, failed)) < len(failed):
        wait_until_active(hook, number)
        return True
    due = [frame for frame in failed if frame.recommits < attempts]
    if not due:
        # A task that broke as a whole has no failed frame, nor has one whose frames are being rendered again.
        return not failed and (wait_until_active(hook, number) or not _is_broken(hook, number))
    log.warning("Rendering frames %s of task %s again", _names(due), number)
    _send(hook, number, due)
    wait_until_active(hook, number)
    return True


def confirm_recommitted(hook: RenderbusHook, meant: Callable[[], Flow[list[Frame]]]) -> bool:
    """Settle whether an earlier try has had frames rendered again, by looks over 30 s.

    :param hook: the farm's hook.
    :param meant: asks for the frames; none where all is done that can be.
    :raises ValueError: they were rendered again, and the farm cannot tell for whom.
    """
    frames: list[Frame] = []
    for pause in CONFIRM_DELAYS:
        time.sleep(pause)
        frames = hook.run(meant())
        if not frames or any(frame.recommits for frame in frames):
            break
    if not any(frame.recommits for frame in frames):
        return not frames
    at_rest = [frame for frame in frames if frame.status in _AT_REST]
    if len(at_rest) < len(frames) and all(frame.recommits for frame in at_rest):
        log.info("Frames %s are being rendered again", _names(frames))
        return True
    counted = ", ".join(f"{frame.name} ({frame.recommits} times)" for frame in frames)
    raise ValueError(
        f"frames may have been rendered again by an earlier try, and would be paid once more; so often they "
        f"were: {counted}. Look at them on the farm: mark this Airflow task success if they are as they "
        f"should be, clear it to have them rendered again"
    )


def _is_broken(hook: RenderbusHook, number: int) -> bool:
    known = find_task(hook, number)
    return known is None or known.status in RECOMMITTABLE


def _send(hook: RenderbusHook, number: int, due: Sequence[Frame]) -> None:
    try:
        hook.send(calls.recommit_frames(ids=[frame.id for frame in due]))
    except RenderbusError as lost:
        if is_permanent(lost) or isinstance(lost, NotSent):
            raise
        log.warning("It is not known whether that arrived; the farm is asked: %s", lost)
        # The farm takes all frames of a request or none, though leaves that are read in turn may differ.
        if len(_untouched(hook, number, due)) == len(due):
            log.warning("The farm has not begun frames %s; asking for them again", _names(due))
            hook.send(calls.recommit_frames(ids=[frame.id for frame in due]))


def _untouched(hook: RenderbusHook, number: int, frames: Sequence[Frame]) -> Sequence[Frame]:
    """Return those frames that the farm still calls failed, as often rendered as before, after 30 s."""
    untouched = list(frames)
    for pause in CONFIRM_DELAYS:
        time.sleep(pause)
        now = {frame.id: frame.recommits for frame in hook.run(list_failed_frames(number))}
        untouched = [frame for frame in frames if now.get(frame.id) == frame.recommits]
        if len(untouched) < len(frames):
            break
    return untouched


def _names(frames: Sequence[Frame]) -> str:
    return ", ".join(frame.name for frame in frames)
