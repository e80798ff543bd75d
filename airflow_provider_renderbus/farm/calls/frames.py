"""Calls about the frames of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.calls.desk import LARGEST_PAGE, page

if TYPE_CHECKING:
    from airflow_provider_renderbus.farm.calls.desk import Desk, Request
    from airflow_provider_renderbus.farm.tasks import Frame, Task

MAIN_PICTURE = 5
FRAME_LIMIT_MILLISECONDS = 86_400_000


def query_task_frames(desk: Desk, request: Request) -> dict[str, Any]:
    """Tell about the frames of a task, page by page; the keyword is looked for anywhere in frameIndex."""
    task = desk.task(request.number("taskId"))
    keyword = request.text("searchKeyword", "")
    found = [frame for frame in task.frames if keyword in str(frame.number)]
    cut = page(found, request.number("pageNum", 1), request.number("pageSize", LARGEST_PAGE))
    return {**cut, "items": [_frame_info(desk, task, frame) for frame in cut["items"]]}


def _frame_info(desk: Desk, task: Task, frame: Frame) -> dict[str, Any]:
    return {
        "id": frame.id,
        "userId": None,
        "framePrice": None,
        "feeType": None,
        "platform": None,
        "frameIndex": str(frame.number),
        "frameStatus": frame.state,
        "feeAmount": frame.by_balance,
        "startTime": desk.date(frame.started),
        "endTime": desk.date(frame.ended),
        "frameExecuteTime": frame.seconds if frame.ended else None,
        "frameStatusText": f"task_frame_status_{frame.state}",
        "arrearsFee": None,
        "munuJobId": str(frame.id - task.frames[0].id),
        "taskId": task.number,
        "munuTaskId": str(task.number),
        "frameType": MAIN_PICTURE,
        "couponFee": frame.by_coupon,
        "recommitFlag": 0,
        "isCopy": None,
        "frameBlock": "",
        "taskOverTime": FRAME_LIMIT_MILLISECONDS,
        "gopName": None,
        "frameRam": None,
    }
