"""A worker's process that runs an operator, and can be killed at each request and write, and in each wait."""

from __future__ import annotations

import asyncio
import contextvars
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.sdk.bases.operator import ExecutorSafeguard
from sqlalchemy.util import await_only, greenlet_spawn

from airflow_provider_renderbus.compat import TaskDeferred
from dev.reliability.chaos.network import unwrap

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_renderbus.operators.render import RenderbusRenderOperator
    from dev.reliability.chaos.airflow import AirflowTask
    from dev.reliability.chaos.network import Answer

_SECONDS_TO_SIGKILL = 5.0
MOMENTS = ("before", "under way", "after")
"""When a process can be killed at a request or a write."""

_current: contextvars.ContextVar[Worker] = contextvars.ContextVar("worker")


class Killed(BaseException):
    """The end of a process by SIGKILL. It runs nothing more."""


@dataclass(frozen=True)
class Returned:
    """The value that an operator returned."""

    value: Any


@dataclass(frozen=True)
class Died:
    """The end of a process that reports nothing; unnoticed if Airflow only misses its heartbeats."""

    reason: str
    unnoticed: bool


class Worker:
    """A process that runs a method of the operator of a task."""

    def __init__(self, task: AirflowTask, method: str, arguments: Any) -> None:
        self.task, self._method, self._arguments = task, method, arguments
        self._loop = asyncio.get_running_loop()
        self._operator: RenderbusRenderOperator | None = None
        self._signal = self._loop.create_future()
        self._killed_at = math.inf
        self._scheduled_kill: tuple[int, str] | None = None
        self.faults_in_row = 0
        """How many of its requests in a row had a fault."""
        self.is_hurried = False
        """Whether it is being killed."""

    @property
    def is_last_try(self) -> bool:
        """Whether no retry follows."""
        return self.task.try_number > self.task.max_tries

    @property
    def stores_id(self) -> bool:
        """See `AirflowTask.stores_id`."""
        return self.task.stores_id

    @property
    def is_killed(self) -> bool:
        """Whether a kill is scheduled or under way."""
        return self._scheduled_kill is not None or self.is_hurried

    def log(self, line: str) -> None:
        """Add a line to the task's history."""
        self.task.log(line)

    def set_at_risk_until(self, until: float) -> None:
        """Note that a request can take effect until a time."""
        self.task.at_risk_until = max(self.task.at_risk_until, until)

    def schedule_kill(self, steps: int, moment: str) -> None:
        """Have it killed by SIGKILL at its n-th request or write from now on."""
        self._scheduled_kill = steps, moment

    def prepare_sigterm(self) -> None:
        """Note that it will get SIGTERM: if it died otherwise, nobody could stop its render."""
        self.is_hurried, self._scheduled_kill = True, None

    def terminate(self) -> None:
        """Send it SIGTERM."""
        self.prepare_sigterm()
        if not self._signal.done():
            self._signal.set_result(None)

    async def run(self) -> Any:
        """Run the operator and return how that ended."""
        _current.set(self)
        return await greenlet_spawn(self._run)

    def _run(self) -> Any:
        self._operator = operator = self.task.operator()
        context = self.task.context(operator)
        ExecutorSafeguard.tracker.set(operator)
        try:
            if self._method == "execute":
                return Returned(operator.execute(context))
            return Returned(operator.resume_execution(self._method, self._arguments, context))
        except Killed:
            return Died("SIGKILL", unnoticed=True)
        except SystemExit as end:
            return Died(f"SIGTERM: {end}", unnoticed=False)
        except (TaskDeferred, Exception) as end:  # noqa: BLE001 - Airflow handles them all
            return end

    def request(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a request and wait for its answer.

        :raises OSError: there is none.
        """
        kill = self._step()
        if kill == "before":
            raise Killed
        answer = self.task.network.post(self, url, headers, body, lingers=kill == "under way")
        if kill == "under way":
            raise Killed
        self._wait(math.inf, answer)
        if kill == "after":
            raise Killed
        return unwrap(answer.result())

    def write(self, write: Callable[[], None]) -> None:
        """Write to the state store."""
        kill = self._step()
        if kill == "before":
            raise Killed
        write()
        if kill:
            raise Killed

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self._wait(seconds, None)

    def _step(self) -> str | None:
        """Take a step, and return at which moment of it the process is killed."""
        self._handle_signal()
        if self._scheduled_kill is None:
            return None
        steps, moment = self._scheduled_kill
        self._scheduled_kill = steps - 1, moment
        if steps > 1:
            return None
        self.log(f"SIGKILL, {moment}")
        return moment

    def _wait(self, seconds: float, answer: asyncio.Future[Any] | None) -> None:
        until = self._loop.time() + seconds
        while not (answer and answer.done()):
            self._handle_signal()
            left = min(until, self._killed_at) - self._loop.time()
            if left <= 0:
                break
            waits = [self._signal, answer] if answer else [self._signal]
            timeout = None if left == math.inf else left
            await_only(asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED))
        self._handle_signal()

    def _handle_signal(self) -> None:
        if self._loop.time() >= self._killed_at:
            self.log("SIGKILL, 5 s after SIGTERM")
            raise Killed
        if self._signal.done():
            self.log("SIGTERM")
            self._signal = self._loop.create_future()
            self._killed_at = self._loop.time() + _SECONDS_TO_SIGKILL
            if self._operator:
                self._operator.on_kill()


def current_worker() -> Worker | None:
    """Return the process that runs, or in a trigger the one that has deferred to it."""
    return _current.get(None)


def request(url: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """Send a request of the process that runs."""
    return _current.get().request(url, headers, body)


def sleep(seconds: float) -> None:
    """Have the process that runs wait."""
    _current.get().sleep(seconds)
