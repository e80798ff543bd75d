"""A relay between a client and a server of HTTP, in which a test decides what becomes of each request."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any, Self, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

_HOST = "127.0.0.1"
_SECONDS = 120
# What a relay does not hand on, for it says how a body is sent and not what it is; rules read plain bodies.
_OF_THE_CONNECTION = {"accept-encoding", "connection", "content-length", "keep-alive", "transfer-encoding"}


@dataclass(frozen=True)
class Request:
    """A request on its way.

    :param port: the relay's port, at which it came in.
    """

    port: int
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """An answer on its way back."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


REFUSED = Answer(400, (("Content-Type", "text/plain"),), b"refused by the relay\n")
"""What a client gets that was killed before its request went on, should a part of it still live."""

Forward: TypeAlias = Callable[[], Answer]
Rule: TypeAlias = Callable[[Request, Forward], Answer]
"""Decides what becomes of a request: it forwards it, or not, and returns what the client is answered."""


class Relays:
    """Relays that serve until their ``with`` block is left."""

    def __init__(self) -> None:
        self._servers: list[_Relay] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Each takes up to half a second to notice.
        with ThreadPoolExecutor(max(1, len(self._servers))) as pool:
            list(pool.map(_Relay.close, self._servers))

    def open(self, target: str, rule: Rule) -> int:
        """Open a relay and return its port.

        :param target: host and port of the server.
        :param rule: decides what becomes of a request.
        """
        relay = _Relay(target, rule)
        self._servers.append(relay)
        return relay.server_port


class _Relay(ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self, target: str, rule: Rule) -> None:
        super().__init__((_HOST, 0), _Handler)
        self.target, self.rule = target, rule
        self._thread = Thread(target=self.serve_forever, name=f"relay to {target}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that have hung up: they were killed, which is what relays are for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = _SECONDS

    def _hand_on(self) -> None:
        relay = cast("_Relay", self.server)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = Request(relay.server_port, self.command, self.path, dict(self.headers.items()), body)
        answer = relay.rule(request, lambda: _forwarded(relay.target, request))
        self.send_response_only(answer.status)
        for name, value in (*answer.headers, ("Content-Length", str(len(answer.body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _hand_on  # noqa: N815 - the library's names

    def log_message(self, *_: Any) -> None:
        """Say nothing of requests."""


def _forwarded(target: str, request: Request) -> Answer:
    """Send a request on as it came, its header Host too, since the farm's signature covers that."""
    server = HTTPConnection(target, timeout=_SECONDS)
    try:
        server.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
        for name, value in request.headers.items():
            if name.lower() not in _OF_THE_CONNECTION:
                server.putheader(name, value)
        server.putheader("Content-Length", str(len(request.body)))
        server.endheaders(request.body)
        response = server.getresponse()
        body = response.read()
    finally:
        server.close()
    headers = tuple(
        (name, value) for name, value in response.getheaders() if name.lower() not in _OF_THE_CONNECTION
    )
    return Answer(response.status, headers, body)
