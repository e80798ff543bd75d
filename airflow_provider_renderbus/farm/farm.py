"""The farm as a whole: its parts connected, one method that answers requests, and a server around it."""

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
from airflow_provider_renderbus.farm.simulation import task_control
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
from airflow_provider_renderbus.farm.simulation.config_values import money_amount, parse_object
from airflow_provider_renderbus.farm.simulation.database import Database
from airflow_provider_renderbus.farm.simulation.faults import Faults, read_fault
from airflow_provider_renderbus.farm.simulation.scenario import open_scenario, read_scenario
from airflow_provider_renderbus.farm.simulation.simulation import Simulation
from airflow_provider_renderbus.farm.simulation.tasks import StopType
from airflow_provider_renderbus.farm.storage.storage import Storage, write_private

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_renderbus.farm.calls import Call
    from airflow_provider_renderbus.farm.simulation.faults import Fault

    Response = tuple[int, dict[str, str], bytes]

CONNECTION_ID = "renderbus_default"
TRANSFER_COMMAND = "renderbus-farm-transmitter"
PLATFORM = 2
PLATFORM_PATTERN = re.compile("[0-9]{1,9}")
MAX_PORT = 65_535
MAX_ADVANCE = 1e9
"""Farm seconds of one call of :meth:`Farm.advance`: about thirty years."""
STOPPED_BY = {
    stop_type.name.lower(): stop_type
    for stop_type in StopType
    if stop_type not in {StopType.NONE, StopType.BILLING, StopType.OVERTIME}
}
JSON_TYPE = {"Content-Type": "application/json;charset=UTF-8"}

log = logging.getLogger(__name__)


class Farm:
    """A render farm on this machine.

    It serves HTTP inside its ``with`` block. Without one it is a transport without sockets: call
    :meth:`handle`, and :meth:`close` at the end.

    :param storage: its storage folder, created with mode 0700 if missing: account and key, connection,
        database and finished frames. Only one farm at a time can use it.
    :param clock: a clock that :meth:`advance` moves; if omitted, time passes by itself.
    :param speed: farm seconds per second; ignored with a manual clock.
    :param host: the address to listen on.
    :param port: the port to listen on; 0 takes a free one.
    :param scenario: how the farm behaves, see docs/farm.md; a mapping, or the path of a JSON file.
    :param restart: called with the port by the fault ``restart``: kills this process and starts another one
        that listens on that port. If omitted, that fault is refused.
    :raises ValueError: speed, port, storage folder, its content or the scenario is invalid, or another farm
        uses the folder.
    :raises OSError: the storage folder cannot be created or the scenario not be read; on entering the block,
        the port is in use.
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
            raise ValueError(f"port: must be from 0 to {MAX_PORT}, got {port}")
        self._manual_clock = clock
        self._clock = clock or ScaledClock(speed)
        self._speed = speed
        self._host, self._port = host, port
        settings = open_scenario(scenario) if isinstance(scenario, Path) else read_scenario(scenario or {})
        self.request_counts: Counter[str] = Counter()
        """The number of requests received for each call, by its name."""
        self._restart = restart
        for fault in settings.faults:
            self._check_fault(fault)
        self._closing = Event()
        self._clock_thread: ClockThread | None = None
        self._exit_stack = ExitStack()
        with ExitStack() as stack:
            folders = [f"{bid}-{USER_ID}" for bid in (INPUT_BID, OUTPUT_BID, CONFIG_BID)]
            self._storage = Storage(storage, *folders)
            self._database = Database(self._storage.database_file, self._storage.lock_file)
            stack.callback(self._database.close)
            self._storage.clear_scratch()
            self._account = open_account(self._storage.account_file)
            self._frame_renderer = FrameRenderer(
                self._storage.scratch, synchronous=clock is not None, placeholder=not settings.pictures
            )
            stack.callback(self._frame_renderer.close)
            self._simulation = Simulation(
                self._database, self._storage, self._frame_renderer, settings, self._clock.to_epoch_ms
            )
            stack.callback(self._write)
            self._clock.restore(self._simulation.now)
            self._authenticator = Authenticator(self._account, self._database)
            self._faults = Faults(settings.faults)
            self._context = CallContext(
                self._simulation, self._storage, self._clock, self._database, settings, self._account, host
            )
            self._exit_stack = stack.pop_all()

    def __enter__(self) -> Self:
        self.connections_file.unlink(missing_ok=True)
        with self._exit_stack.pop_all() as stack:
            server = Server(
                (self._host, self._port), self.handle, Router(self._simulation, self._host).respond
            )
            stack.callback(server.close)
            self._port = server.port
            self._context = replace(self._context, port=self._port)
            if self._manual_clock is None:
                self._clock_thread = ClockThread(self._simulation, self._clock, self._speed)
                stack.callback(self._clock_thread.stop)
            stack.callback(self._closing.set)
            write_private(self.connections_file, json.dumps({CONNECTION_ID: self.connection()}))
            self._exit_stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the farm. Another one can use its storage then, and continues from the same state."""
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
        """Return the Airflow connection to this farm, with its key."""
        return {
            "conn_type": "renderbus",
            "schema": "http",
            "host": self._host,
            "port": self._port,
            "login": self._account.access_id,
            "password": self._account.access_key,
            "extra": {
                "platform": PLATFORM,
                "console_url": f"http://{self.address}/task/{{render_task_id}}",
                "transfer_command": str(Path(sysconfig.get_path("scripts"), TRANSFER_COMMAND)),
            },
        }

    def advance(self, seconds: float) -> None:
        """Advance the manual clock, and let everything happen that is due by then.

        :param seconds: farm seconds.
        :raises ValueError: the farm has no manual clock, or the seconds are negative or above 1e9.
        """
        self.prepare_advance(seconds)()

    def prepare_advance(self, seconds: float) -> Callable[[], None]:
        """Check the argument of :meth:`advance`, and return what advances the clock."""
        clock = self._manual_clock
        if clock is None:
            raise ValueError("advance: the farm must have a ManualClock")
        if not 0 <= seconds <= MAX_ADVANCE:
            raise ValueError(f"seconds: must be from 0 to {MAX_ADVANCE:g}, got {seconds}")

        def advance() -> None:
            with self._simulation.lock:
                clock.advance(seconds)
                self._simulation.advance_to(clock.now())
                self._simulation.write()

        return advance

    def inject(self, fault: str, **options: Any) -> None:
        """Activate a fault.

        :param fault: its kind, see docs/farm.md.
        :param options: its keys, as in a scenario.
        :raises ValueError: the kind or a key is unknown, or a value is invalid.
        """
        self.prepare_inject(fault, **options)()

    def prepare_inject(self, fault: str, **options: Any) -> Callable[[], None]:
        """Check the arguments of :meth:`inject`, and return what activates the fault."""
        checked = self._check_fault(read_fault("fault", {"fault": fault, **options}))

        def inject() -> None:
            with self._simulation.lock:
                self._faults.add(checked)

        return inject

    def clear_faults(self) -> None:
        """Deactivate all faults."""
        with self._simulation.lock:
            self._faults.clear()

    def top_up(self, amount: str) -> None:
        """Pay money into the account. Unpaid frames are paid first.

        :param amount: RMB as a string, such as "50.00".
        :raises ValueError: it is not an amount.
        """
        self.prepare_top_up(amount)()

    def prepare_top_up(self, amount: str) -> Callable[[], None]:
        """Check the argument of :meth:`top_up`, and return what pays the money."""
        paid = parse_object("top_up", {"amount": amount}, {"amount": money_amount})["amount"]

        def top_up() -> None:
            with self._simulation.lock:
                self._simulation.top_up(paid)
                self._simulation.write()

        return top_up

    def stop(self, task_id: int, by: str = "user") -> None:
        """Stop a task as someone else than the caller of the API.

        :param task_id: id of the task.
        :param by: who stops it, a name of ``StopType`` in lower case except billing and overtime.
        :raises ValueError: there is no such task, or ``by`` is none of these names.
        """
        self.prepare_stop(task_id, by)()

    def prepare_stop(self, task_id: int, by: str = "user") -> Callable[[], None]:
        """Check the arguments of :meth:`stop`, and return what stops the task."""
        if by not in list(STOPPED_BY):
            raise ValueError(f"by: must be one of {', '.join(STOPPED_BY)}, got {by!r}")
        with self._simulation.lock:
            task = self._simulation.tasks.get(task_id) if type(task_id) is int else None
        if task is None:
            raise ValueError(f"task_id: must be the id of a task, got {task_id!r}")

        def stop() -> None:
            with self._simulation.lock:
                task_control.stop(self._simulation, task, stop_type=STOPPED_BY[by])
                self._simulation.write()

        return stop

    def handle(self, path: str, headers: Mapping[str, str], body: bytes) -> Response:
        """Answer a request.

        :param path: the path of the URL.
        :param headers: the request's headers, names in any case. ``Host`` defaults to the farm's address.
        :param body: the body as sent.
        :return: HTTP status, headers and body. Refused calls have status 200 too, with their code in the
            envelope. Only an unknown path has status 404, without an envelope.
        :raises ConnectionDropped: a ConnectionResetError: the fault ``drop`` closes the connection without an
            answer.
        """
        headers = {name.lower(): value for name, value in headers.items()}
        if path == control.PATH:
            return self._answer(self._control, path, headers, body, self._clock.unix_time())
        call = ROUTES.get(path)
        if call is None:
            return 404, {"Content-Type": "text/plain"}, b"not found\n"
        with self._simulation.lock:
            self.request_counts[call.__name__] += 1
            faults = self._faults.match(call.__name__)
        return (
            self._answer_with_faults(faults, call, path, headers, body)
            if faults
            else self._answer(call, path, headers, body, self._clock.unix_time())
        )

    def _answer_with_faults(
        self, faults: list[Fault], call: Call, path: str, headers: Mapping[str, str], body: bytes
    ) -> Response:
        unix_time = self._clock.unix_time() + sum(fault.seconds for fault in faults if fault.fault == "clock")
        delays = [fault for fault in faults if fault.fault == "delay"]
        self._closing.wait(sum(fault.seconds for fault in delays if not fault.executes_call))
        response: Response = 200, JSON_TYPE, success_response(None, unix_time)
        if all(fault.allows_call for fault in faults):
            response = self._answer(call, path, headers, body, unix_time)
        self._closing.wait(sum(fault.seconds for fault in delays if fault.executes_call))
        for fault in faults:
            if fault.fault == "restart" and self._restart:
                self._restart(self._port)
            response = fault.apply(response)
        return response

    def _check_fault(self, fault: Fault) -> Fault:
        if fault.fault == "restart" and not self._restart:
            raise ValueError("fault: must not be 'restart': only the farm as a program can restart")
        return fault

    def _answer(
        self, call: Call, path: str, headers: Mapping[str, str], body: bytes, unix_time: float
    ) -> Response:
        try:
            data = self._execute(call, path, headers, body, unix_time)
            return 200, JSON_TYPE, success_response(data, unix_time)
        except ApiRefusal as error:
            refusal = error
        except Exception:
            log.exception("%s failed: answered with code %d", path, INTERNAL_ERROR.code)
            refusal = ApiRefusal(INTERNAL_ERROR)
        return 200, JSON_TYPE, error_response(refusal, unix_time, chinese=headers.get("languageflag") == "0")

    def _execute(
        self, call: Call, path: str, headers: Mapping[str, str], body: bytes, unix_time: float
    ) -> Any:
        """Authenticate and execute a call, and return its data.

        :raises ApiRefusal: it is refused.
        """
        if self._clock_thread and self._clock_thread.failed:
            raise ApiRefusal(INTERNAL_ERROR)
        self._authenticator.check_access_id(headers)
        fields = _parse_body(body)
        self._authenticator.check_signature(path, headers, fields, headers.get("host", self.address))
        with self._simulation.lock:
            try:
                self._authenticator.accept_once(headers, unix_time)
                self._simulation.advance_to(self._clock.now(), STEPS_PER_LOCK)
                return call(self._context, _request(fields, headers["platform"]))
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
        raise ApiRefusal(ILLEGAL_PARAMETER, field="platform", expected="an integer")
    return Request(fields, int(platform))


def _parse_body(body: bytes) -> dict[str, Any]:
    """Return the fields of a body, which may be empty.

    :raises ApiRefusal: with code 400, it is not a JSON object.
    """
    try:
        fields = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise ApiRefusal(INVALID_BODY, detail=type(error).__name__) from None
    if not isinstance(fields, dict):
        raise ApiRefusal(INVALID_BODY, detail="must be a JSON object")
    return fields
