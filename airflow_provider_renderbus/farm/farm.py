"""The farm as a whole: its rooms put together, one function that answers, and a server around it."""

from __future__ import annotations

import json
import logging
import re
import sysconfig
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_renderbus.farm import control
from airflow_provider_renderbus.farm.auth import Authenticator
from airflow_provider_renderbus.farm.calls import ROUTES, CallContext, Request
from airflow_provider_renderbus.farm.pages.router import Router
from airflow_provider_renderbus.farm.pictures.frame_renderer import FrameRenderer
from airflow_provider_renderbus.farm.server.envelope import (
    ILLEGAL_PARAMETER,
    INTERNAL_ERROR,
    INVALID_BODY,
    ApiRefusal,
    error_response,
    success_response,
)
from airflow_provider_renderbus.farm.server.server import Server
from airflow_provider_renderbus.farm.simulation.account import (
    CONFIG_BID,
    INPUT_BID,
    OUTPUT_BID,
    USER_ID,
    open_account,
)
from airflow_provider_renderbus.farm.simulation.clock import (
    STEPS_PER_LOCK,
    ClockThread,
    ManualClock,
    ScaledClock,
)
from airflow_provider_renderbus.farm.simulation.config_values import money_amount as read_amount
from airflow_provider_renderbus.farm.simulation.config_values import parse_object
from airflow_provider_renderbus.farm.simulation.database import Database
from airflow_provider_renderbus.farm.simulation.faults import Faults, read_fault
from airflow_provider_renderbus.farm.simulation.scenario import open_scenario, read_scenario
from airflow_provider_renderbus.farm.simulation.simulation import Simulation
from airflow_provider_renderbus.farm.storage.registry import registered
from airflow_provider_renderbus.farm.storage.storage import Storage, write_private

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_renderbus.farm.calls import Call
    from airflow_provider_renderbus.farm.simulation.faults import Fault

    Answer = tuple[int, dict[str, str], bytes]

CONNECTION_ID = "renderbus_default"
TRANSFER_COMMAND = "renderbus-farm-transmitter"
PLATFORM = "2"
PLATFORM_PATTERN = re.compile("[0-9]{1,9}")
MAX_PORT = 65_535
MAX_ADVANCE = 1e9
"""Farm seconds by which a clock is moved at once: some thirty years."""
JSON_TYPE = {"Content-Type": "application/json;charset=UTF-8"}

log = logging.getLogger(__name__)


class Farm:
    """A render farm on this machine.

    It serves HTTP while its ``with`` block lasts. Without one it is a transport without sockets: call
    :meth:`handle`, and :meth:`close` at the end.

    :param storage: its folder, made with mode 0700 where it is missing. Account and key, the connection,
        the books and the finished frames lie there. One farm at a time uses it.
    :param clock: a clock to drive by hand with :meth:`advance`; without one, time runs by itself.
    :param speed: farm seconds that pass in a second; without meaning to a clock driven by hand.
    :param host: the address to listen on.
    :param port: the port to listen on; 0 takes a free one.
    :param scenario: how it is to behave, as docs/farm.md tells; a mapping, or the path of a JSON file.
    :param restart: kills this process and starts another one that listens on the port given; without it the
        fault ``restart`` is refused.
    :raises ValueError: the speed, the port, the storage folder, what lies in it or the scenario cannot be
        used, or another farm uses the folder.
    :raises OSError: the storage folder cannot be made, the scenario not be read, or on entering the block,
        the port is taken.
    """

    def __init__(
        self,
        storage: Path,
        clock: ManualClock | None = None,
        speed: float = 60.0,
        host: str = "127.0.0.1",
        port: int = 0,
        scenario: Mapping[str, Any] | Path | None = None,
        restart: Callable[[int], None] | None = None,
    ) -> None:
        if not 0 <= port <= MAX_PORT:
            raise ValueError(f"port is {port}; expected 0 to {MAX_PORT}")
        self._manual_clock = clock
        self._clock = clock or ScaledClock(speed)
        self._speed = speed
        self._host, self._port = host, port
        read = open_scenario(scenario) if isinstance(scenario, Path) else read_scenario(scenario or {})
        self.request_counts: Counter[str] = Counter()
        """How many requests have come in for each call, by its name."""
        self._restart = restart
        for fault in read.faults:
            self._check_fault(fault)
        self._closing = Event()
        self._clock_thread: ClockThread | None = None
        self._exit_stack = ExitStack()
        with ExitStack() as ends:
            customer = [f"{bid}-{USER_ID}" for bid in (INPUT_BID, OUTPUT_BID, CONFIG_BID)]
            self._storage = Storage(storage, *customer)
            self._database = Database(self._storage.database_file, self._storage.lock_file)
            ends.callback(self._database.close)
            self._storage.clear_scratch()
            self._account = open_account(self._storage.account_file)
            self._frame_renderer = FrameRenderer(
                self._storage.scratch, synchronous=clock is not None, placeholder=not read.pictures
            )
            ends.callback(self._frame_renderer.close)
            self._simulation = Simulation(
                self._database, self._storage, self._frame_renderer, read, self._clock.to_epoch_ms
            )
            ends.callback(self._write)
            self._clock.restore(self._simulation.now)
            self._authenticator = Authenticator(self._account, self._database)
            self._faults = Faults(read.faults)
            self._context = CallContext(
                self._simulation, self._storage, self._clock, self._database, read, self._account, host
            )
            self._exit_stack = ends.pop_all()

    def __enter__(self) -> Self:
        self.connections_file.unlink(missing_ok=True)
        with self._exit_stack.pop_all() as ends:
            server = Server(
                (self._host, self._port), self.handle, Router(self._simulation, self._host).respond
            )
            ends.callback(server.close)
            self._port = server.port
            self._context = replace(self._context, port=self._port)
            ends.enter_context(registered(self._host, self._port, self._storage.root))
            if self._manual_clock is None:
                self._clock_thread = ClockThread(self._simulation, self._clock, self._speed)
                ends.callback(self._clock_thread.stop)
            ends.callback(self._closing.set)
            write_private(self.connections_file, json.dumps({CONNECTION_ID: self.connection()}))
            self._exit_stack = ends.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the farm. Its storage can be used by another one then, which goes on where this one was."""
        self._exit_stack.close()

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
                "transfer_command": str(Path(sysconfig.get_path("scripts"), TRANSFER_COMMAND)),
            },
        }

    def advance(self, seconds: float) -> None:
        """Let farm seconds pass on the clock driven by hand, and make every move that is due.

        :raises ValueError: the farm has a running clock, or the seconds are negative or above 1e9.
        """
        if self._manual_clock is None or not 0 <= seconds <= MAX_ADVANCE:
            raise ValueError(
                f"{seconds} seconds; expected 0 to {MAX_ADVANCE:g}, and a farm made with a ManualClock"
            )
        with self._simulation.lock:
            self._manual_clock.advance(seconds)
            self._simulation.advance_to(self._manual_clock.now())
            self._simulation.write()

    def inject(self, fault: str, **how: Any) -> None:
        """Make something go wrong from now on.

        :param fault: its kind, one of those in docs/farm.md.
        :param how: its keys, as in a scenario.
        :raises ValueError: there is no such kind or key, or a value is wrong.
        """
        with self._simulation.lock:
            self._faults.add(self._check_fault(read_fault("fault", {"fault": fault, **how})))

    def clear_faults(self) -> None:
        """Put an end to all faults."""
        with self._simulation.lock:
            self._faults.clear()

    def top_up(self, amount: str) -> None:
        """Pay money into the account, from which what is owed is paid first.

        :param amount: RMB as text, such as "50.00".
        :raises ValueError: it is not an amount.
        """
        read = parse_object("top_up", {"amount": amount}, {"amount": read_amount})["amount"]
        with self._simulation.lock:
            self._simulation.top_up(read)
            self._simulation.write()

    def handle(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer a request.

        :param path: the path of the URL.
        :param headers: the request's headers, in any case. Without ``Host`` the farm's own address counts.
        :param body: the body as sent.
        :return: HTTP status, headers and body. Calls that are refused have status 200 too: the envelope
            tells the code. Only a path that is not served has 404, and no envelope.
        :raises Dropped: the connection is to be closed without an answer; a ConnectionResetError.
        """
        head = {name.lower(): value for name, value in headers.items()}
        if path == control.PATH:
            return self._answer(self._control, path, head, body, self._clock.unix_time())
        call = ROUTES.get(path)
        if call is None:
            return 404, {"Content-Type": "text/plain"}, b"not found\n"
        with self._simulation.lock:
            self.request_counts[call.__name__] += 1
            struck = self._faults.match(call.__name__)
        return (
            self._answer_with_faults(struck, call, path, head, body)
            if struck
            else self._answer(call, path, head, body, self._clock.unix_time())
        )

    def _answer_with_faults(
        self, struck: list[Fault], call: Call, path: str, head: Mapping[str, str], body: bytes
    ) -> Answer:
        wall = self._clock.unix_time() + sum(fault.seconds for fault in struck if fault.fault == "clock")
        delays = [fault for fault in struck if fault.fault == "delay"]
        self._closing.wait(sum(fault.seconds for fault in delays if not fault.executes_call))
        answer: Answer = 200, JSON_TYPE, success_response(None, wall)
        if all(fault.runs_call for fault in struck):
            answer = self._answer(call, path, head, body, wall)
        self._closing.wait(sum(fault.seconds for fault in delays if fault.executes_call))
        for fault in struck:
            if fault.fault == "restart" and self._restart:
                self._restart(self._port)
            answer = fault.apply(answer)
        return answer

    def _check_fault(self, fault: Fault) -> Fault:
        if fault.fault == "restart" and not self._restart:
            raise ValueError("fault is 'restart'; expected another: only the farm as a program can be killed")
        return fault

    def _answer(self, call: Call, path: str, head: Mapping[str, str], body: bytes, wall: float) -> Answer:
        try:
            return 200, JSON_TYPE, success_response(self._execute(call, path, head, body, wall), wall)
        except ApiRefusal as reason:
            why = reason
        except Exception:
            log.exception("%s has failed", path)
            why = ApiRefusal(INTERNAL_ERROR)
        return 200, JSON_TYPE, error_response(why, wall, chinese=head.get("languageflag") == "0")

    def _execute(self, call: Call, path: str, head: Mapping[str, str], body: bytes, wall: float) -> Any:
        """Return what a call answers, or raise why it is refused."""
        if self._clock_thread and self._clock_thread.failed:
            raise ApiRefusal(INTERNAL_ERROR)
        fields = _parse_body(body)
        with self._simulation.lock:
            try:
                self._authenticator.authenticate(path, head, fields, head.get("host", self.address), wall)
                self._simulation.advance_to(self._clock.now(), STEPS_PER_LOCK)
                return call(self._context, _request(fields, head["platform"]))
            finally:
                self._simulation.write()

    def _control(self, _: CallContext, request: Request) -> dict[str, Any]:
        control.run_commands(self, request.body)
        return {"request_counts": dict(self.request_counts), "now": self._simulation.now}

    def _write(self) -> None:
        with self._simulation.lock:
            self._simulation.write()


def _request(fields: Mapping[str, Any], platform: str) -> Request:
    if not PLATFORM_PATTERN.fullmatch(platform):
        raise ApiRefusal(ILLEGAL_PARAMETER, field="platform", expected="a number")
    return Request(fields, int(platform))


def _parse_body(body: bytes) -> dict[str, Any]:
    """Return the fields of a body, which may be empty.

    :raises Refused: with code 400, it is not a JSON object.
    """
    try:
        fields = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise ApiRefusal(INVALID_BODY, detail=type(error).__name__) from None
    if not isinstance(fields, dict):
        raise ApiRefusal(INVALID_BODY, detail="expected a JSON object")
    return fields
