"""A server with scripted responses, for failures of the farm on demand; it records its requests."""

from __future__ import annotations

import json
import socket
import struct
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class ReceivedRequest:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    connection: int


@dataclass
class ScriptedResponse:
    """One response; with `status` None the connection is reset, with -1 nothing is sent."""

    status: int | None = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def envelope(code: int = 200, data: Any = None, **more: Any) -> ScriptedResponse:
    return ScriptedResponse(body=json.dumps({"code": code, "data": data, "message": "", **more}).encode())


RESET = ScriptedResponse(status=None)
RESET_UNREAD = ScriptedResponse(status=None, body=b"the request's body is not read")
SILENCE = ScriptedResponse(status=-1)
HALF = ScriptedResponse(body=b'{"code": 200, "data": {"userId"')


class ScriptedServer:
    """Sends the next response of `script` for each request, repeats the last one, or calls `respond`."""

    def __init__(self) -> None:
        self.script: list[ScriptedResponse] = [envelope()]
        self.respond: Callable[[ReceivedRequest], ScriptedResponse] | None = None
        self.requests: list[ReceivedRequest] = []
        self._closing = threading.Event()
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                unread = server.script[0] is RESET_UNREAD
                body = {} if unread else json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                response = server._next_response(
                    ReceivedRequest(self.path, dict(self.headers), body, self.client_address[1])
                )
                if response.status == SILENCE.status:
                    server._closing.wait()
                    self.close_connection = True
                    return
                if response.status is None:
                    # A linger time of 0 makes closing the socket a reset.
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.close_connection = True
                    return
                self.send_response(response.status)
                for name, value in response.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(response.body)))
                self.end_headers()
                self.wfile.write(response.body)

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                pass

        self._http = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._http.server_port}"

    def close(self) -> None:
        self._closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _next_response(self, request: ReceivedRequest) -> ScriptedResponse:
        with self._lock:
            self.requests.append(request)
            if not self.respond:
                return self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return self.respond(request)
