"""Calls that bring a task into the world: create, describe, submit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.calls.context import LARGEST_PAGE
from airflow_provider_renderbus.farm.calls.names import alias
from airflow_provider_renderbus.farm.pictures.task_json import parse_task_json
from airflow_provider_renderbus.farm.server.envelope import (
    BAD_TASK_JSON,
    ILLEGAL,
    MISSING,
    NO_TASK_JSON,
    NOT_NEW,
    TIPS,
    Refused,
)
from airflow_provider_renderbus.farm.simulation.account import USER_ID
from airflow_provider_renderbus.farm.simulation.tasks import TaskState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_renderbus.farm.calls.context import Desk, Request
    from airflow_provider_renderbus.farm.simulation.tasks import Task

TASK_JSON, TIPS_JSON = "task.json", "tips.json"
FILE_NAMES = (TASK_JSON, "upload.json", "asset.json", TIPS_JSON)
USER_LEVELS = (50, 60)
ERROR = 1


def create_task(desk: Desk, request: Request) -> dict[str, Any]:
    """Give out new task numbers, at most 100 at a time. A clone gets the files of its origin."""
    count = request.number("count", 1, most=LARGEST_PAGE)
    request.choice("taskUserLevel", *USER_LEVELS)
    labels, artist = request.texts("labels", []), request.text("artist", "")
    request.number("outUserId", 1, least=0)
    origin = request.number("cloneOriginalId", 0, least=0)
    if origin:
        desk.task(origin)
    tasks = [desk.life.create(request.platform) for _ in range(count)]
    for task in tasks:
        task.labels, task.artist, task.clone_of = list(dict.fromkeys(labels)), artist or None, origin
        if origin:
            desk.books.copy_files(origin, task.number)
    desk.books.record(desk.life.date(), "create", map(alias, tasks))
    return {
        "aliasTaskIdList": [alias(task) for task in tasks],
        "taskIdList": [task.number for task in tasks],
        "userId": USER_ID,
    }


def upload_task_json(desk: Desk, request: Request) -> None:
    """Take one of the files that describe a new task."""
    task = _new_task(desk, request)
    name = request.text("fileName", TASK_JSON)
    if name not in FILE_NAMES:
        raise Refused(ILLEGAL, field="fileName", expected=" / ".join(FILE_NAMES))
    content = request.text("content")
    if _object(content) is None:
        raise Refused(ILLEGAL, field="content", expected="a JSON object as text")
    desk.books.keep_file(task.number, name, content)


def submit_task(desk: Desk, request: Request) -> None:
    """Start a new task that has its task.json, and no enforced error in its tips.json."""
    task = _new_task(desk, request)
    producer = request.text("producer", "")
    _take_configuration(desk, task)
    content = desk.books.file(task.number, TASK_JSON)
    if content is None:
        raise Refused(NO_TASK_JSON, number=task.number)
    _check_tips(desk, _object(desk.books.file(task.number, TIPS_JSON) or "{}") or {})
    try:
        jobs = parse_task_json(json.loads(content))
    except (ValueError, RecursionError) as error:
        raise Refused(BAD_TASK_JSON, detail=error) from None
    desk.life.submit(task, jobs, producer or None)
    desk.books.record(desk.life.date(), "submit", [alias(task)])


def query_error_detail(desk: Desk, request: Request) -> list[dict[str, Any]]:
    """Tell what codes of an analysis mean; those unknown are left out."""
    flag = int(request.choice("language", "0", "1", 0, 1))
    wanted = request.texts("codes", []) or [request.text("code", "")]
    if wanted == [""]:
        raise Refused(MISSING, field="code / codes")
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
            "isOpen": int(finding.enforced),
            "lastModifyAdmin": "",
            "updateTime": 1534387709000,
        }
        for place, (code, finding) in enumerate(findings.items(), 1)
        if code in wanted
    ]


def _check_tips(desk: Desk, tips: Iterable[str]) -> None:
    """Refuse a task whose analysis has found an error that is enforced."""
    known = {code: desk.scenario.findings.get(code) for code in tips}
    errors = {
        code: found for code, found in known.items() if found and found.type == ERROR and found.enforced
    }
    if errors:
        text = "; ".join(found.text for found in errors.values())
        raise Refused(TIPS, codes=", ".join(errors), text=text)


def _take_configuration(desk: Desk, task: Task) -> None:
    """Take what the transfer command has brought where nothing was uploaded by a call."""
    for name in FILE_NAMES:
        if desk.books.file(task.number, name) is None:
            content = (desk.storage.read_task_file(task.number, name) or b"").decode("utf-8-sig", "replace")
            if _object(content) is not None:
                desk.books.keep_file(task.number, name, content)


def _object(content: str) -> dict[str, Any] | None:
    try:
        read = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


def _new_task(desk: Desk, request: Request) -> Task:
    task = desk.task(request.number("taskId"))
    if task.submitted is not None or task.state is not TaskState.WAITING:
        raise Refused(NOT_NEW, number=task.number)
    return task
