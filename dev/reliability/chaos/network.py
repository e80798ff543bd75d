"""A farm behind a network that loses and delays requests, and a farm that fails and is restarted."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

from airflow_provider_renderbus.farm import Farm, ManualClock
from airflow_provider_renderbus.farm.calls import ROUTES
from dev.harness.embedded_farm import StockedFarm
from dev.reliability.chaos.virtual_time import START

if TYPE_CHECKING:
    from dev.reliability.chaos.simulation import Triggerer
    from dev.reliability.chaos.worker import Worker

HOST = "farm.test"
Answer: TypeAlias = tuple[int, dict[str, str], bytes]
PendingAnswer: TypeAlias = "asyncio.Future[Answer | OSError]"
Sender: TypeAlias = "Worker | Triggerer"
# Seconds until a client stops waiting for a response, as by default.
_READ_TIMEOUT = 60.0
_FAULT_PROBABILITY = 0.08
# What could start to cost money long after its sender has stopped waiting.
_CHARGEABLE = {"submit_task", "recommit_frames"}
# By these a render is stopped, for which there are 20 s: nobody could do it if they hang for longer.
_STOPPING = {"query_task_info", "stop_task"}


@dataclass(frozen=True)
class NetworkFault:
    """Something that goes wrong with a request.

    :param kind: a fault of the farm, or one of the network: refused, hang, slow, late.
    :param executed: whether the request is executed all the same.
    """

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)
    executed: bool = True


_LOST: tuple[tuple[str, dict[str, Any]], ...] = (
    ("drop", {}),
    ("status", {"status": 500}),
    ("status", {"status": 503}),
    ("code", {"code": 500}),
    ("code", {"code": 1000}),
)
_UNANSWERED = [
    *(
        NetworkFault(kind, {**options, "executes_call": executed}, executed)
        for kind, options in _LOST
        for executed in (False, True)
    ),
    NetworkFault("refused", executed=False),
]
_QUICK = [
    *_UNANSWERED,
    NetworkFault("html", {"executes_call": False}, executed=False),
    NetworkFault("html", {"executes_call": True}),
    NetworkFault("cut"),
    NetworkFault("missing"),
    NetworkFault("types"),
    NetworkFault("clock", {"seconds": 900}, executed=False),
]
_SLOW = [NetworkFault("slow"), NetworkFault("slow"), NetworkFault("hang")]


class Network:
    """The network in front of a farm."""

    def __init__(self, storage: Path, scenario: Mapping[str, Any], rng: Random) -> None:
        self._storage, self._scenario, self._rng = storage, scenario, rng
        self.before_request: Callable[[str, Mapping[str, Any]], None] = lambda *_: None
        """Called with the call and the body of each request that is about to be executed."""
        self._clock = ManualClock(START, unix_time=time.time)
        self._started_at = time.time()
        self._farm: Farm | None = self._open()
        self.connection = {**self._farm.connection(), "host": HOST, "port": None}

    @property
    def is_up(self) -> bool:
        """Whether the farm runs."""
        return self._farm is not None

    def close(self) -> None:
        """Stop the farm."""
        if self._farm:
            self._farm.close()
        self._farm = None

    async def restart(self, seconds: float) -> None:
        """Stop the farm and start it again on its database."""
        self.close()
        await asyncio.sleep(seconds)
        self._farm = self._open()

    def top_up(self, amount: str) -> None:
        """Pay money into the account."""
        if self._farm:
            self._farm.top_up(amount)

    def post(
        self, sender: Sender, url: str, headers: Mapping[str, str], body: bytes, *, lingers: bool = False
    ) -> PendingAnswer:
        """Send a request, which arrives and is executed whatever happens to its sender.

        :param lingers: whether it may be on its way for long.
        :return: the answer, or the error, as soon as the sender could have it.
        """
        loop = asyncio.get_running_loop()
        path = urlsplit(url).path
        call = _call_name(path)
        is_late = lingers and sender.stores_id and call in _CHARGEABLE
        fault = NetworkFault("late") if is_late else self._random_fault(sender, call)
        answer: PendingAnswer = loop.create_future()
        there, back = (self._rng.uniform(0.02, 0.4) for _ in range(2))
        sender.log(f"{call} {body.decode()[:80]}{f' : {fault}' if fault else ''}")
        kind = fault.kind if fault else None
        if kind == "slow":
            there += self._rng.uniform(1, 3 if call in _STOPPING else 20)
            if call in _CHARGEABLE:
                sender.set_at_risk_until(time.time() + there)
        if kind == "late":
            after = self._rng.uniform(1, 25)
            sender.set_at_risk_until(time.time() + after)
            loop.call_later(after, self._try_execute, path, headers, body)
            loop.call_later(there, _set, answer, ConnectionResetError())
            return answer
        if kind == "hang":
            back = _READ_TIMEOUT

        def arrive() -> None:
            result = self._try_execute(path, headers, body, fault)
            loop.call_later(back, _set, answer, TimeoutError() if kind == "hang" else result)

        loop.call_later(there, arrive)
        return answer

    def _try_execute(
        self, path: str, headers: Mapping[str, str], body: bytes, fault: NetworkFault | None = None
    ) -> Answer | OSError:
        try:
            return self.execute(path, headers, body, fault)
        except OSError as error:
            return error

    def execute(
        self, path: str, headers: Mapping[str, str], body: bytes, fault: NetworkFault | None = None
    ) -> Answer:
        """Execute a request at once."""
        if self._farm is None or (fault and fault.kind == "refused"):
            raise ConnectionRefusedError
        self._farm.advance(max(0.0, time.time() - self._started_at - self._clock.now()))
        if fault and fault.kind not in {"slow", "hang"}:
            self._farm.inject(fault.kind, times=1, **fault.options)
        if fault is None or fault.executed:
            self.before_request(_call_name(path), json.loads(body or b"{}"))
        return self._farm.handle(path, {"Host": HOST, **headers}, body)

    def stop_manually(self, task_id: int) -> bool:
        """Stop a render in the farm's web console, and return whether that is possible."""
        if self._farm is None:
            return False
        self._farm.advance(max(0.0, time.time() - self._started_at - self._clock.now()))
        self._farm.stop(task_id)
        return True

    def _random_fault(self, sender: Sender, call: str) -> NetworkFault | None:
        """Decide what happens to a request. No sender has more faults in a row than it can tolerate."""
        maximum = 1 if sender.is_hurried else 3
        happens = self._rng.random() < _FAULT_PROBABILITY and sender.faults_in_row < maximum
        if not happens or (sender.is_last_try and call in {"create_task", *_CHARGEABLE}):
            sender.faults_in_row = 0
            return None
        sender.faults_in_row += 1
        if sender.is_last_try:
            # An invalid response costs a try, and there is no further one.
            return self._rng.choice(_UNANSWERED)
        if sender.is_hurried:
            return self._rng.choice(_QUICK)
        if call in _CHARGEABLE and sender.stores_id and self._rng.random() < 0.5:
            return NetworkFault("late")
        fault = self._rng.choice(_QUICK + _SLOW)
        return NetworkFault("slow") if fault.kind == "hang" and call in _STOPPING else fault

    def _open(self) -> Farm:
        return StockedFarm(self._storage, self._clock, scenario=self._scenario)


def _call_name(path: str) -> str:
    return ROUTES[path].__name__ if path in ROUTES else path


def _set(answer: PendingAnswer, result: Answer | OSError) -> None:
    if not answer.done():
        answer.set_result(result)


def unwrap(result: Answer | OSError) -> Answer:
    """Return an answer, or raise the error in its place."""
    if isinstance(result, OSError):
        raise result
    return result
