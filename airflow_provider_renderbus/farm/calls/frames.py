"""Calls about the frames of a task."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.server.envelope import FRAME_NOT_FOUND, ApiRefusal
from airflow_provider_renderbus.farm.simulation.tasks import FAILED_FRAMES, FrameState, TaskType

if TYPE_CHECKING:
    from airflow_provider_renderbus.farm.calls.context import CallContext, Request
    from airflow_provider_renderbus.farm.simulation.tasks import Frame, Task

FRAME_LIMIT_MS = 86_400_000
LOG_CHUNK_SIZE = 16_384
"""Bytes of a log that go in one piece, as in the documents' example."""
MAX_LOG_CHUNKS = 1 << 20


def query_task_frames(desk: CallContext, request: Request) -> dict[str, Any]:
    """Tell about the frames of a leaf, page by page; the keyword is looked for anywhere in frameIndex."""
    task = desk.task(request.integer("taskId"))
    keyword = request.string("searchKeyword", "")
    found = [frame for frame in desk.simulation.frames(task) if keyword in frame.chunk.name]
    cut = request.page(found)
    return {**cut, "items": [_frame_info(task, frame) for frame in cut["items"]]}


def query_all_frame_stats(desk: CallContext, _request: Request) -> dict[str, Any]:
    """Tell how many frames the account has in which state, over all tasks that are not deleted."""
    counts: Counter[int] = Counter()
    for task in desk.simulation.tasks.values():
        if not task.deleted:
            counts.update(task.frame_counts)
    return {
        "executingFramesTotal": counts[FrameState.STARTED],
        "doneFramesTotal": counts[FrameState.DONE],
        "failedFramesTotal": sum(counts[state] for state in FAILED_FRAMES),
        "waitingFramesTotal": counts[FrameState.WAITING],
        "abandonFramesTotal": counts[FrameState.ABORTED],
        "totalFrames": counts.total(),
    }


def show_log(desk: CallContext, request: Request) -> dict[str, Any]:
    """Tell a frame's log in pages of so many pieces. Page 0 and page 1 are both the first."""
    request.one_of("renderingType", "render")
    number, pieces = (
        request.integer("pageNum", minimum=0),
        request.integer("pageSize", maximum=MAX_LOG_CHUNKS),
    )
    task, frame = _frame(desk, request)
    log = "\n".join(_log(task, frame)).encode()
    size = pieces * LOG_CHUNK_SIZE
    first = max(number - 1, 0) * size
    return {
        "pageCount": -(-len(log) // size),
        "pageNum": number,
        "total": len(log),
        "size": LOG_CHUNK_SIZE,
        "items": log[first : first + size].decode(errors="replace").splitlines(),
    }


def load_frame_thumbnail(desk: CallContext, request: Request) -> list[str]:
    """Tell where the thumbnails of a done frame lie on the server; other frames have none."""
    state = request.integer("frameStatus")
    task, frame = _frame(desk, request)
    if (
        frame.state is not FrameState.DONE
        or state != frame.state
        or not frame.chunk.has_files
        or frame.chunk.tile
    ):
        return []
    return [f"/{task.output_folder}/{task.job.file_name(number)}" for number in frame.chunk.frames]


def load_task_process_img(desk: CallContext, request: Request) -> dict[str, Any]:
    """Tell about pictures of a 3ds Max task in the making; this farm has none."""
    frame_type = request.integer("frameType", 5)
    task = desk.task(request.integer("taskId"))
    return {"taskId": task.id, "frameType": frame_type, "path": []}


def _frame(desk: CallContext, request: Request) -> tuple[Task, Frame]:
    number = request.integer("id")
    found = desk.simulation.find_frame(number)
    if found is None or found[0].deleted:
        raise ApiRefusal(FRAME_NOT_FOUND, number=number)
    return found


def _log(task: Task, frame: Frame) -> list[str]:
    lines = [f"task {task.id} frame {frame.chunk.name} scene {task.job.scene}"]
    if frame.started_at is None:
        return lines
    lines += [f"attempt {frame.recommits + 1}", f"{task.job.width}x{task.job.height} pixels"]
    ends = {
        FrameState.STARTED: "rendering",
        FrameState.ABORTED: "aborted",
        FrameState.DONE: f"done in {frame.seconds} s",
        FrameState.ERROR: f"Error: rendering of frame {frame.chunk.name} has failed",
        FrameState.TIMEOUT: f"Error: frame {frame.chunk.name} is over its time of {task.job.frame_timeout} s",
    }
    return [*lines, ends[frame.state]] if frame.state in ends else lines


def _frame_info(task: Task, frame: Frame) -> dict[str, Any]:
    return {
        "id": frame.id,
        "userId": None,
        "framePrice": None,
        "feeType": None,
        "platform": None,
        "frameIndex": frame.chunk.name,
        "frameStatus": frame.state,
        "feeAmount": frame.paid_by_balance,
        "startTime": frame.started_at,
        "endTime": frame.ended_at,
        "frameExecuteTime": frame.seconds if frame.ended_at else None,
        "frameStatusText": f"task_frame_status_{frame.state}",
        "arrearsFee": frame.unpaid or None,
        "munuJobId": str(frame.id - task.first_frame_id),
        "taskId": task.id,
        "munuTaskId": str(task.id),
        "frameType": frame.chunk.type,
        "couponFee": frame.paid_by_coupon,
        "recommitFlag": frame.recommits,
        "isCopy": None,
        "frameBlock": frame.chunk.tile,
        "taskOverTime": FRAME_LIMIT_MS,
        "gopName": task.job.layer if task.job.is_simulation and task.type is TaskType.MAIN else None,
        "frameRam": None,
    }
