"""Which frames of a render failed, and what the end of their logs says."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import RenderbusError
from airflow_provider_renderbus.api.states import FrameStatus
from airflow_provider_renderbus.clients import flows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_renderbus.api.models.frames import Frame, LogPage
    from airflow_provider_renderbus.api.validation import TaskId
    from airflow_provider_renderbus.clients.flows import Flow
    from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
    from airflow_provider_renderbus.renders.results import WaitResult


# What is told must fit into a failure's message and an XCom.
MAX_LOGS = 10
_LINES, _CHARACTERS = 10, 1000
FAILED_STATUSES = frozenset({FrameStatus.ERROR, FrameStatus.TIMEOUT})


class FailedFrame(NamedTuple):
    """A frame that failed.

    :param frame: its name as the farm shows it.
    :param log: the last lines of its log; empty where there is none, or beyond the first ten frames.
    """

    frame: str
    log: str


def list_failed_frames(task_id: TaskId) -> Flow[tuple[Frame, ...]]:
    """Ask for the failed frames of a task, in all its leaves.

    :param task_id: number or alias.
    :raises UnknownTask: the farm does not know the task.
    """
    failed = []
    for leaf in (yield from flows.leaf_task_ids(task_id)):
        failed += [frame for frame in (yield from flows.list_frames(leaf)) if frame.status in FAILED_STATUSES]
    return tuple(failed)


def failed_frames_with_logs(task_id: TaskId) -> Flow[tuple[FailedFrame, ...]]:
    """Ask for the failed frames of a task, in all its leaves, and for the ends of the first ten's logs.

    :param task_id: number or alias.
    :raises UnknownTask: the farm does not know the task.
    """
    told = []
    for place, frame in enumerate((yield from list_failed_frames(task_id))):
        log = (yield from _log_end(frame.id)) if place < MAX_LOGS else ""
        told.append(FailedFrame(frame.name, log))
    return tuple(told)


def _log_end(frame_id: int) -> Flow[str]:
    pages: list[LogPage] = yield [calls.show_log(frame_id)]
    last = pages[0].page_count or 1
    if last > 1:
        # The documents count pages from 0 and the vendor's client from 1, so either can be the last.
        pages = yield [calls.show_log(frame_id, page_num) for page_num in (last - 1, last)]
    lines = next((page.lines for page in reversed(pages) if page.lines), ())
    return "\n".join(lines[-_LINES:])[-_CHARACTERS:]


log = logging.getLogger(__name__)


def with_failed_frames(hook: RenderbusHook, event: WaitResult) -> WaitResult:
    """Return an end of waiting with the address of each render and its failed frames in result and message.

    :param hook: the farm's hook.
    :param event: how the waiting ended.
    """
    if event.result is None:
        return event
    given = [event.result] if isinstance(event.result, dict) else event.result
    results = [_complete(hook, result) for result in given]
    lines = [event.message, *(line for result in results for line in _lines(result))]
    return dataclasses.replace(
        event, message="\n".join(lines), result=results[0] if isinstance(event.result, dict) else results
    )


def _complete(hook: RenderbusHook, result: dict[str, Any]) -> dict[str, Any]:
    number = result["render_task_id"]
    failed: list[dict[str, str]] = []
    if result["frames"]["failed"]:
        try:
            failed = [frame._asdict() for frame in hook.run(failed_frames_with_logs(number))]
        except RenderbusError as problem:
            log.warning("The failed frames of task %s could not be asked for: %s", number, problem)
    return {**result, "console_url": hook.console_url(number), "failed_frames": failed}


def _lines(result: dict[str, Any]) -> Iterator[str]:
    frames = ", ".join(f"{count} {state}" for state, count in result["frames"].items())
    took = "" if result["duration_seconds"] is None else f", {result['duration_seconds']:g} s"
    yield f"task {result['render_task_id']}: {frames}, cost {result['cost']}{took}: {result['console_url']}"
    for frame in result["failed_frames"]:
        yield f"frame {frame['frame']} failed; the end of its log: {frame['log'] or 'none'}"
