"""Reading the farm's answer to a call: the envelope around every result."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_renderbus.api.errors import (
    NO_MORE_RECORDS,
    SUCCESS,
    EndpointNotFound,
    InvalidResponse,
    NoResponse,
    api_error,
)
from airflow_provider_renderbus.api.models.page import EMPTY_PAGE
from airflow_provider_renderbus.api.parsing import ParseError

if TYPE_CHECKING:
    from airflow_provider_renderbus.api.call import Call

T = TypeVar("T")

HTTP_NOT_FOUND = 404
# Answers of a proxy or a web server in front of the farm, which may work a moment later.
_PASSING = {429, 500, 502, 503, 504}
# With these, JSON that repeats the HTTP status as its code is a gateway's too: the farm's own code 503, say,
# means something else altogether.
_GATEWAY = _PASSING - {500}


def read_response(call: Call[T], status: int, body: bytes, retry_after: float | None = None) -> T:
    """Return the result that an answer holds.

    :param call: the call that was sent.
    :param status: the HTTP status. The farm's own code decides; this counts only without one.
    :param body: the body as it came.
    :param retry_after: seconds that the answer's ``Retry-After`` header asks to wait.
    :raises ApiError: the farm's code is not 200.
    :raises NotServed: HTTP 404 without an envelope: the call's next path may be tried.
    :raises NoAnswer: something in front of the farm is overloaded or broken for the moment.
    :raises BadAnswer: anything else that is not an envelope, or a result that cannot be read.
    """
    envelope = _envelope(body)
    if envelope is None or (status in _GATEWAY and envelope["code"] == status):
        problem = f"HTTP {status} with {len(body)} bytes that are not the farm's envelope"
        if status == HTTP_NOT_FOUND:
            raise EndpointNotFound(call.name, problem)
        if status in _PASSING:
            raise NoResponse(call.name, problem, retry_after)
        raise InvalidResponse(call.name, problem)
    code = envelope["code"]
    data = envelope.get("data")
    if code == NO_MORE_RECORDS and call.paged:
        data = EMPTY_PAGE
    elif code != SUCCESS:
        message = envelope.get("message")
        raise api_error(
            call.name, code, message if isinstance(message, str) else "", _seconds(envelope.get("serverTime"))
        )
    try:
        return call.read(data)
    except ParseError as problem:
        raise InvalidResponse(call.name, str(problem)) from None
    except RecursionError:
        raise InvalidResponse(call.name, "it is nested too deep") from None


def _envelope(body: bytes) -> dict[str, Any] | None:
    try:
        envelope = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    if isinstance(envelope, dict) and type(envelope.get("code")) is int:
        return envelope
    return None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _seconds(milliseconds: Any) -> float | None:
    if type(milliseconds) in {int, float} and 0 < milliseconds < 1e14:  # noqa: PLR2004 - the year 5138
        return float(milliseconds) / 1000
    return None
