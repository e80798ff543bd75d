"""A statsd server that records what it receives."""

from __future__ import annotations

import socket
import threading
from collections import defaultdict
from typing import Self


class StatsdServer:
    """Receives metrics on a free port of 127.0.0.1.

    :ivar ports: the ports that have sent a metric, by its name: each process has its own.
    :ivar lines: every metric as it was sent.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self.ports: defaultdict[str, set[int]] = defaultdict(set)
        self.lines: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # An empty datagram ends the thread.
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def settings(self, prefix: str) -> dict[str, str]:
        """Return Airflow's settings to send its metrics here."""
        return {
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(self._socket.getsockname()[1]),
            "AIRFLOW__METRICS__STATSD_PREFIX": prefix,
        }

    def _receive(self) -> None:
        while True:
            datagram, (_, port) = self._socket.recvfrom(65_535)
            if not datagram:
                return
            for line in datagram.decode().splitlines():
                self.lines.append(line)
                self.ports[line.partition(":")[0]].add(port)
