"""The envelope around all of the farm's answers, and every error code.

Codes are those of the farm's documents and of its desktop client. If neither names one, the table says what
this farm chose.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """An error code of the farm, and its message in the farm's two languages."""

    code: int
    chinese: str
    english: str


INVALID_BODY = ErrorCode(400, "请求体无效: {detail}", "The body is invalid: {detail}")
ILLEGAL_PARAMETER = ErrorCode(
    600, "参数 {field} 非法: 应为 {expected}", "Illegal parameter {field}: must be {expected}"
)
MISSING_PARAMETER = ErrorCode(601, "缺少参数 {field}", "Missing parameter {field}")
UNKNOWN_ACCOUNT = ErrorCode(602, "未登录: accessId 无效", "Not logged in: the access id is unknown")
NONCE_USED = ErrorCode(603, "非法请求: nonce 已被使用", "Illegal request: the nonce was used before")
SIGNATURE_EXPIRED = ErrorCode(
    610, "签名已过期", "The signature has expired: set the clock, serverTime is the farm's time"
)
BAD_SIGNATURE = ErrorCode(611, "签名无效", "The signature is invalid")
TASK_NOT_FOUND = ErrorCode(937, "任务 {task_id} 不存在", "There is no task {task_id}")
FOLDER_NOT_FOUND = ErrorCode(404, "目录 {path} 不存在", "There is no folder {path}")
TASK_JSON_MISSING = ErrorCode(
    601, "任务 {task_id} 缺少 task.json", "Task {task_id} has no task.json: upload it first"
)
# Chosen by this farm: no source says how an upload after the submit is refused, nor a stopped task's submit.
NOT_NEW = ErrorCode(600, "任务 {task_id} 已提交或已停止", "Task {task_id} was submitted or stopped before")
TASK_ABANDONED = ErrorCode(
    600, "任务 {task_id} 已放弃", "Task {task_id} was abandoned: it cannot be started again"
)
ANALYSIS_ERRORS = ErrorCode(
    600, "分析有错误 {codes}: {text}", "The analysis has errors that block the job: {codes}: {text}"
)
NAME_EXISTS = ErrorCode(503, "名称 {name} 已存在", "The name {name} exists")
NAME_NOT_FOUND = ErrorCode(404, "名称 {name} 不存在", "There is no {name}")
FRAME_NOT_FOUND = ErrorCode(404, "帧 {frame_id} 不存在", "There is no frame {frame_id}")
# Chosen by this farm: no source says with which code frames are refused.
RECOMMIT_REFUSED = ErrorCode(
    600,
    "帧 {frame_id} 不能重提: 状态 {state}, 类型 {type}",
    "Frame {frame_id} cannot be recommitted: it has state {state} and type {type}",
)
INVALID_TASK_JSON = ErrorCode(600, "task.json 无效: {detail}", "task.json cannot be rendered: {detail}")

# Codes of the desktop client that this farm answers by itself.
PLUGIN_CONFIG_EXISTS = ErrorCode(504, "插件配置 {name} 已存在", "The plug-in configuration {name} exists")
INSUFFICIENT_FUNDS = ErrorCode(507, "余额不足", "The balance is too low: top up the account")
INVALID_FRAMES = ErrorCode(510, "帧无法解析: {detail}", "The frames cannot be parsed: {detail}")
TOO_MANY_FRAMES = ErrorCode(511, "帧数过多: {detail}", "Too many frames: {detail}")
NOTHING_TO_DO = ErrorCode(700, "无可操作的任务或帧", "Nothing to do: the state of no task or frame allows it")
UNKNOWN_CAMERA = ErrorCode(530, "相机不存在: {detail}", "There is no such camera: {detail}")
TASK_JSON_UNREADABLE = ErrorCode(
    740, "任务 {task_id} 的 task.json 无法读取", "task.json of task {task_id} cannot be read"
)
TASK_JSON_EMPTY = ErrorCode(741, "任务 {task_id} 的 task.json 为空", "task.json of task {task_id} is empty")
ALREADY_SUBMITTED = ErrorCode(
    749, "任务 {task_id} 已提交", "Task {task_id} is submitted already: a second submit is denied"
)

# Chosen by this farm: an error in the farm itself.
INTERNAL_ERROR = ErrorCode(500, "农场内部错误: 见其日志", "Internal error of the farm: see its log")

CLIENT_CODES: dict[int, str] = {
    300: "Failed",
    405: "Single sign-on failed",
    406: "Single sign-on failed",
    504: "A plug-in configuration of that name exists",
    507: "The balance is too low",
    508: "The account is not activated",
    510: "The frames cannot be parsed",
    511: "Too many frames",
    513: "The user is unknown",
    520: "There is no such analysis",
    530: "There is no such camera",
    595: "The frames cannot be parsed",
    609: "Wrong platform",
    627: "The account belongs to the other region",
    628: "The account belongs to the other region",
    700: "Nothing to do",
    710: "The photon pass or the main pass is not finished yet",
    718: "The task has expired",
    728: "The task has expired",
    740: "task.json cannot be read",
    741: "task.json is empty",
    748: "Frames are being copied out: the task cannot be stopped now",
    749: "The task is being submitted already",
    750: "Test frames are not allowed",
    753: "The configuration of the transfer engine is incomplete",
    756: "The submit is not allowed",
    760: "The task does not qualify for a voucher",
    773: "The task has no hardware configuration",
    **dict.fromkeys(range(816, 822), "The account's address is refused"),
    822: "The account is disabled",
    823: "The account's address is refused",
    824: "A verification is required",
    **dict.fromkeys((*range(921, 934), 935, 936), "A billing or account form is missing"),
    934: "The call of the task service failed",
    937: "There is no such task",
    999: "Wrong file format",
    1022: "Different hardware configurations in one request",
    1206: "The identity is not proved",
}
"""Codes that only the farm's desktop client handles, and the message of the fault ``code`` for each."""


class ApiRefusal(Exception):
    """Raised by a call that the farm refuses.

    :param error: the code and its messages.
    :param facts: the fields of the messages.
    """

    def __init__(self, error: ErrorCode, **facts: object) -> None:
        self.code = error.code
        self.chinese = error.chinese.format(**facts)
        self.english = error.english.format(**facts)
        super().__init__(f"{self.code}: {self.english}")


@dataclass(frozen=True, slots=True)
class RawJson:
    """Data that is encoded already."""

    text: str


def to_json(data: Any) -> str:
    """Encode data as JSON; Decimal amounts become numbers."""
    return data.text if isinstance(data, RawJson) else json.dumps(data, ensure_ascii=False, default=float)


def success_response(data: Any, unix_time: float) -> bytes:
    """Return the body of the answer to a call that was executed.

    :param unix_time: the farm's time, Unix seconds.
    """
    return _envelope(200, "success", data, unix_time)


def error_response(refusal: ApiRefusal, unix_time: float, *, chinese: bool) -> bytes:
    """Return the body of the answer to a call that was refused.

    :param unix_time: the farm's time, Unix seconds.
    :param chinese: the language of the message; English if false.
    """
    return _envelope(refusal.code, refusal.chinese if chinese else refusal.english, None, unix_time)


def _envelope(code: int, message: str, data: Any, unix_time: float) -> bytes:
    server_time = int(unix_time * 1000)
    fields = {
        "version": "2.0.0",
        "result": code == 200,  # noqa: PLR2004 - the farm's code for success
        "message": message,
        "code": code,
        "serverTime": server_time,
        "requestId": f"{secrets.token_hex(6)}-{server_time}",
    }
    return f'{to_json(fields)[:-1]}, "data": {to_json(data)}}}'.encode(errors="replace")
