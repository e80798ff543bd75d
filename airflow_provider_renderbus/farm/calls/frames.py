"""Calls on the frames of a task."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.simulation.tasks import FAILED_FRAMES, FrameState, TaskType

if TYPE_CHECKING:
    from airflow_provider_renderbus.farm.calls.context import CallContext, Request
    from airflow_provider_renderbus.farm.simulation.tasks import Frame, Task

FRAME_LIMIT_MS = 86_400_000
LOG_CHUNK_SIZE = 16_384
"""Bytes of a log per chunk, as in the documents' example."""
MAX_LOG_CHUNKS = 1 << 20


def query_task_frames(ctx: CallContext, request: Request) -> dict[str, Any]:
    """Return the frames of a leaf, paged; the keyword may be anywhere in frameIndex."""
    task = ctx.task(request.integer("taskId"))
    keyword = request.string("searchKeyword", "")
    if keyword:
        page = request.page([f for f in ctx.simulation.frames(task) if keyword in f.chunk.name])
        frames = page["items"]
    else:
        page = request.page(ctx.simulation.frame_indexes(task))
        frames = ctx.simulation.frames_at(task, page["items"])
    return {**page, "items": [_frame_info(task, frame) for frame in frames]}


def query_all_frame_stats(ctx: CallContext, _request: Request) -> dict[str, Any]:
    """Return the number of frames by state, over all tasks that are not deleted."""
    counts: Counter[int] = Counter()
    for task in ctx.simulation.tasks.values():
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


def show_log(ctx: CallContext, request: Request) -> dict[str, Any]:
    """Return the log of a frame, ``pageSize`` chunks per page. Page 0 and page 1 are both the first."""
    request.one_of("renderingType", "render")
    page_num = request.integer("pageNum", minimum=0)
    size = request.integer("pageSize", maximum=MAX_LOG_CHUNKS) * LOG_CHUNK_SIZE
    task, frame = ctx.frame(request.integer("id"))
    log = "\n".join(_log(task, frame)).encode()
    start = max(page_num - 1, 0) * size
    return {
        "pageCount": -(-len(log) // size),
        "pageNum": page_num,
        "total": len(log),
        "size": LOG_CHUNK_SIZE,
        "items": log[start : start + size].decode(errors="replace").splitlines(),
    }


def load_frame_thumbnail(ctx: CallContext, request: Request) -> list[str]:
    """Return the paths of the thumbnails of a done frame; other frames have none."""
    state = request.integer("frameStatus")
    task, frame = ctx.frame(request.integer("id"))
    if (
        frame.state is not FrameState.DONE
        or state != frame.state
        or not frame.chunk.has_files
        or frame.chunk.tile
    ):
        return []
    return [
        f"/{task.output_folder}/{task.job.file_name(frame_number)}" for frame_number in frame.chunk.frames
    ]


def load_task_process_img(ctx: CallContext, request: Request) -> dict[str, Any]:
    """Return the preview pictures of a running 3ds Max task; this farm has none."""
    frame_type = request.integer("frameType", 5)
    task = ctx.task(request.integer("taskId"))
    return {"taskId": task.id, "frameType": frame_type, "path": []}


def _log(task: Task, frame: Frame) -> list[str]:
    lines = [f"task {task.id} frame {frame.chunk.name} scene {task.job.scene}"]
    if frame.started_at is None:
        return lines
    lines += [f"attempt {frame.recommits + 1}", f"{task.job.width}x{task.job.height} pixels"]
    if frame.state is FrameState.ERROR and frame.error:
        lines += [f"Error: {line}" for line in frame.error.splitlines()]
    endings = {
        FrameState.STARTED: "rendering",
        FrameState.ABORTED: "aborted",
        FrameState.DONE: f"done in {frame.seconds} s",
        FrameState.ERROR: f"Error: rendering of frame {frame.chunk.name} has failed",
        FrameState.TIMEOUT: f"Error: frame {frame.chunk.name} exceeded {task.job.frame_timeout} s",
    }
    return [*lines, endings[frame.state]] if frame.state in endings else lines


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
