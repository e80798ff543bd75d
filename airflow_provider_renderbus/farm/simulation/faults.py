"""What goes wrong on demand: chosen calls are answered wrongly, late or not at all, so and so often."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from random import Random
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.simulation.config_values import (
    MAX_SEED,
    boolean,
    float_in,
    int_in,
    one_of,
    parse_object,
    string,
    strings,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_renderbus.farm.simulation.config_values import Parser

    Answer = tuple[int, dict[str, str], bytes]

FAULT_KINDS = {
    "status": "an HTTP status with a text that is no envelope, and Retry-After where it is given",
    "html": "an HTML page",
    "code": "an envelope with another code than 200",
    "drop": "the connection is closed without an answer",
    "restart": "the farm is killed and started again",
    "delay": "the answer comes late",
    "cut": "the answer is cut in half",
    "types": "fields of the answer have another type",
    "missing": "fields of the answer are missing",
    "state": "taskStatus is another code",
    "clock": "the farm's clock goes wrong",
}
"""Every kind of fault, and what the caller sees."""
BLOCKING = {"status", "html", "code", "drop", "restart"}
"""Kinds that keep a call from being carried out, unless ``effect`` is true."""
DEFAULT_CLOCK_SKEW = 3600.0
"""Seconds by which a clock goes wrong where nothing else is said: more than the gate lets pass."""


class ConnectionDropped(ConnectionResetError):
    """The connection is to be closed without an answer, as the scenario says."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong.

    :param fault: its kind.
    :param calls: patterns of the names of the calls that it strikes.
    :param times: how many requests it strikes.
    :param after: how many requests it lets through before the first.
    :param share: the share of requests that it strikes.
    :param seed: decides which.
    :param effect: whether the call is carried out nevertheless; of a delay, whether that comes first.
    :param status: HTTP status.
    :param retry_after: value of the header ``Retry-After``.
    :param seconds: of a delay, real seconds; of a clock, how far it goes ahead.
    :param fields: names of the fields that are struck, at any depth.
    :param state: the state that is shown.
    :param code: the code that is answered.
    :param message: its message.
    """

    fault: str
    calls: tuple[str, ...] = ("*",)
    times: int | None = None
    after: int = 0
    probability: float = 1.0
    seed: int = 0
    executes_call: bool = False
    status: int = 503
    retry_after: str = ""
    seconds: float = 1.0
    fields: tuple[str, ...] = ("data",)
    state: int = 77
    code: int = 1000
    message: str = "fault"

    @property
    def runs_call(self) -> bool:
        """Whether the call that it strikes is carried out."""
        return self.executes_call or self.fault not in BLOCKING

    def apply(self, answer: Answer) -> Answer:
        """Return what becomes of an answer.

        :raises Dropped: nothing.
        """
        status, headers, body = answer
        match self.fault:
            case "status":
                extra = {"Retry-After": self.retry_after} if self.retry_after else {}
                return self.status, {"Content-Type": "text/plain"} | extra, b"the farm is not well\n"
            case "html":
                return 200, {"Content-Type": "text/html"}, b"<html><body><h1>Maintenance</h1></body></html>\n"
            case "drop":
                raise ConnectionDropped
            case "cut":
                return status, headers, body[: len(body) // 2]
            case "code" | "types" | "missing" | "state":
                return status, headers, self._rewrite(body)
        return answer

    def _rewrite(self, body: bytes) -> bytes:
        """Return an envelope with what is wrong in it; what another fault has made of one stays as it is."""
        try:
            envelope = json.loads(body)
        except ValueError:
            return body
        if self.fault == "code":
            envelope |= {"code": self.code, "message": self.message, "result": False, "data": None}
        else:
            fields = ("taskStatus",) if self.fault == "state" else self.fields
            envelope = self._corrupt(envelope, frozenset(fields))
        return json.dumps(envelope, ensure_ascii=False).encode()

    def _corrupt(self, value: Any, fields: frozenset[str]) -> Any:
        if isinstance(value, list):
            return [self._corrupt(item, fields) for item in value]
        if not isinstance(value, dict):
            return value
        changed = {}
        for name, item in value.items():
            if name not in fields:
                changed[name] = self._corrupt(item, fields)
            elif self.fault == "state":
                changed[name] = self.state
            elif self.fault == "types":
                changed[name] = _other_type(item)
        return changed


def _other_type(value: Any) -> Any:
    match value:
        case dict():
            return list(value.values())
        case list():
            return {str(place): item for place, item in enumerate(value)}
        case str():
            return [value]
        case _:
            return {"value": value}


FAULT_KEYS: dict[str, Parser] = {
    "fault": one_of(*FAULT_KINDS),
    "calls": strings(),
    "times": int_in(1),
    "after": int_in(0),
    "probability": float_in(0, 1),
    "seed": int_in(0, MAX_SEED),
    "executes_call": boolean,
    "status": int_in(200, 599),
    "retry_after": string,
    "seconds": float_in(-1e9, 1e9),
    "fields": strings(),
    "state": int_in(-128, 127),
    "code": int_in(0),
    "message": string,
}


def read_fault(where: str, entry: Any) -> Fault:
    """Read a fault.

    :raises ValueError: it has no kind, an unknown key or a wrong value.
    """
    values = parse_object(where, entry, FAULT_KEYS)
    if "fault" not in values:
        raise ValueError(f"{where}: fault is missing; expected one of {', '.join(FAULT_KINDS)}")
    if values["fault"] == "clock":
        values.setdefault("seconds", DEFAULT_CLOCK_SKEW)
    return Fault(**values)


class Faults:
    """The faults in force. Each counts the requests that it fits, so two runs with a seed go alike."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._waiting: list[_ArmedFault] = [_ArmedFault(fault) for fault in faults]

    def add(self, fault: Fault) -> None:
        """Put a fault in force."""
        self._waiting.append(_ArmedFault(fault))

    def clear(self) -> None:
        """Put all faults out of force."""
        self._waiting.clear()

    def match(self, call: str) -> list[Fault]:
        """Return the faults that strike the next request of a call."""
        struck = [counted.fault for counted in self._waiting if counted.matches(call)]
        self._waiting = [counted for counted in self._waiting if counted.remaining != 0]
        return struck


class _ArmedFault:
    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.remaining = fault.times
        self._skips_left = fault.after
        self._random = Random(fault.seed)  # noqa: S311 - repeatable on purpose

    def matches(self, call: str) -> bool:
        if not any(fnmatchcase(call, pattern) for pattern in self.fault.calls):
            return False
        if self._skips_left:
            self._skips_left -= 1
            return False
        if self._random.random() >= self.fault.probability:
            return False
        if self.remaining is not None:
            self.remaining -= 1
        return True
