"""Sends one request over HTTP and reads its response, for both clients.

All that a client must not do or believe is decided here, once:

- No redirect is followed, no cookie is kept, no password is taken from ``~/.netrc``, and of the environment
  only proxies and certificate authorities count. So the transport of httpx is used without its client.
- A response is read up to a number of bytes, after decompression, and up to a deadline for all of it.
- Whatever the HTTP library raises means one of two things: nothing of the request was sent (`NotSent`), or
  it may have been (`NoResponse`). No exception of sending or reading is taken for anything else.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import urllib.request
from typing import TYPE_CHECKING, Any

import httpx

from airflow_provider_renderbus.api.errors import InvalidResponse, NoResponse, NotSent, RenderbusError
from airflow_provider_renderbus.api.text import printable
from airflow_provider_renderbus.clients.lost_time import TimeLostError
from airflow_provider_renderbus.clients.proxies import proxy_for
from airflow_provider_renderbus.clients.request_flow import Request, Response
from airflow_provider_renderbus.clients.response_body import (
    ACCEPT_ENCODING,
    MAX_RESPONSE_BYTES,
    ContentEncodingError,
    ResponseBody,
    ResponseTooLargeError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from airflow_provider_renderbus.clients.settings import Settings

_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": ACCEPT_ENCODING,
    "User-Agent": f"airflow-provider-renderbus python-httpx/{httpx.__version__}",
}
# No connection was established, so nothing of the request can have reached the farm.
_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
# How OpenSSL reports that the other side does not speak TLS.
_NO_TLS_REASONS = {"HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE", "WRONG_VERSION_NUMBER"}
_HTTP_BAD_REQUEST = 400


class HttpTransport:
    """Sends requests over the pooled connections of one event loop.

    :raises ValueError: ``ca_bundle`` or the environment's proxy cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        timeout = httpx.Timeout(settings.read_timeout, connect=settings.connect_timeout)
        self._extensions: dict[str, Any] = {"timeout": timeout.as_dict()}
        url = httpx.URL(settings.url("/"))
        proxy = proxy_for(url, urllib.request.getproxies_environment())
        try:
            self._transport = httpx.AsyncHTTPTransport(
                verify=settings.ssl_context(), trust_env=False, proxy=proxy
            )
        except ImportError:
            raise ValueError(
                f"{url.scheme}_proxy or all_proxy: must be no SOCKS proxy, in the environment, unless "
                f"airflow-provider-renderbus[socks] is installed"
            ) from None

    async def close(self) -> None:
        """Close the pooled connections. A later request opens new ones."""
        await self._transport.aclose()

    async def post_on_new_connection(self, request: Request, seconds: float) -> Response:
        """Send a request that must not be sent twice, and return the response; see :meth:`post`.

        A pooled connection may be stale, and then it would be unknown whether the request arrived.
        """
        transport = HttpTransport(self._settings)
        try:
            return await transport.post(request, seconds)
        finally:
            await transport.close()

    async def post(self, request: Request, seconds: float) -> Response:
        """Send a request and return the response, within a time, however slowly bytes arrive.

        :raises NotSent: nothing of the request reached the farm.
        :raises NoResponse: the farm may have executed the request.
        :raises InvalidResponse: the response exceeds the limit of bytes.
        :raises TimeLostError: this process has lost time while it connected, and nothing was sent.
        """
        if seconds <= 0:
            raise NotSent(request.call, "no time is left for another request")
        try:
            async with asyncio.timeout(seconds):
                return await self._exchange(request)
        except TimeLostError as error:
            failure: RenderbusError = error.with_traceback(None)
        except Exception as error:  # noqa: BLE001 - each library below has exceptions of its own
            failure = transport_failure(request.call, self._settings, error)
        # Outside of the handler, so that the error does not hold the request with its signature.
        raise failure

    async def _exchange(self, request: Request) -> Response:
        extensions = self._extensions
        if request.check is not None:
            # A connection takes up to seconds, in which this process can be frozen.
            extensions = {**extensions, "trace": _check_before_sending(request.check)}
        response = await self._transport.handle_async_request(
            httpx.Request(
                "POST",
                request.url,
                headers={**_HEADERS, **request.headers},
                content=request.body,
                extensions=extensions,
            )
        )
        try:
            body = ResponseBody(response.headers.get("Content-Encoding", ""))
            async for chunk in response.aiter_raw():
                body.feed(chunk)
            content = body.finish()
        finally:
            await response.aclose()
        if response.status_code == _HTTP_BAD_REQUEST and _is_from_https_port(content):
            raise httpx.UnsupportedProtocol("http is spoken to an https port")
        return Response(response.status_code, content, response.headers.get("Retry-After"))


def _check_before_sending(check: Callable[[], None]) -> Callable[[str, Any], Awaitable[None]]:
    """Return a function for the HTTP library's events that checks a request when it is connected."""

    async def trace(event: str, _: Any) -> None:
        # That of a request to a proxy, which connects, comes first.
        if event.endswith("send_request_headers.started"):
            check()

    return trace


def transport_failure(call: str, settings: Settings, error: Exception) -> RenderbusError:
    """Return what an exception means that was raised while a request was sent or its response read."""
    if isinstance(error, ResponseTooLargeError):
        return InvalidResponse(call, f"it has more than {MAX_RESPONSE_BYTES // 2**20} MiB")
    causes = list(_causes(error))
    hint = _hint(causes, settings)
    kind = type(error).__name__
    detail = f"{kind}: {hint}" if hint else kind
    if isinstance(error, _NOT_SENT):
        return NotSent(call, f"no connection to {settings.domain} ({detail})")
    return NoResponse(call, f"no response from {settings.domain} ({detail})")


def _hint(causes: list[BaseException], settings: Settings) -> str:
    """Return the likely cause and its cure, or an empty string."""
    return next(filter(None, (_explain(cause, settings) for cause in causes)), "")


def _explain(cause: BaseException, settings: Settings) -> str:
    place, protocol = settings.field_name("domain"), settings.field_name("protocol")
    text = ""
    match cause:
        case ssl.SSLCertVerificationError():
            problem = printable(cause.verify_message)
            text = f"its certificate is not trusted, {problem}; check {settings.field_name('ca_bundle')}"
        case ssl.SSLError() if cause.reason in _NO_TLS_REASONS:
            text = f"https is spoken to an http port; set {protocol} to http, or check {place}"
        case httpx.UnsupportedProtocol():
            text = f"http is spoken to an https port; set {protocol} to https, or check {place}"
        case httpx.RemoteProtocolError() if settings.protocol == "http":
            text = f"the other side may speak https; then set {protocol} to https, or check {place}"
        case socket.gaierror():
            text = f"the name does not resolve; check {place}"
        case ConnectionRefusedError():
            text = f"nothing listens there; check {place}"
        case httpx.ConnectTimeout():
            text = f"not within {settings.connect_timeout:g} s; check {place}, and the proxy if there is one"
        case httpx.ProxyError():
            text = f"the proxy refused: {printable(str(cause))}"
        case ContentEncodingError():
            text = str(cause)
    return text


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those that led to it, also those in groups, each once."""
    pending, seen = [error], set()
    while pending:
        cause = pending.pop(0)
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        if isinstance(cause, BaseExceptionGroup):
            pending += cause.exceptions
        pending += [each for each in (cause.__cause__, cause.__context__) if each is not None]


def _is_from_https_port(body: bytes) -> bool:
    """Return whether the body is what nginx, Apache or Go respond if http is spoken to their https port."""
    return any(
        sign in body
        for sign in (
            b"plain HTTP request was sent to HTTPS port",
            b"speaking plain HTTP to an SSL-enabled server port",
            b"Client sent an HTTP request to an HTTPS server",
        )
    )
