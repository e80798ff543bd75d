"""A server that writes arbitrary bytes in response to a request, all at once or slowly."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class HostileServer:
    """Writes `pieces` after each request, `pause` seconds apart, and closes the connection."""

    def __init__(self) -> None:
        self.pieces: Iterable[bytes] = ()
        self.pause = 0.0
        self.requests: list[bytes] = []
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self._closing.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._respond, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _respond(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(10)
            received = b""
            while not received.endswith(b"}"):
                piece = connection.recv(65536)
                if not piece:
                    return
                received += piece
            self.requests.append(received)
            for piece in self.pieces:
                connection.sendall(piece)
                if self._closing.wait(self.pause):
                    return
