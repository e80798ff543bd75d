"""What stands in the place of sockets: requests for workers, httpx for triggerers, and the people's calls."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any
from unittest import mock

import httpx
import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator, Mapping

    from dev.reliability.chaos.network import Answer

    Blocking = Callable[[str, Mapping[str, str], bytes], Answer]
    Waiting = Callable[[str, Mapping[str, str], bytes], asyncio.Future[Answer]]


@contextlib.contextmanager
def instead_of_sockets(blocking: Blocking, waiting: Waiting) -> Iterator[None]:
    """Hand requests over to somebody else.

    :param blocking: takes those of workers: address, headers, body.
    :param waiting: takes those of triggerers.
    """

    def send(_: Any, request: requests.PreparedRequest, **__: Any) -> requests.Response:
        body = request.body or b""
        found = blocking(
            request.url or "", request.headers, body if isinstance(body, bytes) else body.encode()
        )
        if isinstance(found, OSError):
            raise _as_requests(found, request)
        answer = requests.Response()
        answer.request, answer.url = request, request.url or ""
        answer.status_code, answer.headers, answer._content = found[0], _caseless(found[1]), found[2]  # noqa: SLF001 - there is no other way to make one
        return answer

    async def handle_async_request(_: Any, request: httpx.Request) -> httpx.Response:
        found = await waiting(str(request.url), request.headers, request.content)
        if isinstance(found, OSError):
            raise _as_httpx(found)
        return httpx.Response(found[0], headers=found[1], content=found[2])

    with (
        mock.patch.object(requests.adapters.HTTPAdapter, "send", send),
        mock.patch.object(httpx.AsyncHTTPTransport, "handle_async_request", handle_async_request),
    ):
        yield


def _caseless(headers: Mapping[str, str]) -> requests.structures.CaseInsensitiveDict[str]:
    return requests.structures.CaseInsensitiveDict(headers)


def _as_requests(problem: OSError, request: requests.PreparedRequest) -> requests.RequestException:
    match problem:
        case ConnectionRefusedError():
            reason = NewConnectionError(None, "refused")  # type: ignore[arg-type]  # no pool took part
            return requests.ConnectionError(MaxRetryError(None, request.url or "", reason))  # type: ignore[arg-type]  # likewise
        case TimeoutError():
            return requests.ReadTimeout()
    return requests.ConnectionError(problem)


def _as_httpx(problem: OSError) -> httpx.TransportError:
    match problem:
        case ConnectionRefusedError():
            return httpx.ConnectError("refused")
        case TimeoutError():
            return httpx.ReadTimeout("no answer")
    return httpx.ReadError("reset")
