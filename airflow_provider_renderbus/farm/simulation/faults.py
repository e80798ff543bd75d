"""Faults on demand: chosen calls get wrong, late or no answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from random import Random
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.server.envelope import CLIENT_CODES
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

    Response = tuple[int, dict[str, str], bytes]

FAULT_KINDS = {
    "status": "an HTTP status with plain text instead of an envelope, and Retry-After if set",
    "html": "an HTML page",
    "code": "an envelope with a code other than 200",
    "drop": "the connection is closed without an answer",
    "restart": "the farm is killed and started again",
    "delay": "the answer comes late",
    "cut": "the answer is cut in half",
    "types": "fields of the answer have another type",
    "missing": "fields of the answer are missing",
    "state": "taskStatus is another code",
    "parent_state": "taskStatus of layered tasks is another code, that of their leaves is not",
    "clock": "the farm's clock is wrong",
}
"""Every kind of fault, and what the caller observes."""
BLOCKING = {"status", "html", "code", "drop", "restart"}
"""Kinds that prevent the execution of a call, unless ``executes_call`` is true."""
DEFAULT_CLOCK_SKEW = 3600.0
"""Seconds: more than the authentication tolerates."""
DEFAULT_PARENT_STATE = 65
"""The submit of the task has failed."""


class ConnectionDropped(ConnectionResetError):
    """The scenario closes the connection without an answer."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault.

    :param fault: its kind.
    :param calls: patterns of the names of calls that it affects.
    :param times: maximum number of requests that it affects, None for no limit.
    :param after: number of matching requests that it skips first.
    :param probability: probability that it affects a request, from 0 to 1.
    :param seed: seed of that draw.
    :param executes_call: whether the call is executed nevertheless; for ``delay``, whether before the delay.
    :param status: HTTP status.
    :param retry_after: value of the header ``Retry-After``.
    :param seconds: for ``delay``, real seconds; for ``clock``, how far it is ahead.
    :param fields: names of the affected fields, at any depth.
    :param state: the code for ``taskStatus``; of ``parent_state``, 65 if not set.
    :param code: the code of the envelope.
    :param message: the message of the envelope; "" for that of the code.
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
    message: str = ""

    @property
    def allows_call(self) -> bool:
        """Whether the call is executed."""
        return self.executes_call or self.fault not in BLOCKING

    def apply(self, response: Response) -> Response:
        """Return the response after the fault.

        :raises ConnectionDropped: there is none.
        """
        status, headers, body = response
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
            case "code" | "types" | "missing" | "state" | "parent_state":
                return status, headers, self._rewrite(body)
        return response

    def _rewrite(self, body: bytes) -> bytes:
        """Return the envelope with wrong fields. A body that is no JSON after another fault is kept."""
        try:
            envelope = json.loads(body)
        except ValueError:
            return body
        if self.fault == "code":
            message = self.message or CLIENT_CODES.get(self.code, "fault")
            envelope |= {"code": self.code, "message": message, "result": False, "data": None}
        elif self.fault == "parent_state":
            envelope = self._with_parent_state(envelope)
        else:
            fields = ("taskStatus",) if self.fault == "state" else self.fields
            envelope = self._corrupt(envelope, frozenset(fields))
        return json.dumps(envelope, ensure_ascii=False).encode()

    def _with_parent_state(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._with_parent_state(item) for item in value]
        if not isinstance(value, dict):
            return value
        if value.get("respRenderingTaskList"):
            return value | {"taskStatus": self.state}
        return {name: self._with_parent_state(item) for name, item in value.items()}

    def _corrupt(self, value: Any, fields: frozenset[str]) -> Any:
        if isinstance(value, list):
            return [self._corrupt(item, fields) for item in value]
        if not isinstance(value, dict):
            return value
        result = {}
        for name, item in value.items():
            if name not in fields:
                result[name] = self._corrupt(item, fields)
            elif self.fault == "state":
                result[name] = self.state
            elif self.fault == "types":
                result[name] = _with_other_type(item)
        return result


def _with_other_type(value: Any) -> Any:
    match value:
        case dict():
            return list(value.values())
        case list():
            return {str(index): item for index, item in enumerate(value)}
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


def read_fault(name: str, value: Any) -> Fault:
    """Read a fault.

    :param name: its place in the scenario, for errors.
    :raises ValueError: the kind is missing, a key is unknown or a value is invalid.
    """
    values = parse_object(name, value, FAULT_KEYS)
    if "fault" not in values:
        raise ValueError(f"{name}.fault: must be one of {', '.join(FAULT_KINDS)}, got nothing")
    if values["fault"] == "clock":
        values.setdefault("seconds", DEFAULT_CLOCK_SKEW)
    if values["fault"] == "parent_state":
        values.setdefault("state", DEFAULT_PARENT_STATE)
    return Fault(**values)


class Faults:
    """The active faults. Each counts the requests that it matches: a seed always gives the same result."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._active = [_ArmedFault(fault) for fault in faults]

    def add(self, fault: Fault) -> None:
        """Activate a fault."""
        self._active.append(_ArmedFault(fault))

    def clear(self) -> None:
        """Deactivate all faults."""
        self._active.clear()

    def match(self, call: str) -> list[Fault]:
        """Return the faults that affect this request of a call, and count it."""
        matching = [armed.fault for armed in self._active if armed.matches(call)]
        self._active = [armed for armed in self._active if armed.remaining != 0]
        return matching


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
