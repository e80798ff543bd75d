"""Calls that return tasks."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.calls.context import MAX_PAGE_SIZE, page
from airflow_provider_renderbus.farm.server.envelope import ILLEGAL_PARAMETER, ApiRefusal, RawJson, to_json
from airflow_provider_renderbus.farm.simulation.account import USER_ID, USER_NAME
from airflow_provider_renderbus.farm.simulation.tasks import (
    FAILED_FRAMES,
    FrameState,
    Task,
    TaskState,
    TaskType,
)
from airflow_provider_renderbus.farm.storage.storage import FARM_ZONE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_renderbus.farm.calls.context import CallContext, Request

TASK_TYPE_TEXTS = {
    TaskType.MAIN: "render_major_picture_task",
    TaskType.PARENT: None,
    TaskType.PREPROCESS: "pre_render_task",
    TaskType.PHOTON: "render_photons_task",
}


def query_task_info(ctx: CallContext, request: Request) -> RawJson:
    """Return tasks by id. Unknown ids, and all tasks after the first 100, are silently omitted."""
    tasks = ctx.simulation.tasks
    task_ids = dict.fromkeys(request.integers("taskIds"))
    existing = [tasks[task_id] for task_id in task_ids if task_id in tasks]
    return _page(ctx, page(existing[:MAX_PAGE_SIZE]))


def get_task_list(ctx: CallContext, request: Request) -> RawJson:
    """List submitted tasks, the latest first; ``recycleFlag`` 1 lists deleted tasks."""
    states = set(request.integers("statusList", []))
    keyword = request.string("searchKeyword", "")
    start, end = _epoch_ms(request, "startTime"), _epoch_ms(request, "endTime")
    deleted = request.one_of("recycleFlag", 0, 1) == 1
    selected = [
        task
        for task in reversed(ctx.simulation.tasks.values())
        if task.submitted_at is not None
        and not task.parent_id
        and task.deleted == deleted
        and (not states or ctx.scenario.reported_state(task.job, task.state) in states)
        and (not keyword or keyword in task.job.scene or keyword in str(task.id))
        and (start is None or task.submitted_at >= start)
        and (end is None or task.submitted_at <= end)
    ]
    return _page(ctx, request.page(selected))


def _page(ctx: CallContext, tasks_page: dict[str, Any]) -> RawJson:
    """Return a page of tasks as JSON. The JSON of each task is cached until it changes."""
    items = ", ".join([_cached_json(ctx, task) for task in tasks_page.pop("items")])
    return RawJson(f'{to_json(tasks_page)[:-1]}, "items": [{items}]}}')


def _cached_json(ctx: CallContext, task: Task) -> str:
    if task.cached_json is None:
        info = to_json(_task_info(ctx, task))
        if task.type is TaskType.PARENT:
            leaves = ", ".join([_cached_json(ctx, leaf) for leaf in task.leaves])
            info = f'{info[:-1]}, "respRenderingTaskList": [{leaves}]}}'
        task.cached_json = info
    return task.cached_json


def _epoch_ms(request: Request, name: str) -> int | None:
    """Return a date field as milliseconds since 1970. It is in the farm's time zone."""
    text = request.string(name, "")
    if not text:
        return None
    try:
        date = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=FARM_ZONE)
    except ValueError:
        raise ApiRefusal(ILLEGAL_PARAMETER, field=name, expected="yyyy-MM-dd HH:mm:ss") from None
    return int(date.timestamp() * 1000)


def _reported_states(ctx: CallContext, tasks: Iterable[Task]) -> list[int]:
    return [ctx.scenario.reported_state(task.job, task.state) for task in tasks]


def _task_info(ctx: CallContext, task: Task) -> dict[str, Any]:
    job, counts, is_parent = task.job, task.frame_counts, task.type is TaskType.PARENT
    state = ctx.scenario.reported_state(job, task.state)
    preprocess_states = _reported_states(
        ctx, [leaf for leaf in task.leaves if leaf.type is TaskType.PREPROCESS]
    )
    info = {
        "sceneName": job.scene,
        "id": task.id,
        "taskAlias": task.alias,
        "taskStatus": state,
        "statusText": f"render_task_status_{state}",
        "preTaskStatus": preprocess_states[0] if preprocess_states else None,
        "preStatusText": f"render_task_status_{preprocess_states[0]}" if preprocess_states else None,
        "totalFrames": task.total_frames,
        "abortFrames": None if is_parent else counts[FrameState.ABORTED],
        "executingFrames": None if is_parent else counts[FrameState.STARTED],
        "doneFrames": None if is_parent else counts[FrameState.DONE],
        "failedFrames": sum(counts[failed] for failed in FAILED_FRAMES),
        "framesRange": job.frames_range,
        "projectName": job.project,
        "renderConsume": None if is_parent else task.paid_by_balance + task.paid_by_coupon,
        "taskArrears": task.unpaid,
        "submitDate": task.submitted_at,
        "startTime": task.started_at,
        "completedDate": task.completed_at,
        "renderDuration": None if is_parent else task.seconds,
        "userName": USER_NAME,
        "producer": task.producer or task.artist,
        "taskLevel": 81,
        "taskUserLevel": task.user_level,
        "taskLimit": task.max_machines or ctx.scenario.machines,
        "taskOverTime": job.warn_after,
        "overTimeStop": task.time_limit,
        "userId": USER_ID,
        "outputFileName": None if task.submitted_at is None or is_parent else task.output_folder,
        "munuTaskId": "" if is_parent else str(task.id),
        "munuTaskIds": "" if is_parent else str(task.id),
        "layerParentId": task.parent_id,
        "cgId": job.cg_id,
        "userAccountConsume": None if is_parent else task.paid_by_balance,
        "couponConsume": None if is_parent else task.paid_by_coupon,
        "qyCouponConsume": None,
        "isOpen": int(is_parent),
        "taskType": "GopRender" if job.is_simulation and task.type is TaskType.MAIN else task.type,
        "renderCamera": job.camera,
        "cloneParentId": task.clone_of,
        "cloneOriginalId": task.clone_of,
        "shareMainCapital": 0,
        "taskRam": job.ram,
        "layerName": "" if is_parent else job.layer,
        "taskTypeText": TASK_TYPE_TEXTS[task.type],
        "locationOutput": "",
        "isDelete": int(not task.deleted),
        "channel": 4,
        "remark": "",
        # The documents show a string with an empty object, "{}", but no label in it.
        "labels": json.dumps(dict(enumerate(task.labels, 1)), ensure_ascii=False),
        "isOverTime": int(task.state is TaskState.TIME_OUT_STOP),
        "taskKeyValueVo": {
            "tiles": str(job.tiles) if job.tiles > 1 else None,
            "allCamera": None,
            "renderableCamera": None,
        },
        "waitingCount": None,
        "stopType": task.stop_type,
    }
    return info if is_parent else {**info, "respRenderingTaskList": None}
