"""The farm as a whole: its rooms put together, one function that answers, and a server around it."""

from __future__ import annotations

import json
import math
from contextlib import ExitStack
from threading import Thread
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_renderbus.farm.account import OUTPUT_BID, USER_ID, open_account
from airflow_provider_renderbus.farm.calls import ROUTES, Desk, Request
from airflow_provider_renderbus.farm.clock import HandClock, RunningClock
from airflow_provider_renderbus.farm.envelope import BAD_BODY, ILLEGAL, Refused, accepted, refused
from airflow_provider_renderbus.farm.gate import Gate
from airflow_provider_renderbus.farm.life import Life
from airflow_provider_renderbus.farm.server import Server
from airflow_provider_renderbus.farm.storage import Storage, write_private
from airflow_provider_renderbus.farm.studio import Studio

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CONNECTION_ID = "renderbus_default"
PLATFORM = "2"
LAST_PORT = 65_535
JSON_TYPE = {"Content-Type": "application/json;charset=UTF-8"}


class Farm:
    """A render farm on this machine, which serves HTTP while its ``with`` block lasts.

    :param storage: its folder, made with mode 0700 where it is missing. Account and key, the connection and
        the finished frames lie there.
    :param clock: a clock to drive by hand with :meth:`advance`; without one, time runs by itself.
    :param speed: farm seconds that pass in a second; without meaning to a clock driven by hand.
    :param host: the address to listen on.
    :param port: the port to listen on; 0 takes a free one.
    :raises ValueError: the speed, the port, the storage folder or the account in it cannot be used.
    :raises OSError: the storage folder cannot be made, or on entering the block, the port is taken.
    """

    def __init__(
        self,
        storage: Path,
        clock: HandClock | None = None,
        speed: float = 60.0,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        if not 0 <= port <= LAST_PORT:
            raise ValueError(f"port is {port}; expected 0 to {LAST_PORT}")
        self._hand = clock
        self._clock = clock or RunningClock(speed)
        self._speed = speed
        self._host, self._port = host, port
        self._storage = Storage(storage, f"{OUTPUT_BID}-{USER_ID}")
        self._account = open_account(self._storage.account_file)
        self._studio = Studio(self._storage.scratch, at_once=clock is not None)
        self._life = Life(self._account, self._storage, self._studio)
        self._gate = Gate(self._account)
        self._desk = Desk(self._account, self._life, self._storage, self._clock)
        self._ends = ExitStack()
        self._ended = False

    def __enter__(self) -> Self:
        self.connections_file.unlink(missing_ok=True)
        with ExitStack() as ends:
            ends.callback(self._studio.close)
            server = Server((self._host, self._port), self.handle)
            ends.callback(server.close)
            self._port = server.port
            if self._hand is None:
                time = Thread(target=self._let_time_pass, name="farm-time")
                time.start()
                ends.callback(self._stop_time, time)
            write_private(self.connections_file, json.dumps({CONNECTION_ID: self.connection()}))
            self._ends = ends.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{self._host}:{self._port}"

    @property
    def output_root(self) -> Path:
        """The folder that the customer sees as "/" of its output storage."""
        return self._storage.output

    @property
    def connections_file(self) -> Path:
        """The file with :meth:`connection`, in the form of Airflow's ``LocalFilesystemBackend``."""
        return self._storage.connections_file

    def connection(self) -> dict[str, Any]:
        """Return the Airflow connection to this farm. It holds the key."""
        return {
            "conn_type": "renderbus",
            "host": self._host,
            "port": self._port,
            "login": self._account.access_id,
            "password": self._account.access_key,
            "extra": {
                "protocol": "http",
                "platform": PLATFORM,
                "console_url": f"http://{self.address}/task/{{number}}",
            },
        }

    def advance(self, seconds: float) -> None:
        """Let farm seconds pass on the clock driven by hand, and make every move that is due.

        :raises ValueError: the farm has a running clock, or the seconds are negative.
        """
        if self._hand is None or not 0 <= seconds < math.inf:
            raise ValueError(f"{seconds} seconds; expected 0 or more, and a farm made with a HandClock")
        with self._life.changed:
            self._hand.move(seconds)
            self._life.run(self._hand.now())

    def handle(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Answer a request.

        :param path: the path of the URL.
        :param headers: the request's headers, in any case. Without ``Host`` the farm's own address counts.
        :param body: the body as sent.
        :return: HTTP status, headers and body. Calls that are refused have status 200 too: the envelope
            tells the code. Only a path that is not served has 404, and no envelope.
        """
        call = ROUTES.get(path)
        if call is None:
            return 404, {"Content-Type": "text/plain"}, b"not found\n"
        head = {name.lower(): value for name, value in headers.items()}
        wall = self._clock.wall()
        try:
            fields = _read(body)
            with self._life.changed:
                self._gate.check(path, head, fields, head.get("host", self.address), wall)
                self._life.run(self._clock.now())
                data = call(self._desk, _request(fields, head["platform"]))
            return 200, JSON_TYPE, accepted(data, wall)
        except Refused as why:
            return 200, JSON_TYPE, refused(why, wall, chinese=head.get("languageflag") == "0")

    def _let_time_pass(self) -> None:
        changed = self._life.changed
        with changed:
            while not self._ended:
                due = self._life.run(self._clock.now())
                changed.wait(None if due is None else max(due - self._clock.now(), 0) / self._speed)

    def _stop_time(self, time: Thread) -> None:
        with self._life.changed:
            self._ended = True
            self._life.changed.notify_all()
        time.join()


def _request(fields: Mapping[str, Any], platform: str) -> Request:
    if not platform.isdecimal():
        raise Refused(ILLEGAL, field="platform", expected="a number")
    return Request(fields, int(platform))


def _read(body: bytes) -> dict[str, Any]:
    """Return the fields of a body, which may be empty.

    :raises Refused: with code 400, it is not a JSON object.
    """
    try:
        fields = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise Refused(BAD_BODY, detail=type(error).__name__) from None
    if not isinstance(fields, dict):
        raise Refused(BAD_BODY, detail="expected a JSON object")
    return fields
