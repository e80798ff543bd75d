"""A proxy between an HTTP client and a server, with a rule that decides what happens to each request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self, TypeAlias, cast

_HOST = "127.0.0.1"
_TIMEOUT = 120
# Not forwarded, because it says how a body is sent and not what it is; rules read plain bodies.
_HOP_BY_HOP = {"accept-encoding", "connection", "content-length", "keep-alive", "transfer-encoding"}


@dataclass(frozen=True)
class Request:
    """A request on its way to the server."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Response:
    """A response on its way to the client."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


REFUSED = Response(400, (("Content-Type", "text/plain"),), b"refused by the proxy\n")
"""The response for a client that was killed before its request was forwarded, if a part of it still lives."""

Forward: TypeAlias = Callable[[], Response]
Rule: TypeAlias = Callable[[Request, Forward], Response | Iterable[bytes]]
"""Decides what happens to a request: forwards it, or not, and returns the response for the client.

Pieces of bytes are written as they are, whether they are HTTP or not, and the connection is closed.
"""


class HttpProxies:
    """Proxies that serve until their ``with`` block is left."""

    def __init__(self) -> None:
        self._servers: list[_Proxy] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Each takes up to half a second to stop.
        with ThreadPoolExecutor(max(1, len(self._servers))) as pool:
            list(pool.map(_Proxy.close, self._servers))

    def open(self, target: str, rule: Rule) -> int:
        """Open a proxy to a server, given as host and port, and return the proxy's port."""
        proxy = _Proxy(target, rule)
        self._servers.append(proxy)
        return proxy.server_port


class _Proxy(ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self, target: str, rule: Rule) -> None:
        super().__init__((_HOST, 0), _Handler)
        self.target, self.rule = target, rule
        self._thread = Thread(target=self.serve_forever, name=f"proxy to {target}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that have closed the connection: they were killed, which is the purpose."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = _TIMEOUT

    def _handle(self) -> None:
        proxy = cast("_Proxy", self.server)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = Request(self.command, self.path, dict(self.headers.items()), body)
        response = proxy.rule(request, lambda: _forward(proxy.target, request))
        if not isinstance(response, Response):
            self.close_connection = True
            for piece in response:
                self.wfile.write(piece)
            return
        self.send_response_only(response.status)
        for name, value in (*response.headers, ("Content-Length", str(len(response.body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _handle  # noqa: N815 - the library's names

    def log_message(self, *_: Any) -> None:
        """Log no request."""


def _forward(target: str, request: Request) -> Response:
    """Forward a request as it came, its header Host too, because the farm's signature covers that."""
    server = HTTPConnection(target, timeout=_TIMEOUT)
    try:
        server.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
        for name, value in request.headers.items():
            if name.lower() not in _HOP_BY_HOP:
                server.putheader(name, value)
        server.putheader("Content-Length", str(len(request.body)))
        server.endheaders(request.body)
        response = server.getresponse()
        body = response.read()
    finally:
        server.close()
    headers = ((name, value) for name, value in response.getheaders() if name.lower() not in _HOP_BY_HOP)
    return Response(response.status, tuple(headers), body)
