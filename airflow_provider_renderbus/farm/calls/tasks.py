"""Calls that create, describe and submit a task."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.calls.context import MAX_PAGE_SIZE
from airflow_provider_renderbus.farm.pictures.ranges import InvalidFramesError, TooManyFramesError
from airflow_provider_renderbus.farm.pictures.render_checks import UnknownCameraError
from airflow_provider_renderbus.farm.pictures.task_json import parse_task_json
from airflow_provider_renderbus.farm.server.envelope import (
    ALREADY_SUBMITTED,
    ANALYSIS_ERRORS,
    ILLEGAL_PARAMETER,
    INVALID_FRAMES,
    INVALID_TASK_JSON,
    MISSING_PARAMETER,
    NOT_NEW,
    TASK_JSON_EMPTY,
    TASK_JSON_MISSING,
    TASK_JSON_UNREADABLE,
    TOO_MANY_FRAMES,
    UNKNOWN_CAMERA,
    ApiRefusal,
)
from airflow_provider_renderbus.farm.simulation.account import USER_ID
from airflow_provider_renderbus.farm.simulation.tasks import TaskState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_renderbus.farm.calls.context import CallContext, Request
    from airflow_provider_renderbus.farm.pictures.task_json import Job
    from airflow_provider_renderbus.farm.simulation.tasks import Task

TASK_JSON, TIPS_JSON = "task.json", "tips.json"
FILE_NAMES = (TASK_JSON, "upload.json", "asset.json", TIPS_JSON)
USER_LEVELS = (50, 60)
ERROR = 1


def create_task(ctx: CallContext, request: Request) -> dict[str, Any]:
    """Create up to 100 tasks. A clone gets copies of the uploaded files of its origin."""
    count = request.integer("count", 1, maximum=MAX_PAGE_SIZE)
    request.one_of("taskUserLevel", *USER_LEVELS)
    labels, artist = request.strings("labels", []), request.string("artist", "")
    request.integer("outUserId", 1, minimum=0)
    origin = request.integer("cloneOriginalId", 0, minimum=0)
    if origin:
        ctx.task(origin)
    ctx.require_funds()
    tasks = [ctx.simulation.create(request.platform) for _ in range(count)]
    for task in tasks:
        task.labels, task.artist, task.clone_of = list(dict.fromkeys(labels)), artist or None, origin
        if origin:
            ctx.database.copy_files(origin, task.id)
    ctx.database.log_operation(ctx.simulation.now_epoch_ms(), "create", [task.alias for task in tasks])
    return {
        "aliasTaskIdList": [task.alias for task in tasks],
        "taskIdList": [task.id for task in tasks],
        "userId": USER_ID,
    }


def upload_task_json(ctx: CallContext, request: Request) -> None:
    """Store one of the files that describe a new task."""
    task = ctx.task(request.integer("taskId"))
    _require_new(task)
    name = request.string("fileName", TASK_JSON)
    if name not in FILE_NAMES:
        raise ApiRefusal(ILLEGAL_PARAMETER, field="fileName", expected=" / ".join(FILE_NAMES))
    content = request.string("content")
    if _object(content) is None:
        raise ApiRefusal(ILLEGAL_PARAMETER, field="content", expected="a JSON object as a string")
    ctx.database.save_file(task.id, name, content)


def submit_task(ctx: CallContext, request: Request) -> None:
    """Submit a new task. It must have a task.json, and no blocking error in tips.json."""
    task = ctx.task(request.integer("taskId"))
    if task.submitted_at is not None:
        raise ApiRefusal(ALREADY_SUBMITTED, task_id=task.id)
    _require_new(task)
    producer = request.string("producer", "")
    transferred = _transferred_files(ctx, task)
    task_json, tips = (
        transferred.get(name, ctx.database.load_file(task.id, name)) for name in (TASK_JSON, TIPS_JSON)
    )
    jobs = _parse_task_json(ctx, task_json, task.id)
    _refuse_blocking_findings(ctx, _object(tips or "{}") or {})
    ctx.require_funds()
    for name, content in transferred.items():
        ctx.database.save_file(task.id, name, content)
    ctx.simulation.submit(task, jobs, producer or None)
    ctx.database.log_operation(ctx.simulation.now_epoch_ms(), "submit", [task.alias])


def query_error_detail(ctx: CallContext, request: Request) -> list[dict[str, Any]]:
    """Return the meaning of analysis codes. Unknown codes are omitted."""
    flag = int(request.one_of("language", "0", "1", 0, 1))
    codes = request.strings("codes", []) or [request.string("code", "")]
    if codes == [""]:
        raise ApiRefusal(MISSING_PARAMETER, field="code / codes")
    findings = ctx.scenario.findings
    return [
        {
            "id": index,
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
        for index, (code, finding) in enumerate(findings.items(), 1)
        if code in codes
    ]


def _refuse_blocking_findings(ctx: CallContext, tips: Iterable[str]) -> None:
    """Refuse a task if its tips.json contains a blocking error."""
    findings = {code: ctx.scenario.findings.get(code) for code in tips}
    errors = {
        code: finding
        for code, finding in findings.items()
        if finding and finding.type == ERROR and finding.blocking
    }
    if errors:
        text = "; ".join(finding.text for finding in errors.values())
        raise ApiRefusal(ANALYSIS_ERRORS, codes=", ".join(errors), text=text)


def _transferred_files(ctx: CallContext, task: Task) -> dict[str, str]:
    """Return the files that the transfer command has uploaded, without those that a call has uploaded."""
    contents = {
        name: ctx.storage.read_task_file(task.id, name)
        for name in FILE_NAMES
        if ctx.database.load_file(task.id, name) is None
    }
    return {
        name: content.decode("utf-8-sig", "replace")
        for name, content in contents.items()
        if content is not None
    }


def _parse_task_json(ctx: CallContext, content: str | None, task_id: int) -> tuple[Job, ...]:
    """Return the jobs of a task.json.

    :raises ApiRefusal: it is missing, unreadable or empty, or cannot be rendered.
    """
    if content is None:
        raise ApiRefusal(TASK_JSON_MISSING, task_id=task_id)
    task_json = _object(content)
    if task_json is None and content.strip():
        raise ApiRefusal(TASK_JSON_UNREADABLE, task_id=task_id)
    if not task_json:
        raise ApiRefusal(TASK_JSON_EMPTY, task_id=task_id)
    try:
        return parse_task_json(task_json, ctx.scenario.checked_software)
    except InvalidFramesError as error:
        raise ApiRefusal(INVALID_FRAMES, detail=error) from None
    except UnknownCameraError as error:
        raise ApiRefusal(UNKNOWN_CAMERA, detail=error) from None
    except TooManyFramesError as error:
        raise ApiRefusal(TOO_MANY_FRAMES, detail=error) from None
    except (ValueError, RecursionError) as error:
        raise ApiRefusal(INVALID_TASK_JSON, detail=error) from None


def _object(content: str) -> dict[str, Any] | None:
    try:
        read = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


def _require_new(task: Task) -> None:
    if task.submitted_at is not None or task.state is not TaskState.WAITING:
        raise ApiRefusal(NOT_NEW, task_id=task.id)
