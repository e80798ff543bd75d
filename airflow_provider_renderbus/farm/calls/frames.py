"""Calls about the frames of a task."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.server.envelope import NO_FRAME, Refused
from airflow_provider_renderbus.farm.simulation.tasks import FAILED_FRAMES, FrameState, Kind

if TYPE_CHECKING:
    from airflow_provider_renderbus.farm.calls.context import Desk, Request
    from airflow_provider_renderbus.farm.simulation.tasks import Frame, Task

FRAME_LIMIT_MILLISECONDS = 86_400_000
LOG_PIECE = 16_384
"""Bytes of a log that go in one piece, as in the documents' example."""
MOST_LOG_PIECES = 1 << 20


def query_task_frames(desk: Desk, request: Request) -> dict[str, Any]:
    """Tell about the frames of a leaf, page by page; the keyword is looked for anywhere in frameIndex."""
    task = desk.task(request.number("taskId"))
    keyword = request.text("searchKeyword", "")
    found = [frame for frame in desk.life.frames(task) if keyword in frame.piece.index]
    cut = request.page(found)
    return {**cut, "items": [_frame_info(task, frame) for frame in cut["items"]]}


def query_all_frame_stats(desk: Desk, _request: Request) -> dict[str, Any]:
    """Tell how many frames the account has in which state, over all tasks that are not deleted."""
    counts: Counter[int] = Counter()
    for task in desk.life.tasks.values():
        if not task.deleted:
            counts.update(task.counts)
    return {
        "executingFramesTotal": counts[FrameState.STARTED],
        "doneFramesTotal": counts[FrameState.DONE],
        "failedFramesTotal": sum(counts[state] for state in FAILED_FRAMES),
        "waitingFramesTotal": counts[FrameState.WAITING],
        "abandonFramesTotal": counts[FrameState.ABORTED],
        "totalFrames": counts.total(),
    }


def show_log(desk: Desk, request: Request) -> dict[str, Any]:
    """Tell a frame's log in pages of so many pieces. Page 0 and page 1 are both the first."""
    request.choice("renderingType", "render")
    number, pieces = request.number("pageNum", least=0), request.number("pageSize", most=MOST_LOG_PIECES)
    task, frame = _frame(desk, request)
    log = "\n".join(_log(task, frame)).encode()
    size = pieces * LOG_PIECE
    first = max(number - 1, 0) * size
    return {
        "pageCount": -(-len(log) // size),
        "pageNum": number,
        "total": len(log),
        "size": LOG_PIECE,
        "items": log[first : first + size].decode(errors="replace").splitlines(),
    }


def load_frame_thumbnail(desk: Desk, request: Request) -> list[str]:
    """Tell where the thumbnails of a done frame lie on the server; other frames have none."""
    state = request.number("frameStatus")
    task, frame = _frame(desk, request)
    if (
        frame.state is not FrameState.DONE
        or state != frame.state
        or not frame.piece.files
        or frame.piece.block
    ):
        return []
    return [f"/{task.output_name}/{task.job.file_name(number)}" for number in frame.piece.frames]


def load_task_process_img(desk: Desk, request: Request) -> dict[str, Any]:
    """Tell about pictures of a 3ds Max task in the making; this farm has none."""
    frame_type = request.number("frameType", 5)
    task = desk.task(request.number("taskId"))
    return {"taskId": task.number, "frameType": frame_type, "path": []}


def _frame(desk: Desk, request: Request) -> tuple[Task, Frame]:
    number = request.number("id")
    found = desk.life.frame(number)
    if found is None or found[0].deleted:
        raise Refused(NO_FRAME, number=number)
    return found


def _log(task: Task, frame: Frame) -> list[str]:
    lines = [f"task {task.number} frame {frame.piece.index} scene {task.job.scene}"]
    if frame.started is None:
        return lines
    lines += [f"attempt {frame.recommits + 1}", f"{task.job.width}x{task.job.height} pixels"]
    ends = {
        FrameState.STARTED: "rendering",
        FrameState.ABORTED: "aborted",
        FrameState.DONE: f"done in {frame.seconds} s",
        FrameState.ERROR: f"Error: rendering of frame {frame.piece.index} has failed",
        FrameState.TIMEOUT: f"Error: frame {frame.piece.index} is over its time of "
        f"{task.job.frame_timeout} s",
    }
    return [*lines, ends[frame.state]] if frame.state in ends else lines


def _frame_info(task: Task, frame: Frame) -> dict[str, Any]:
    return {
        "id": frame.id,
        "userId": None,
        "framePrice": None,
        "feeType": None,
        "platform": None,
        "frameIndex": frame.piece.index,
        "frameStatus": frame.state,
        "feeAmount": frame.by_balance,
        "startTime": frame.started,
        "endTime": frame.ended,
        "frameExecuteTime": frame.seconds if frame.ended else None,
        "frameStatusText": f"task_frame_status_{frame.state}",
        "arrearsFee": frame.arrears or None,
        "munuJobId": str(frame.id - task.first_id),
        "taskId": task.number,
        "munuTaskId": str(task.number),
        "frameType": frame.piece.type,
        "couponFee": frame.by_coupon,
        "recommitFlag": frame.recommits,
        "isCopy": None,
        "frameBlock": frame.piece.block,
        "taskOverTime": FRAME_LIMIT_MILLISECONDS,
        "gopName": task.job.layer if task.job.is_simulation and task.kind is Kind.MAIN else None,
        "frameRam": None,
    }
