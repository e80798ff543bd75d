"""A server that answers as it is told and keeps what arrived: the farm's bad days, on demand."""

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
class Arrival:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    connection: int


@dataclass
class Answer:
    """One answer; with `status` None the connection is reset, with -1 there is silence until the end."""

    status: int | None = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def envelope(code: int = 200, data: Any = None, **more: Any) -> Answer:
    return Answer(body=json.dumps({"code": code, "data": data, "message": "", **more}).encode())


RESET = Answer(status=None)
RESET_UNREAD = Answer(status=None, body=b"the request's body is not read")
SILENCE = Answer(status=-1)
HALF = Answer(body=b'{"code": 200, "data": {"userId"')


class ScriptedServer:
    """Gives each request the next answer of a script, the last one for ever, or what `respond` says."""

    def __init__(self) -> None:
        self.script: list[Answer] = [envelope()]
        self.respond: Callable[[Arrival], Answer] | None = None
        self.arrived: list[Arrival] = []
        self.ending = threading.Event()
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                unread = server.script[0] is RESET_UNREAD
                body = {} if unread else json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                answer = server._next(Arrival(self.path, dict(self.headers), body, self.client_address[1]))
                if answer.status == SILENCE.status:
                    server.ending.wait()
                    self.close_connection = True
                    return
                if answer.status is None:
                    # A linger time of 0 makes closing the socket a reset.
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

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
        self.ending.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _next(self, arrival: Arrival) -> Answer:
        with self._lock:
            self.arrived.append(arrival)
            if not self.respond:
                return self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return self.respond(arrival)
