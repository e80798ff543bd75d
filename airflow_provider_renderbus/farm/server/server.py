"""The HTTP server: the standard library's threading server around two functions, for POST and for GET."""

from __future__ import annotations

import logging
import re
import socket
import sys
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from threading import Thread
from typing import TYPE_CHECKING, Any, cast

from airflow_provider_renderbus.farm.server.envelope import INVALID_BODY, ApiRefusal, error_response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    PostHandler = Callable[[str, Mapping[str, str], bytes], tuple[int, Mapping[str, str], bytes]]
    GetHandler = Callable[[str, str], tuple[int, Mapping[str, str], bytes]]

MAX_BODY_BYTES = 20 * 1024 * 1024
MAX_DRAINED_BYTES = 5 * MAX_BODY_BYTES
"""Bytes of an oversized body that are still read: a client that is writing would not read the answer."""
CHUNK_SIZE = 64 * 1024
CONTENT_LENGTH_PATTERN = re.compile(r"[0-9]{1,18}")

log = logging.getLogger(__name__)


class Server(ThreadingTCPServer):
    """Serves in threads of its own until it is closed.

    :param address: an IPv4 address or a host name, and a port; 0 takes a free one.
    :param handle_post: called with path, headers and body of a POST request; returns status, headers and
        body.
    :param handle_get: called with path and query, and the header ``Host``, of a GET request; returns the
        same.
    :raises OSError: the address or the port cannot be used.
    """

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handle_post: PostHandler, handle_get: GetHandler) -> None:
        try:
            super().__init__(address, _RequestHandler)
        except OSError as error:
            raise OSError(
                f"cannot listen on {address[0]} port {address[1]}: {error.strerror}; host must be an IPv4 "
                "address or a name of this machine, and the port must be free: port 0 takes a free one"
            ) from error
        self.handle_post, self.handle_get = handle_post, handle_get
        self._connections: set[socket.socket] = set()
        self._thread = Thread(target=self.serve_forever, args=(0.05,), name="farm-http")
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return cast("int", self.socket.getsockname()[1])

    def close(self) -> None:
        """Stop accepting requests, close the open connections and wait for their threads."""
        self.shutdown()
        self._thread.join()
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                log.debug("The client closed the connection first")
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Register the connection, so that :meth:`close` closes it."""
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Unregister the connection."""
        super().shutdown_request(request)
        self._connections.discard(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log an error, unless the client has only closed the connection."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _RequestHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = CHUNK_SIZE
    timeout = 75  # seconds that a connection may idle

    def do_POST(self) -> None:
        lengths = self.headers.get_all("Content-Length", [])
        length = lengths[0] if len(lengths) == 1 and "Transfer-Encoding" not in self.headers else ""
        if not CONTENT_LENGTH_PATTERN.fullmatch(length):
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "must have one Content-Length and no Transfer-Encoding")
        elif int(length) > MAX_BODY_BYTES:
            self._drain(min(int(length), MAX_DRAINED_BYTES))
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"must have at most {MAX_BODY_BYTES} bytes")
        else:
            body = self.rfile.read(int(length))
            handle = cast("Server", self.server).handle_post
            self._respond(*handle(self.path, dict(self.headers.items()), body))

    def do_GET(self) -> None:
        self._respond(*cast("Server", self.server).handle_get(self.path, self.headers.get("Host", "")))

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        self.close_connection = True
        chinese = self.headers.get("languageFlag") == "0"
        body = error_response(ApiRefusal(INVALID_BODY, detail=detail), time.time(), chinese=chinese)
        self._respond(status, {"Content-Type": "application/json", "Connection": "close"}, body)

    def _drain(self, length: int) -> None:
        while length > 0 and (chunk := self.rfile.read(min(length, CHUNK_SIZE))):
            length -= len(chunk)

    def _respond(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, message: str, *args: Any) -> None:
        log.debug(message, *args)
