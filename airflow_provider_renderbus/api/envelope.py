"""Reads the farm's response to a call: an envelope of code, message and data."""

from __future__ import annotations

import json
import re
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
from airflow_provider_renderbus.api.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_renderbus.api.call import Call

T = TypeVar("T")

HTTP_NOT_FOUND = 404
# A code beyond this many is none: an error holds it, and so do logs and the database.
_MAX_CODE = 10**9
# Sent by a proxy or a web server in front of the farm; the next request may succeed.
_TRANSIENT_STATUSES = {429, 500, 502, 503, 504}
# JSON that repeats one of these as its code comes from a gateway too: the farm's own code 503, for example,
# has another meaning altogether.
_GATEWAY_STATUSES = _TRANSIENT_STATUSES - {500}
# Characters that neither a database nor a later request can hold; JSON can only have them escaped.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_UNSTORABLE_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


def read_response(
    call: Call[T],
    status: int,
    body: bytes,
    retry_after: float | None = None,
    on_server_time: Callable[[float], None] | None = None,
) -> T:
    """Return the result of a call from an HTTP response.

    :param status: HTTP status. It counts only if the response holds no code of the farm.
    :param retry_after: seconds to wait according to the response's ``Retry-After`` header.
    :param on_server_time: called with the farm's clock, in seconds since 1970, if the response holds it.
    :raises ApiError: the farm's code is not 200.
    :raises EndpointNotFound: HTTP 404 without an envelope; the next path of the call may be tried.
    :raises NoResponse: something in front of the farm is overloaded or out of order.
    :raises InvalidResponse: anything else that is not an envelope, or a result that cannot be parsed.
    """
    envelope = _parse_envelope(body)
    if envelope is None or (status in _GATEWAY_STATUSES and envelope["code"] == status):
        detail = f"HTTP {status} with {len(body)} bytes that are not the farm's envelope"
        if status == HTTP_NOT_FOUND:
            raise EndpointNotFound(call.name, detail)
        if status in _TRANSIENT_STATUSES:
            raise NoResponse(call.name, detail, retry_after)
        raise InvalidResponse(call.name, detail)
    code = envelope["code"]
    data = envelope.get("data")
    server_time = _seconds(envelope.get("serverTime"))
    if on_server_time is not None and server_time is not None:
        on_server_time(server_time)
    if code == NO_MORE_RECORDS and call.paged:
        data = EMPTY_PAGE
    elif code != SUCCESS:
        message = envelope.get("message")
        raise api_error(
            call.name,
            code,
            printable(message) if isinstance(message, str) else "",
            server_time,
        )
    try:
        return call.read(data)
    except ParseError as error:
        raise InvalidResponse(call.name, str(error)) from None
    except Exception as error:  # noqa: BLE001 - a reader only computes on what the farm sent
        cause = None if call.returns_secrets else error
        raise InvalidResponse(call.name, f"reading it raised {type(error).__name__}") from cause


def _parse_envelope(body: bytes) -> dict[str, Any] | None:
    try:
        text = body.decode("utf-8-sig")
        envelope = json.loads(text, parse_constant=_reject_constant)
        if _UNSTORABLE_ESCAPE.search(text):
            envelope = _storable(envelope)
    except (ValueError, RecursionError):
        return None
    code = envelope.get("code") if isinstance(envelope, dict) else None
    return envelope if type(code) is int and abs(code) < _MAX_CODE else None


def _storable(value: Any) -> Any:
    """Return JSON in which U+FFFD replaces the characters that cannot be stored or sent."""
    if type(value) is str:
        return _UNSTORABLE.sub("\ufffd", value)
    if type(value) is list:
        return [_storable(item) for item in value]
    if type(value) is dict:
        return {_storable(key): _storable(item) for key, item in value.items()}
    return value


def _reject_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _seconds(milliseconds: Any) -> float | None:
    if type(milliseconds) in {int, float} and 0 < milliseconds < 1e14:  # noqa: PLR2004 - the year 5138
        return float(milliseconds) / 1000
    return None
