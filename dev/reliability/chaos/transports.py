"""Replaces sockets: requests' for workers, httpx's for triggerers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from unittest import mock

import httpx
import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError

from dev.reliability.chaos.network import Answer, PendingAnswer, unwrap

SendBlocking = Callable[[str, Mapping[str, str], bytes], Answer]
SendAsync = Callable[[str, Mapping[str, str], bytes], PendingAnswer]


@contextlib.contextmanager
def replace_sockets(send_blocking: SendBlocking, send_async: SendAsync) -> Iterator[None]:
    """Send the requests of workers and of triggerers, by URL, headers and body, through these functions."""

    def send(_: Any, request: requests.PreparedRequest, **__: Any) -> requests.Response:
        body = request.body or b""
        try:
            status, headers, content = send_blocking(
                request.url or "", request.headers, body if isinstance(body, bytes) else body.encode()
            )
        except OSError as error:
            raise _to_requests_error(error, request) from error
        response = requests.Response()
        response.request, response.url, response.status_code = request, request.url or "", status
        response.headers = requests.structures.CaseInsensitiveDict(headers)
        response._content = content  # noqa: SLF001 - there is no other way to make one
        return response

    async def handle_async_request(_: Any, request: httpx.Request) -> httpx.Response:
        try:
            result = await send_async(str(request.url), request.headers, request.content)
            status, headers, content = unwrap(result)
        except OSError as error:
            raise _to_httpx_error(error) from error
        return httpx.Response(status, headers=headers, content=content)

    with (
        mock.patch.object(requests.adapters.HTTPAdapter, "send", send),
        mock.patch.object(httpx.AsyncHTTPTransport, "handle_async_request", handle_async_request),
    ):
        yield


def _to_requests_error(error: OSError, request: requests.PreparedRequest) -> requests.RequestException:
    if isinstance(error, ConnectionRefusedError):
        reason = NewConnectionError(None, "refused")  # type: ignore[arg-type]  # no pool took part
        return requests.ConnectionError(MaxRetryError(None, request.url or "", reason))  # type: ignore[arg-type]  # likewise
    return requests.ReadTimeout() if isinstance(error, TimeoutError) else requests.ConnectionError(error)


def _to_httpx_error(error: OSError) -> httpx.TransportError:
    if isinstance(error, ConnectionRefusedError):
        return httpx.ConnectError("refused")
    return httpx.ReadTimeout("no response") if isinstance(error, TimeoutError) else httpx.ReadError("reset")
