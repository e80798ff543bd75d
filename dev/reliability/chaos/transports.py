"""Replaces sockets, those of workers and those of triggerers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from unittest import mock

import httpx

from airflow_provider_renderbus.clients.client import Client
from airflow_provider_renderbus.clients.http import transport_failure
from airflow_provider_renderbus.clients.request_flow import Request, Response
from dev.reliability.chaos.network import Answer, PendingAnswer, unwrap

SendBlocking = Callable[[str, Mapping[str, str], bytes], Answer]
SendAsync = Callable[[str, Mapping[str, str], bytes], PendingAnswer]


@contextlib.contextmanager
def replace_sockets(send_blocking: SendBlocking, send_async: SendAsync) -> Iterator[None]:
    """Send the requests of workers and of triggerers, by URL, headers and body, through these functions."""

    def post(client: Client, request: Request, *_: Any, **__: Any) -> Response:
        try:
            status, headers, content = send_blocking(request.url, request.headers, request.body)
        except OSError as error:
            raise transport_failure(request.call, client._settings, _to_httpx_error(error)) from error  # noqa: SLF001 - as its own method
        return Response(status, content, httpx.Headers(headers).get("Retry-After"))

    async def handle_async_request(_: Any, request: httpx.Request) -> httpx.Response:
        try:
            result = await send_async(str(request.url), request.headers, request.content)
            status, headers, content = unwrap(result)
        except OSError as error:
            raise _to_httpx_error(error) from error
        return httpx.Response(status, headers=headers, stream=httpx.ByteStream(content))

    with (
        mock.patch.object(Client, "_post", post),
        mock.patch.object(httpx.AsyncHTTPTransport, "handle_async_request", handle_async_request),
    ):
        yield


def _to_httpx_error(error: OSError) -> httpx.TransportError:
    if isinstance(error, ConnectionRefusedError):
        return httpx.ConnectError("refused")
    return httpx.ReadTimeout("no response") if isinstance(error, TimeoutError) else httpx.ReadError("reset")
