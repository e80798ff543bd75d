"""A worker's process that runs an operator, and can be killed at each request and write, and in each wait."""

from __future__ import annotations

import asyncio
import contextvars
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import TaskDeferred
from airflow.sdk.bases.operator import ExecutorSafeguard
from sqlalchemy.util import await_only, greenlet_spawn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_renderbus.operators.render import RenderbusRenderOperator
    from dev.reliability.chaos.airflow import Task
    from dev.reliability.chaos.network import Answer

# Seconds from SIGTERM to SIGKILL.
_GRACE = 5.0
MOMENTS = ("before", "under way", "after")
"""When a process can be killed at a request or a write."""

_current: contextvars.ContextVar[Worker] = contextvars.ContextVar("worker")


class Killed(BaseException):
    """The end of a process by SIGKILL. It runs nothing more."""


@dataclass(frozen=True)
class Returned:
    """What an operator returned."""

    value: Any


@dataclass(frozen=True)
class Died:
    """The end of a process that reports nothing.

    :param reason: how it died.
    :param unnoticed: whether Airflow only finds out by its missing heartbeats.
    """

    reason: str
    unnoticed: bool


class Worker:
    """A process.

    :param task: whose.
    :param method: the operator's method to run.
    :param arguments: of a resumption.
    """

    def __init__(self, task: Task, method: str, arguments: Any) -> None:
        self.task, self._method, self._arguments = task, method, arguments
        self._loop = asyncio.get_running_loop()
        self._operator: RenderbusRenderOperator | None = None
        self._signal = self._loop.create_future()
        self._killed_at = math.inf
        self._doom: tuple[int, str] | None = None
        self.struck = 0
        self.is_hurried = False

    @property
    def is_last_chance(self) -> bool:
        """Whether no retry follows."""
        return self.task.try_number > self.task.max_tries

    @property
    def remembers(self) -> bool:
        """Whether a later try knows of a number that is not submitted yet; a marker comes with the submit."""
        return self.task.plan.has_store

    @property
    def is_doomed(self) -> bool:
        """Whether it will be killed, or is being killed."""
        return self._doom is not None or self.is_hurried

    def tell(self, line: str) -> None:
        """Note something in the task's history."""
        self.task.tell(line)

    def expect(self, moment: float) -> None:
        """Note that a request can take effect until a moment."""
        self.task.risky_until = moment

    def doom(self, steps: int, moment: str) -> None:
        """Let it be killed by SIGKILL at its n-th request or write from now on."""
        self._doom = steps, moment

    def condemn(self) -> None:
        """Note that it will get SIGTERM: if it died otherwise, nobody could stop its render."""
        self.is_hurried, self._doom = True, None

    def terminate(self) -> None:
        """Send it SIGTERM."""
        self.condemn()
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
        except (TaskDeferred, Exception) as end:  # noqa: BLE001 - Airflow takes them all
            return end

    def request(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a request and wait for its answer."""
        doom = self._step()
        if doom == "before":
            raise Killed
        answer = self.task.network.post(self, url, headers, body, lingers=doom == "under way")
        if doom == "under way":
            raise Killed
        self._wait(math.inf, answer)
        if doom == "after":
            raise Killed
        return answer.result()

    def write(self, write: Callable[[], None]) -> None:
        """Write to the state store."""
        doom = self._step()
        if doom == "before":
            raise Killed
        write()
        if doom:
            raise Killed

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self._wait(seconds, None)

    def _step(self) -> str | None:
        """Take a step, and return at which moment of it the process is killed."""
        self._heed()
        if self._doom is None:
            return None
        left, moment = self._doom
        self._doom = left - 1, moment
        if left > 1:
            return None
        self.tell(f"SIGKILL, {moment}")
        return moment

    def _wait(self, seconds: float, answer: asyncio.Future[Any] | None) -> None:
        until = self._loop.time() + seconds
        while not (answer and answer.done()):
            self._heed()
            left = min(until, self._killed_at) - self._loop.time()
            if left <= 0:
                break
            waits = [self._signal, answer] if answer else [self._signal]
            timeout = None if left == math.inf else left
            await_only(asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED))
        self._heed()

    def _heed(self) -> None:
        """Do what a signal asks for."""
        if self._loop.time() >= self._killed_at:
            self.tell("SIGKILL, 5 s after SIGTERM")
            raise Killed
        if self._signal.done():
            self.tell("SIGTERM")
            self._signal = self._loop.create_future()
            self._killed_at = self._loop.time() + _GRACE
            if self._operator:
                self._operator.on_kill()


def current() -> Worker | None:
    """Return the process that runs, or in a trigger the one that has handed over to it."""
    return _current.get(None)


def request(url: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """Send a request of the process that runs."""
    return _current.get().request(url, headers, body)


def sleep(seconds: float) -> None:
    """Have the process that runs wait."""
    _current.get().sleep(seconds)
