"""Calls that bring a task into the world: create, describe, submit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.calls.context import MAX_PAGE_SIZE
from airflow_provider_renderbus.farm.calls.names import alias
from airflow_provider_renderbus.farm.pictures.task_json import parse_task_json
from airflow_provider_renderbus.farm.server.envelope import (
    ALREADY_SUBMITTED,
    ANALYSIS_ERRORS,
    ILLEGAL_PARAMETER,
    INVALID_TASK_JSON,
    MISSING_PARAMETER,
    TASK_JSON_MISSING,
    ApiRefusal,
)
from airflow_provider_renderbus.farm.simulation.account import USER_ID
from airflow_provider_renderbus.farm.simulation.tasks import TaskState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_renderbus.farm.calls.context import CallContext, Request
    from airflow_provider_renderbus.farm.simulation.tasks import Task

TASK_JSON, TIPS_JSON = "task.json", "tips.json"
FILE_NAMES = (TASK_JSON, "upload.json", "asset.json", TIPS_JSON)
USER_LEVELS = (50, 60)
ERROR = 1


def create_task(desk: CallContext, request: Request) -> dict[str, Any]:
    """Give out new task numbers, at most 100 at a time. A clone gets the files of its origin."""
    count = request.integer("count", 1, maximum=MAX_PAGE_SIZE)
    request.one_of("taskUserLevel", *USER_LEVELS)
    labels, artist = request.strings("labels", []), request.string("artist", "")
    request.integer("outUserId", 1, minimum=0)
    origin = request.integer("cloneOriginalId", 0, minimum=0)
    if origin:
        desk.task(origin)
    tasks = [desk.simulation.create(request.platform) for _ in range(count)]
    for task in tasks:
        task.labels, task.artist, task.clone_of = list(dict.fromkeys(labels)), artist or None, origin
        if origin:
            desk.database.copy_files(origin, task.id)
    desk.database.log_operation(desk.simulation.now_epoch_ms(), "create", map(alias, tasks))
    return {
        "aliasTaskIdList": [alias(task) for task in tasks],
        "taskIdList": [task.id for task in tasks],
        "userId": USER_ID,
    }


def upload_task_json(desk: CallContext, request: Request) -> None:
    """Take one of the files that describe a new task."""
    task = _new_task(desk, request)
    name = request.string("fileName", TASK_JSON)
    if name not in FILE_NAMES:
        raise ApiRefusal(ILLEGAL_PARAMETER, field="fileName", expected=" / ".join(FILE_NAMES))
    content = request.string("content")
    if _object(content) is None:
        raise ApiRefusal(ILLEGAL_PARAMETER, field="content", expected="a JSON object as text")
    desk.database.save_file(task.id, name, content)


def submit_task(desk: CallContext, request: Request) -> None:
    """Start a new task that has its task.json, and no enforced error in its tips.json."""
    task = _new_task(desk, request)
    producer = request.string("producer", "")
    _load_transferred_files(desk, task)
    content = desk.database.load_file(task.id, TASK_JSON)
    if content is None:
        raise ApiRefusal(TASK_JSON_MISSING, number=task.id)
    _refuse_blocking_findings(desk, _object(desk.database.load_file(task.id, TIPS_JSON) or "{}") or {})
    try:
        jobs = parse_task_json(json.loads(content))
    except (ValueError, RecursionError) as error:
        raise ApiRefusal(INVALID_TASK_JSON, detail=error) from None
    desk.simulation.submit(task, jobs, producer or None)
    desk.database.log_operation(desk.simulation.now_epoch_ms(), "submit", [alias(task)])


def query_error_detail(desk: CallContext, request: Request) -> list[dict[str, Any]]:
    """Tell what codes of an analysis mean; those unknown are left out."""
    flag = int(request.one_of("language", "0", "1", 0, 1))
    wanted = request.strings("codes", []) or [request.string("code", "")]
    if wanted == [""]:
        raise ApiRefusal(MISSING_PARAMETER, field="code / codes")
    findings = desk.scenario.findings
    return [
        {
            "id": place,
            "code": code,
            "type": finding.type,
            "languageFlag": flag,
            "desDescriptionCn": finding.text,
            "desSolutionCn": finding.solution,
            "solutionPath": "",
            "isRepair": 0,
            "isDelete": 1,
            "isOpen": int(finding.blocking),
            "lastModifyAdmin": "",
            "updateTime": 1534387709000,
        }
        for place, (code, finding) in enumerate(findings.items(), 1)
        if code in wanted
    ]


def _refuse_blocking_findings(desk: CallContext, tips: Iterable[str]) -> None:
    """Refuse a task whose analysis has found an error that is enforced."""
    known = {code: desk.scenario.findings.get(code) for code in tips}
    errors = {
        code: found for code, found in known.items() if found and found.type == ERROR and found.blocking
    }
    if errors:
        text = "; ".join(found.text for found in errors.values())
        raise ApiRefusal(ANALYSIS_ERRORS, codes=", ".join(errors), text=text)


def _load_transferred_files(desk: CallContext, task: Task) -> None:
    """Take what the transfer command has brought where nothing was uploaded by a call."""
    for name in FILE_NAMES:
        if desk.database.load_file(task.id, name) is None:
            content = (desk.storage.read_task_file(task.id, name) or b"").decode("utf-8-sig", "replace")
            if _object(content) is not None:
                desk.database.save_file(task.id, name, content)


def _object(content: str) -> dict[str, Any] | None:
    try:
        read = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


def _new_task(desk: CallContext, request: Request) -> Task:
    task = desk.task(request.integer("taskId"))
    if task.submitted_at is not None or task.state is not TaskState.WAITING:
        raise ApiRefusal(ALREADY_SUBMITTED, number=task.id)
    return task
