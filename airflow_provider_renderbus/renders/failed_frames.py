"""Adds console URL, failed frames and the ends of their logs to the result of a finished render."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.states import FrameStatus, TaskStatus
from airflow_provider_renderbus.api.text import printable
from airflow_provider_renderbus.clients import flows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_renderbus.api.models.frames import Frame, LogPage
    from airflow_provider_renderbus.api.validation import TaskId
    from airflow_provider_renderbus.clients.flows import Flow
    from airflow_provider_renderbus.renders.client import RenderClient
    from airflow_provider_renderbus.renders.results import WaitResult

log = logging.getLogger(__name__)

FAILED_STATUSES = frozenset({FrameStatus.ERROR, FrameStatus.TIMEOUT})
# The logs must fit into the message of a failure and into an XCom.
MAX_LOGS = 10
_MAX_LINES, _MAX_CHARACTERS = 10, 1000


class FailedFrame(NamedTuple):
    """A frame that failed, by its name on the farm, and the last lines of its log, if they were queried."""

    frame: str
    log: str


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


def failed_frames_with_logs(task_id: TaskId) -> Flow[tuple[FailedFrame, ...]]:
    """List the failed frames of a task, over all its leaves, with the ends of the first ten logs."""
    result = []
    for index, frame in enumerate((yield from list_failed_frames(task_id))):
        log_end = (yield from _log_end(frame.id)) if index < MAX_LOGS else ""
        result.append(FailedFrame(frame.name, log_end))
    return tuple(result)


def with_failed_frames(client: RenderClient, wait_result: WaitResult) -> WaitResult:
    """Add ``console_url`` and ``failed_frames`` to each summary of a result, and to its message."""
    if wait_result.result is None:
        return wait_result
    summaries = wait_result.result if isinstance(wait_result.result, list) else [wait_result.result]
    results = [_add_details(client, summary) for summary in summaries]
    lines = [wait_result.message, *(line for result in results for line in _report_lines(result))]
    return dataclasses.replace(
        wait_result,
        message="\n".join(lines),
        result=results if isinstance(wait_result.result, list) else results[0],
    )


def _add_details(client: RenderClient, summary: dict[str, Any]) -> dict[str, Any]:
    task_id = summary["render_task_id"]
    failed: list[dict[str, str]] = []
    if summary["frames"]["failed"] or summary["state"] == TaskStatus.FAILED.name:
        try:
            failed = [frame._asdict() for frame in client.run(failed_frames_with_logs(task_id))]
        except Exception as error:  # noqa: BLE001 - the result of the render is not to be lost for its details
            log.warning("Render %s: could not list its failed frames: %s", task_id, error)
    return {**summary, "console_url": client.console_url(task_id), "failed_frames": failed}


def _report_lines(result: dict[str, Any]) -> Iterator[str]:
    yield f"Render {result['render_task_id']} in the web console: {result['console_url']}"
    for frame in result["failed_frames"]:
        yield f"Frame {printable(frame['frame'])} failed, end of its log: {frame['log'] or 'none'}"
    if result["state"] == TaskStatus.FAILED.name and not result["failed_frames"]:
        yield "The farm names no failed frame and gives no reason: see the render's logs in the web console"


def _log_end(frame_id: int) -> Flow[str]:
    pages: list[LogPage] = yield [calls.show_log(frame_id)]
    last = pages[0].page_count or 1
    if last > 1:
        # The documents count pages from 0 and the vendor's client from 1, so either can be the last.
        pages = yield [calls.show_log(frame_id, page_num) for page_num in (last - 1, last)]
    lines = next((page.lines for page in reversed(pages) if page.lines), ())
    return "\n".join(printable(line, _MAX_CHARACTERS) for line in lines[-_MAX_LINES:])[-_MAX_CHARACTERS:]
