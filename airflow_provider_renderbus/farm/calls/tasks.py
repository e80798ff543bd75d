"""Calls about tasks: create, describe, submit, stop, ask."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.account import USER_ID, USER_NAME
from airflow_provider_renderbus.farm.calls.desk import LARGEST_PAGE, page
from airflow_provider_renderbus.farm.envelope import (
    BAD_TASK_JSON,
    ILLEGAL,
    NO_TASK_JSON,
    NOT_NEW,
    Refused,
)
from airflow_provider_renderbus.farm.life import MACHINES
from airflow_provider_renderbus.farm.task_json import read_job
from airflow_provider_renderbus.farm.tasks import FrameState, TaskState

if TYPE_CHECKING:
    from airflow_provider_renderbus.farm.calls.desk import Desk, Request
    from airflow_provider_renderbus.farm.tasks import Task

TASK_JSON = "task.json"
FILE_NAMES = (TASK_JSON, "upload.json", "asset.json", "tips.json")
USER_LEVELS = (50, 60)


def create_task(desk: Desk, request: Request) -> dict[str, Any]:
    """Give out new task numbers, at most 100 at a time. They cost nothing."""
    count = request.number("count", 1)
    if count > LARGEST_PAGE:
        raise Refused(ILLEGAL, field="count", expected=f"a whole number from 1 to {LARGEST_PAGE}")
    if request.number("taskUserLevel", USER_LEVELS[0]) not in USER_LEVELS:
        raise Refused(ILLEGAL, field="taskUserLevel", expected="50 or 60")
    labels, artist = request.texts("labels"), request.text("artist", "")
    tasks = [desk.life.create(request.platform, labels, artist or None) for _ in range(count)]
    return {
        "aliasTaskIdList": [_alias(task) for task in tasks],
        "taskIdList": [task.number for task in tasks],
        "userId": USER_ID,
    }


def upload_task_json(desk: Desk, request: Request) -> None:
    """Take one of the files that describe a new task."""
    task = _new_task(desk, request)
    name = request.text("fileName", TASK_JSON)
    if name not in FILE_NAMES:
        raise Refused(ILLEGAL, field="fileName", expected=" / ".join(FILE_NAMES))
    try:
        content = json.loads(request.text("content"))
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise Refused(ILLEGAL, field="content", expected="a JSON object as text")
    task.files[name] = content


def submit_task(desk: Desk, request: Request) -> None:
    """Start a new task that has its task.json."""
    task = _new_task(desk, request)
    if TASK_JSON not in task.files:
        raise Refused(NO_TASK_JSON, number=task.number)
    try:
        job = read_job(task.files[TASK_JSON])
    except ValueError as error:
        raise Refused(BAD_TASK_JSON, detail=error) from None
    desk.life.submit(task, job, request.text("producer", "") or None)


def stop_task(desk: Desk, request: Request) -> None:
    """Stop tasks. One that has ended stays as it is; a number unknown refuses the whole call."""
    for task in [desk.task(number) for number in request.numbers("taskIds")]:
        desk.life.stop(task)


def query_task_info(desk: Desk, request: Request) -> dict[str, Any]:
    """Tell about tasks. Numbers unknown are left out, and all beyond the first 100 silently cut."""
    tasks = desk.life.tasks
    found = [tasks[number] for number in dict.fromkeys(request.numbers("taskIds")) if number in tasks]
    return page([_task_info(desk, task) for task in found[:LARGEST_PAGE]])


def _new_task(desk: Desk, request: Request) -> Task:
    task = desk.task(request.number("taskId"))
    if task.submitted is not None or task.state is not TaskState.WAITING:
        raise Refused(NOT_NEW, number=task.number)
    return task


def _alias(task: Task) -> str:
    return f"{task.platform}W{task.number}"


def _task_info(desk: Desk, task: Task) -> dict[str, Any]:
    job = task.job
    return {
        "sceneName": job.scene,
        "id": task.number,
        "taskAlias": _alias(task),
        "taskStatus": task.state,
        "statusText": f"render_task_status_{task.state}",
        "preTaskStatus": None,
        "preStatusText": None,
        "totalFrames": len(task.frames),
        "abortFrames": task.counts[FrameState.ABORTED],
        "executingFrames": task.counts[FrameState.STARTED],
        "doneFrames": task.counts[FrameState.DONE],
        "failedFrames": task.counts[FrameState.ERROR],
        "framesRange": job.frames_range,
        "projectName": job.project,
        "renderConsume": task.by_balance + task.by_coupon,
        "taskArrears": 0,
        "submitDate": desk.date(task.submitted),
        "startTime": desk.date(task.started),
        "completedDate": desk.date(task.completed),
        "renderDuration": task.seconds,
        "userName": USER_NAME,
        "producer": task.producer or task.artist,
        "taskLevel": 81,
        "taskUserLevel": 0,
        "taskLimit": MACHINES,
        "taskOverTime": job.warn_after,
        "overTimeStop": 86_400,
        "userId": USER_ID,
        "outputFileName": None if task.submitted is None else task.output_name,
        "munuTaskId": str(task.number),
        "munuTaskIds": str(task.number),
        "layerParentId": 0,
        "cgId": job.cg_id,
        "userAccountConsume": task.by_balance,
        "couponConsume": task.by_coupon,
        "qyCouponConsume": None,
        "isOpen": 0,
        "taskType": "Render",
        "renderCamera": job.camera,
        "cloneParentId": 0,
        "cloneOriginalId": 0,
        "shareMainCapital": 0,
        "taskRam": job.ram,
        "respRenderingTaskList": None,
        "layerName": "",
        "taskTypeText": "render_major_picture_task",
        "locationOutput": "",
        "isDelete": 1,
        "channel": 4,
        "remark": "",
        # The documents give a text that holds an object, "{}", and not what a label looks like in it.
        "labels": json.dumps(dict(enumerate(task.labels, 1)), ensure_ascii=False),
        "isOverTime": 0,
        "taskKeyValueVo": {"tiles": None, "allCamera": None, "renderableCamera": None},
        "waitingCount": None,
        "stopType": 0,
    }
