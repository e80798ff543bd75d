"""Kills the process that runs an operator at a chosen step, from outside.

Two kinds of proxies see all that such a process does to the world: those between it and the farm, one per
render, and the one between Airflow's workers and its API server, through which the task state store is
written. Each request is a step, named by what it requests and by how many of that name came before.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.client import BAD_REQUEST, CONFLICT
from itertools import groupby
from threading import Lock
from typing import Any

import psutil

from airflow_provider_renderbus.farm.calls import ROUTES
from dev.reliability.http_proxy import REFUSED, Forward, Request, Response

BEFORE, AFTER, END = "before", "after", "after its end"
"""Moments of a step: before the request is forwarded, after it was answered, and after the response that
reports the render's end."""
POLL = "poll"
"""The name of steps that are requests to the farm while no process runs the operator: by its trigger."""
_FINISHED = 25
# Of requests in a row with one name, as in a wait, so many are points; the last one is the one that ends it.
_POINTS_PER_WAIT = 2
_IDS = re.compile(r"/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_RUN = re.compile(r"/execution/task-instances/[^/]+/run$")
# A heartbeat comes whenever it is due and says nothing about the operator.
_HEARTBEAT = "heartbeat"
# On SQLite the scheduler of Airflow 3.0 can have a task started before it has noted that it is queued.
_TOO_EARLY = "scheduled"
_MAX_ATTEMPTS, _RETRY_DELAY = 50, 0.2
_VERBS = {"GET": "read", "POST": "write", "PUT": "write", "PATCH": "write", "DELETE": "delete"}
_RESOURCES = {"store": "task state", "xcoms": "XCom", "task-instances": "task's"}
_KEYS = {"rtif": "rendered fields"}


@dataclass(frozen=True, order=True)
class Step:
    """A request of the process that runs an operator.

    :param nth: the place among the requests of that name, from 1; 0 for the one that ends a wait.
    """

    name: str
    nth: int

    def __str__(self) -> str:
        if self.nth == 0:
            return f"{self.name}, the last"
        return self.name if self.nth == 1 else f"{self.name} #{self.nth}"


@dataclass(frozen=True)
class KillPoint:
    """A step and a moment at which to kill."""

    step: Step
    moment: str


@dataclass
class ProcessTrace:
    """The processes and requests of a render's Airflow task.

    :param pid: the process that runs the operator, or None while none does.
    :param mark: how many steps had been taken at a moment that an experiment chooses.
    :param counts: the number of steps by name.
    """

    point: KillPoint | None = None
    pid: int | None = None
    steps: list[Step] = field(default_factory=list)
    runs: int = 0
    mark: int = 0
    kills: int = 0
    counts: Counter[str] = field(default_factory=Counter)


def kill_points(steps: Sequence[Step]) -> Iterator[KillPoint]:
    """Yield where a run of these steps can be killed."""
    for name, group in groupby(steps, lambda step: step.name):
        row = list(group)
        for step in row[:_POINTS_PER_WAIT]:
            yield KillPoint(step, BEFORE)
            yield KillPoint(step, AFTER)
        if len(row) > _POINTS_PER_WAIT:
            yield KillPoint(Step(name, 0), END)


def kill_process(trace: ProcessTrace) -> bool:
    """Kill the process that runs an operator, and return when it does nothing any more."""
    if trace.pid is None:
        raise ValueError("no process runs the operator")
    process = psutil.Process(trace.pid)
    process.kill()
    # Until its parent waits for it, it is a zombie.
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    return True


def is_alive(trace: ProcessTrace) -> bool:
    """Return whether a process runs the operator: one that was killed has not reported its end to Airflow."""
    try:
        return trace.pid is not None and psutil.Process(trace.pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class ProcessKiller:
    """Traces Airflow tasks that render, and kills each once at its point.

    :param trace_of: returns the trace of a task instance by its id; None for other instances.
    :param kill: what to do at a point; it returns whether the client is dead then.
    """

    def __init__(
        self,
        trace_of: Callable[[str], ProcessTrace | None],
        kill: Callable[[ProcessTrace], bool] = kill_process,
    ) -> None:
        self._trace_of = trace_of
        self._kill = kill
        self._lock = Lock()

    def farm_rule(self, trace: ProcessTrace) -> Callable[[Request, Forward], Response]:
        """Return the rule of the proxy between a task and the farm."""

        def rule(request: Request, forward: Forward) -> Response:
            name = POLL if trace.pid is None else ROUTES[request.path].__name__
            return self._take_step(trace, name, forward)

        return rule

    def worker_rule(self, request: Request, forward: Forward) -> Response:
        """Be the rule of the proxy between Airflow's workers and its API server."""
        trace = self._trace_of(_instance_id(request))
        if trace is None or request.path.endswith(_HEARTBEAT):
            return forward()
        if _RUN.search(request.path):
            response = forward()
            for _ in range(_MAX_ATTEMPTS):
                if response.status != CONFLICT or _previous_state(response) != _TOO_EARLY:
                    break
                time.sleep(_RETRY_DELAY)
                response = forward()
            trace.pid = json.loads(request.body)["pid"]
            trace.runs += 1
            return response
        if trace.pid is None:
            return forward()
        response = self._take_step(trace, _step_name(request), forward)
        # It defers, or has ended.
        is_last = request.method == "PATCH" and request.path.endswith("/state")
        if is_last and response.status < BAD_REQUEST:
            trace.pid = None
        return response

    def _take_step(self, trace: ProcessTrace, name: str, forward: Forward) -> Response:
        """Forward a request, unless its client is killed before."""
        with self._lock:
            trace.counts[name] += 1
            step = Step(name, trace.counts[name])
            trace.steps.append(step)
        point = None if trace.kills else trace.point
        if point == KillPoint(step, BEFORE) and self._kill_once(trace):
            return REFUSED
        response = forward()
        has_ended = point and point.moment == END and point.step.name == name and _reports_end(response)
        if point == KillPoint(step, AFTER) or has_ended:
            self._kill_once(trace)
        return response

    def _kill_once(self, trace: ProcessTrace) -> bool:
        trace.kills += 1
        return self._kill(trace)


def _instance_id(request: Request) -> str:
    """Return the id of the task instance that makes a request: the subject of its token."""
    token = next(value for name, value in request.headers.items() if name.lower() == "authorization")
    payload = token.partition(".")[2].partition(".")[0]
    subject: str = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sub"]
    return subject


def _step_name(request: Request) -> str:
    """Return a name for a request to Airflow's execution API."""
    path = _IDS.sub("", request.path.partition("?")[0].removeprefix("/execution/"))
    if path == "task-instances/state":
        return f"report to Airflow: {json.loads(request.body)['state']}"
    kind, _, rest = path.partition("/")
    resource, key = _RESOURCES.get(kind, kind), rest.rpartition("/")[2]
    return f"{_VERBS.get(request.method, request.method)} {resource} {_KEYS.get(key, key)}".strip()


def _previous_state(response: Response) -> str | None:
    """Return the state because of which Airflow starts no task."""
    detail: Any = json.loads(response.body).get("detail")
    return detail.get("previous_state") if isinstance(detail, dict) else None


def _reports_end(response: Response) -> bool:
    data: Any = json.loads(response.body).get("data")
    return isinstance(data, dict) and any(
        item.get("taskStatus") == _FINISHED for item in data.get("items", ())
    )
