"""Calls that tell about tasks."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.calls.context import LARGEST_PAGE, page
from airflow_provider_renderbus.farm.calls.names import alias
from airflow_provider_renderbus.farm.server.envelope import ILLEGAL, Json, Refused, to_json
from airflow_provider_renderbus.farm.simulation.account import USER_ID, USER_NAME
from airflow_provider_renderbus.farm.simulation.tasks import FAILED_FRAMES, FrameState, Kind, Task, TaskState
from airflow_provider_renderbus.farm.storage.storage import FARM_ZONE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_renderbus.farm.calls.context import Desk, Request

TYPE_TEXTS = {
    Kind.MAIN: "render_major_picture_task",
    Kind.PARENT: None,
    Kind.PREPROCESS: "pre_render_task",
    Kind.PHOTON: "render_photons_task",
}


def query_task_info(desk: Desk, request: Request) -> Json:
    """Tell about tasks. Numbers unknown are left out, and all beyond the first 100 silently cut."""
    tasks = desk.life.tasks
    numbers = list(dict.fromkeys(request.numbers("taskIds")))
    found = [tasks[number] for number in numbers if number in tasks][:LARGEST_PAGE]
    return _page(desk, page(found))


def get_task_list(desk: Desk, request: Request) -> Json:
    """List submitted tasks, the latest first; ``recycleFlag`` 1 lists those that were deleted."""
    states = set(request.numbers("statusList", []))
    keyword = request.text("searchKeyword", "")
    begin, end = _date(request, "startTime"), _date(request, "endTime")
    deleted = request.choice("recycleFlag", 0, 1) == 1
    found = [
        task
        for task in reversed(desk.life.tasks.values())
        if task.submitted is not None
        and not task.parent
        and task.deleted == deleted
        and (not states or desk.scenario.shown(task.job, task.state) in states)
        and (not keyword or keyword in task.job.scene or keyword in str(task.number))
        and (begin is None or task.submitted >= begin)
        and (end is None or task.submitted <= end)
    ]
    return _page(desk, request.page(found))


def _page(desk: Desk, cut: dict[str, Any]) -> Json:
    """Return a page of tasks as JSON, of which the parts are kept until a task changes."""
    items = ", ".join([_told(desk, task) for task in cut.pop("items")])
    return Json(f'{to_json(cut)[:-1]}, "items": [{items}]}}')


def _told(desk: Desk, task: Task) -> str:
    if task.told is None:
        info = to_json(_task_info(desk, task))
        if task.kind is Kind.PARENT:
            leaves = ", ".join([_told(desk, leaf) for leaf in task.leaves])
            info = f'{info[:-1]}, "respRenderingTaskList": [{leaves}]}}'
        task.told = info
    return task.told


def _date(request: Request, name: str) -> int | None:
    """Return a time given as text as milliseconds since 1970; the farm's zone is meant."""
    text = request.text(name, "")
    if not text:
        return None
    try:
        read = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=FARM_ZONE)
    except ValueError:
        raise Refused(ILLEGAL, field=name, expected="yyyy-MM-dd HH:mm:ss") from None
    return int(read.timestamp() * 1000)


def _states(desk: Desk, tasks: Iterable[Task]) -> list[int]:
    return [desk.scenario.shown(task.job, task.state) for task in tasks]


def _task_info(desk: Desk, task: Task) -> dict[str, Any]:
    job, counts, is_parent = task.job, task.counts, task.kind is Kind.PARENT
    state = desk.scenario.shown(job, task.state)
    before = _states(desk, [leaf for leaf in task.leaves if leaf.kind is Kind.PREPROCESS])
    info = {
        "sceneName": job.scene,
        "id": task.number,
        "taskAlias": alias(task),
        "taskStatus": state,
        "statusText": f"render_task_status_{state}",
        "preTaskStatus": before[0] if before else None,
        "preStatusText": f"render_task_status_{before[0]}" if before else None,
        "totalFrames": task.total,
        "abortFrames": None if is_parent else counts[FrameState.ABORTED],
        "executingFrames": None if is_parent else counts[FrameState.STARTED],
        "doneFrames": None if is_parent else counts[FrameState.DONE],
        "failedFrames": sum(counts[failed] for failed in FAILED_FRAMES),
        "framesRange": job.frames_range,
        "projectName": job.project,
        "renderConsume": None if is_parent else task.by_balance + task.by_coupon,
        "taskArrears": task.arrears,
        "submitDate": task.submitted,
        "startTime": task.started,
        "completedDate": task.completed,
        "renderDuration": None if is_parent else task.seconds,
        "userName": USER_NAME,
        "producer": task.producer or task.artist,
        "taskLevel": 81,
        "taskUserLevel": task.level,
        "taskLimit": task.machines or desk.scenario.machines,
        "taskOverTime": job.warn_after,
        "overTimeStop": task.time_limit,
        "userId": USER_ID,
        "outputFileName": None if task.submitted is None or is_parent else task.output_name,
        "munuTaskId": "" if is_parent else str(task.number),
        "munuTaskIds": "" if is_parent else str(task.number),
        "layerParentId": task.parent,
        "cgId": job.cg_id,
        "userAccountConsume": None if is_parent else task.by_balance,
        "couponConsume": None if is_parent else task.by_coupon,
        "qyCouponConsume": None,
        "isOpen": int(is_parent),
        "taskType": "GopRender" if job.is_simulation and task.kind is Kind.MAIN else task.kind,
        "renderCamera": job.camera,
        "cloneParentId": task.clone_of,
        "cloneOriginalId": task.clone_of,
        "shareMainCapital": 0,
        "taskRam": job.ram,
        "layerName": "" if is_parent else job.layer,
        "taskTypeText": TYPE_TEXTS[task.kind],
        "locationOutput": "",
        "isDelete": int(not task.deleted),
        "channel": 4,
        "remark": "",
        # The documents give a text that holds an object, "{}", and not what a label looks like in it.
        "labels": json.dumps(dict(enumerate(task.labels, 1)), ensure_ascii=False),
        "isOverTime": int(task.state is TaskState.TIME_OUT_STOP),
        "taskKeyValueVo": {
            "tiles": str(job.tiles) if job.tiles > 1 else None,
            "allCamera": None,
            "renderableCamera": None,
        },
        "waitingCount": None,
        "stopType": 0,
    }
    return info if is_parent else {**info, "respRenderingTaskList": None}
