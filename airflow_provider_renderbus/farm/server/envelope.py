"""The farm's answers: one envelope for all, and every reason for which a call is refused.

Codes are those of the farm's documents. Where they name none, the table says what this farm chose.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """Why the farm refuses a call: its code, and the message in the two languages of the farm."""

    code: int
    chinese: str
    english: str


INVALID_BODY = ErrorCode(400, "请求体无效: {detail}", "The body cannot be used: {detail}")
ILLEGAL_PARAMETER = ErrorCode(
    600, "参数 {field} 非法: 应为 {expected}", "Illegal parameter {field}: expected {expected}"
)
MISSING_PARAMETER = ErrorCode(601, "缺少参数 {field}", "Missing parameter {field}")
UNKNOWN_ACCOUNT = ErrorCode(602, "未登录: accessId 无效", "Not logged in: the access id is unknown")
NONCE_USED = ErrorCode(603, "非法请求: nonce 已被使用", "Illegal request: the nonce was used before")
SIGNATURE_EXPIRED = ErrorCode(
    610, "签名已过期", "The signature has expired: set the clock, serverTime tells the time"
)
BAD_SIGNATURE = ErrorCode(611, "签名无效", "The signature is invalid")
TASK_NOT_FOUND = ErrorCode(404, "任务 {number} 不存在", "There is no task {number}")
FOLDER_NOT_FOUND = ErrorCode(404, "目录 {path} 不存在", "There is no folder {path}")
TASK_JSON_MISSING = ErrorCode(
    601, "任务 {number} 缺少 task.json", "Task {number} has no task.json: upload it first"
)
# Chosen by this farm: no document says how a second submit is refused. 600 is never retried by a client.
ALREADY_SUBMITTED = ErrorCode(
    600, "任务 {number} 已提交或已停止", "Task {number} was submitted or stopped before"
)
TASK_ABANDONED = ErrorCode(600, "任务 {number} 已放弃", "Task {number} was abandoned: it cannot run again")
ANALYSIS_ERRORS = ErrorCode(
    600, "分析有错误 {codes}: {text}", "The analysis has errors that stop the job: {codes}: {text}"
)
NAME_EXISTS = ErrorCode(503, "名称 {name} 已存在", "The name {name} exists")
NAME_NOT_FOUND = ErrorCode(404, "名称 {name} 不存在", "There is no {name}")
FRAME_NOT_FOUND = ErrorCode(404, "帧 {number} 不存在", "There is no frame {number}")
INVALID_TASK_JSON = ErrorCode(600, "task.json 无效: {detail}", "task.json cannot be rendered: {detail}")

# Chosen by this farm: what goes wrong in the farm itself.
INTERNAL_ERROR = ErrorCode(500, "农场内部错误: 见其日志", "The farm itself has failed: see its log")


class ApiRefusal(Exception):
    """A call is refused.

    :param reason: why.
    :param facts: the fields that the reason's messages name.
    """

    def __init__(self, reason: ErrorCode, **facts: object) -> None:
        self.code = reason.code
        self.chinese = reason.chinese.format(**facts)
        self.english = reason.english.format(**facts)
        super().__init__(f"{self.code}: {self.english}")


@dataclass(frozen=True, slots=True)
class RawJson:
    """Data that is JSON already."""

    text: str


def to_json(data: Any) -> str:
    """Return data as JSON; Decimal amounts become numbers."""
    return data.text if isinstance(data, RawJson) else json.dumps(data, ensure_ascii=False, default=float)


def success_response(data: Any, wall: float) -> bytes:
    """Return the answer to a call that was carried out.

    :param data: what the call answers.
    :param wall: the farm's time, Unix seconds.
    """
    return _envelope(200, "success", data, wall)


def error_response(why: ApiRefusal, wall: float, *, chinese: bool) -> bytes:
    """Return the answer to a call that was refused.

    :param wall: the farm's time, Unix seconds.
    :param chinese: which of the farm's languages the caller reads.
    """
    return _envelope(why.code, why.chinese if chinese else why.english, None, wall)


def _envelope(code: int, message: str, data: Any, wall: float) -> bytes:
    server_time = int(wall * 1000)
    head = {
        "version": "2.0.0",
        "result": code == 200,  # noqa: PLR2004 - the farm's code for success
        "message": message,
        "code": code,
        "serverTime": server_time,
        "requestId": f"{secrets.token_hex(6)}-{server_time}",
    }
    return f'{to_json(head)[:-1]}, "data": {to_json(data)}}}'.encode(errors="replace")
