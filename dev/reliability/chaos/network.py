"""A farm behind a network that loses, delays and cuts, and a farm that fails and is restarted."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias
from urllib.parse import urlsplit

from airflow_provider_renderbus.farm import Farm, ManualClock
from airflow_provider_renderbus.farm.calls import ROUTES
from dev.reliability.chaos.virtual_time import START

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from random import Random

HOST = "farm.test"
Answer: TypeAlias = "tuple[int, dict[str, str], bytes] | OSError"
# Seconds until a client gives an answer up, as by default.
_READ_TIMEOUT = 60.0
# What could start to cost money long after its sender has given up.
_LATE = {"submit_task", "recommit_frames"}
# By these a render is stopped, for which there are 20 s: nobody could do it where they hang for longer.
_OF_A_STOP = {"query_task_info", "stop_task"}


@dataclass(frozen=True)
class Trouble:
    """Something that goes wrong with a request.

    :param kind: a fault of the farm, or one of the network: refused, hang, slow, late.
    :param how: the fault's keys.
    :param carried_out: whether the request is carried out all the same.
    """

    kind: str
    how: Mapping[str, Any] = field(default_factory=dict)
    carried_out: bool = True


_LOST = [
    ("drop", {}),
    ("status", {"status": 500}),
    ("status", {"status": 503}),
    ("code", {"code": 500}),
    ("code", {"code": 1000}),
]
_UNANSWERED = [
    *(
        Trouble(kind, {**how, "executes_call": effect}, effect)
        for kind, how in _LOST
        for effect in (False, True)
    ),
    Trouble("refused", carried_out=False),
]
_QUICK = [
    *_UNANSWERED,
    Trouble("html", {"executes_call": False}, carried_out=False),
    Trouble("html", {"executes_call": True}),
    Trouble("cut"),
    Trouble("missing"),
    Trouble("types"),
    Trouble("clock", {"seconds": 900}, carried_out=False),
]
_SLOW = [Trouble("slow"), Trouble("slow"), Trouble("hang")]


class Caller(Protocol):
    """Whoever sends requests. `struck` counts the troubles in a row."""

    struck: int

    @property
    def is_hurried(self) -> bool:
        """Whether it is being killed."""

    @property
    def is_last_chance(self) -> bool:
        """Whether no retry would mend what it loses."""

    @property
    def remembers(self) -> bool:
        """Whether a later try knows of a submit that has not arrived yet."""

    def tell(self, line: str) -> None:
        """Note what becomes of a request."""

    def expect(self, moment: float) -> None:
        """Note that a request of its own can take effect until a moment."""


class Network:
    """The way to a farm.

    :param storage: the farm's folder.
    :param scenario: how the farm is to behave.
    :param chance: what decides.
    """

    def __init__(self, storage: Path, scenario: Mapping[str, Any], chance: Random) -> None:
        self._storage, self._scenario, self._chance = storage, scenario, chance
        self.arriving: Callable[[str, Mapping[str, Any]], None] = lambda *_: None
        """Told of each request that is about to be carried out, with its call and body."""
        self._clock = ManualClock(START, unix_time=time.time)
        self._began = time.time()
        self._farm: Farm | None = self._open()
        self.connection = {**self._farm.connection(), "host": HOST, "port": None}
        self.share = 0.08
        """The share of the requests that something happens to."""

    @property
    def is_up(self) -> bool:
        """Whether the farm runs."""
        return self._farm is not None

    def close(self) -> None:
        """End the farm."""
        if self._farm:
            self._farm.close()
        self._farm = None

    async def restart(self, seconds: float) -> None:
        """End the farm and start it again on its books."""
        self.close()
        await asyncio.sleep(seconds)
        self._farm = self._open()

    def top_up(self, amount: str) -> None:
        """Pay money into the account."""
        if self._farm:
            self._farm.top_up(amount)

    def post(
        self, caller: Caller, url: str, headers: Mapping[str, str], body: bytes, *, lingers: bool = False
    ) -> asyncio.Future[Answer]:
        """Send a request, which arrives and is carried out whatever becomes of its sender.

        :param lingers: whether it may be under way for long.
        :return: the answer, or what is known of it, as soon as its sender could have it.
        """
        loop = asyncio.get_running_loop()
        path = urlsplit(url).path
        call = ROUTES[path].__name__ if path in ROUTES else path
        late = lingers and caller.remembers and call in _LATE
        trouble = Trouble("late") if late else self._trouble(caller, call)
        answer: asyncio.Future[Answer] = loop.create_future()
        there, back = (self._chance.uniform(0.02, 0.4) for _ in range(2))
        caller.tell(f"{call} {body.decode()[:80]}{f' : {trouble}' if trouble else ''}")
        if trouble and trouble.kind == "slow":
            there += self._chance.uniform(1, 3 if call in _OF_A_STOP else 20)
        if trouble and trouble.kind == "late":
            after = self._chance.uniform(1, 25)
            caller.expect(time.time() + after)
            loop.call_later(after, self._carry_out, call, path, headers, body, None)
            loop.call_later(there, _give, answer, ConnectionResetError())
            return answer
        if trouble and trouble.kind == "hang":
            back = _READ_TIMEOUT
        loop.call_later(there, self._arrive, answer, back, call, path, headers, body, trouble)
        return answer

    def order(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Carry a person's request out at once."""
        path = urlsplit(url).path
        return self._carry_out(ROUTES[path].__name__, path, headers, body, None)

    def _arrive(
        self,
        answer: asyncio.Future[Answer],
        back: float,
        call: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        trouble: Trouble | None,
    ) -> None:
        found = self._carry_out(call, path, headers, body, trouble)
        if trouble and trouble.kind == "hang":
            found = TimeoutError()
        asyncio.get_running_loop().call_later(back, _give, answer, found)

    def _carry_out(
        self, call: str, path: str, headers: Mapping[str, str], body: bytes, trouble: Trouble | None
    ) -> Answer:
        if self._farm is None or (trouble and trouble.kind == "refused"):
            return ConnectionRefusedError()
        self._farm.advance(max(0.0, time.time() - self._began - self._clock.now()))
        if trouble and trouble.kind not in {"slow", "hang"}:
            self._farm.inject(trouble.kind, times=1, **trouble.how)
        if trouble is None or trouble.carried_out:
            self.arriving(call, json.loads(body or b"{}"))
        try:
            return self._farm.handle(path, {"Host": HOST, **headers}, body)
        except ConnectionResetError as reset:
            return reset

    def _trouble(self, caller: Caller, call: str) -> Trouble | None:
        """Decide what happens to a request. Nobody is struck more often in a row than he can bear."""
        most = 1 if caller.is_hurried else 3
        happens = self._chance.random() < self.share and caller.struck < most
        if not happens or (caller.is_last_chance and call in {"create_task", *_LATE}):
            caller.struck = 0
            return None
        caller.struck += 1
        if caller.is_last_chance:
            # What is answered wrongly costs a try, and there is no further one.
            return self._chance.choice(_UNANSWERED)
        if caller.is_hurried:
            return self._chance.choice(_QUICK)
        if call in _LATE and caller.remembers and self._chance.random() < 0.5:  # noqa: PLR2004 - a share
            return Trouble("late")
        trouble = self._chance.choice(_QUICK + _SLOW)
        return Trouble("slow") if trouble.kind == "hang" and call in _OF_A_STOP else trouble

    def _open(self) -> Farm:
        return Farm(self._storage, self._clock, scenario=self._scenario)


def _give(answer: asyncio.Future[Answer], found: Answer) -> None:
    if not answer.done():
        answer.set_result(found)
