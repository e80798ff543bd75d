"""Which frames of a render failed, and what the end of their logs says."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.states import FrameStatus
from airflow_provider_renderbus.clients import sequences

if TYPE_CHECKING:
    from airflow_provider_renderbus.api.arguments import TaskNumber
    from airflow_provider_renderbus.api.models.frames import Frame, LogPage
    from airflow_provider_renderbus.clients.sequences import Sequence

# What is told must fit into a failure's message and an XCom.
MOST_LOGS = 10
_LINES, _CHARACTERS = 10, 1000
FAILED = frozenset({FrameStatus.ERROR, FrameStatus.TIMEOUT})


class FailedFrame(NamedTuple):
    """A frame that failed.

    :param frame: its name as the farm shows it.
    :param log: the last lines of its log; empty where there is none, or beyond the first ten frames.
    """

    frame: str
    log: str


def failures(task_id: TaskNumber) -> Sequence[tuple[Frame, ...]]:
    """Ask for the failed frames of a task, in all its leaves.

    :param task_id: number or alias.
    :raises UnknownTask: the farm does not know the task.
    """
    failed = []
    for leaf in (yield from sequences.sub_task_ids(task_id)):
        failed += [frame for frame in (yield from sequences.frames(leaf)) if frame.status in FAILED]
    return tuple(failed)


def failed_frames(task_id: TaskNumber) -> Sequence[tuple[FailedFrame, ...]]:
    """Ask for the failed frames of a task, in all its leaves, and for the ends of the first ten's logs.

    :param task_id: number or alias.
    :raises UnknownTask: the farm does not know the task.
    """
    told = []
    for place, frame in enumerate((yield from failures(task_id))):
        log = (yield from _log_end(frame.id)) if place < MOST_LOGS else ""
        told.append(FailedFrame(frame.index, log))
    return tuple(told)


def _log_end(frame_id: int) -> Sequence[str]:
    pages: list[LogPage] = yield [calls.show_log(frame_id)]
    last = pages[0].page_count or 1
    if last > 1:
        # The documents count pages from 0 and the vendor's client from 1, so either can be the last.
        pages = yield [calls.show_log(frame_id, page_num) for page_num in (last - 1, last)]
    lines = next((page.lines for page in reversed(pages) if page.lines), ())
    return "\n".join(lines[-_LINES:])[-_CHARACTERS:]
