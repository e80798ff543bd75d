"""Killing the process that runs an operator at a chosen step, from outside.

Two kinds of relays see all that such a process does to the world: those between it and the farm, one a
render, and the one between Airflow's workers and its API server, through which the task state store is
written. Each request is a step, and a step is known by its name and by how many of that name came before.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from http.client import BAD_REQUEST, CONFLICT
from threading import Lock
from typing import TYPE_CHECKING, Any

import psutil

from airflow_provider_renderbus.farm.calls import ROUTES
from dev.reliability.http_proxy import REFUSED

if TYPE_CHECKING:
    from collections.abc import Callable

    from dev.reliability.http_proxy import Answer, Forward, Request

BEFORE, AFTER, END = "before", "after", "after its end"
"""Moments of a step: before the request goes on, after it was answered, and after the answer that tells of
the render's end."""
POLL = "poll"
"""The name of steps that are requests to the farm while no process runs the operator: by its trigger."""
_FINISHED = 25
_IDS = re.compile(r"/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_RUN = re.compile(r"/execution/task-instances/[^/]+/run$")
# A heartbeat comes whenever it is due and tells nothing of the operator.
_HEARTBEAT = "heartbeat"
# On SQLite the scheduler of Airflow 3.0 can have a task started before it has noted that it is queued.
_TOO_EARLY = "scheduled"
_QUESTIONS, _PAUSE = 50, 0.2
_VERBS = {"GET": "read", "POST": "write", "PUT": "write", "PATCH": "write", "DELETE": "delete"}
_THINGS = {"store": "task state", "xcoms": "XCom", "task-instances": "task's"}
_KEYS = {"rtif": "rendered fields"}


@dataclass(frozen=True, order=True)
class Step:
    """A request of the process that runs an operator.

    :param name: what is asked.
    :param nth: how many-th request of that name it is, from 1; 0 for the one that ends a wait.
    """

    name: str
    nth: int

    def __str__(self) -> str:
        if self.nth == 0:
            return f"{self.name}, the last"
        return self.name if self.nth == 1 else f"{self.name} #{self.nth}"


@dataclass(frozen=True)
class Point:
    """A step and a moment at which to kill."""

    step: Step
    moment: str


@dataclass
class Life:
    """What is known of a render's Airflow task.

    :param point: where to strike it, or None.
    :param pid: the process that runs its operator, or None while none does.
    :param steps: what it has done, over all tries.
    :param runs: how often a worker began with it.
    :param begun: how many steps had been taken when it was looked at last.
    :param strikes: how often it was struck.
    """

    point: Point | None = None
    pid: int | None = None
    steps: list[Step] = field(default_factory=list)
    runs: int = 0
    begun: int = 0
    strikes: int = 0
    seen: Counter[str] = field(default_factory=Counter)


def kill_process(life: Life) -> bool:
    """Kill the process that runs an operator, and return when it does nothing any more."""
    if life.pid is None:
        raise ValueError("no process runs the operator")
    process = psutil.Process(life.pid)
    process.kill()
    # Until its parent takes notice it is a zombie.
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    return True


class Reaper:
    """Watches Airflow tasks that render, and strikes each once where its point is.

    :param life_of: tells what is known of a task instance by its id; None where it is none of these.
    :param strike: what to do at a point; it returns whether the client is dead then.
    """

    def __init__(
        self, life_of: Callable[[str], Life | None], strike: Callable[[Life], bool] = kill_process
    ) -> None:
        self._life_of = life_of
        self._strike = strike
        self._lock = Lock()

    def rule_of(self, life: Life) -> Callable[[Request, Forward], Answer]:
        """Return the rule of the relay between a task and the farm."""

        def rule(request: Request, forward: Forward) -> Answer:
            name = POLL if life.pid is None else ROUTES[request.path].__name__
            return self._take(life, name, forward)

        return rule

    def workers(self, request: Request, forward: Forward) -> Answer:
        """Be the rule of the relay between Airflow's workers and its API server."""
        life = self._life_of(_subject(request))
        if life is None or request.path.endswith(_HEARTBEAT):
            return forward()
        if _RUN.search(request.path):
            answer = forward()
            for _ in range(_QUESTIONS):
                if answer.status != CONFLICT or _previous_state(answer) != _TOO_EARLY:
                    break
                time.sleep(_PAUSE)
                answer = forward()
            life.pid = json.loads(request.body)["pid"]
            life.runs += 1
            return answer
        if life.pid is None:
            return forward()
        answer = self._take(life, _step_name(request), forward)
        if _is_last(request) and answer.status < BAD_REQUEST:
            life.pid = None
        return answer

    def _take(self, life: Life, name: str, forward: Forward) -> Answer:
        """Let a step be taken, unless its client is dead before."""
        with self._lock:
            life.seen[name] += 1
            step = Step(name, life.seen[name])
            life.steps.append(step)
        point = None if life.strikes else life.point
        if point == Point(step, BEFORE) and self._hit(life):
            return REFUSED
        answer = forward()
        ended = point and point.moment == END and point.step.name == name and _tells_end(answer)
        if point == Point(step, AFTER) or ended:
            self._hit(life)
        return answer

    def _hit(self, life: Life) -> bool:
        life.strikes += 1
        return self._strike(life)


def _subject(request: Request) -> str:
    """Return the id of the task instance on whose behalf a request is made: the subject of its token."""
    token = next(value for name, value in request.headers.items() if name.lower() == "authorization")
    payload = token.partition(".")[2].partition(".")[0]
    subject: str = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sub"]
    return subject


def _step_name(request: Request) -> str:
    """Return a name for a request to Airflow's execution API."""
    path = _IDS.sub("", request.path.partition("?")[0].removeprefix("/execution/"))
    if path == "task-instances/state":
        return f"tell Airflow: {json.loads(request.body)['state']}"
    kind, _, rest = path.partition("/")
    what, key = _THINGS.get(kind, kind), rest.rpartition("/")[2]
    return f"{_VERBS.get(request.method, request.method)} {what} {_KEYS.get(key, key)}".strip()


def _is_last(request: Request) -> bool:
    """Tell whether a request says that the process has nothing more to do: it defers, or has ended."""
    return request.method == "PATCH" and request.path.endswith("/state")


def _previous_state(answer: Answer) -> str | None:
    """Return the state because of which Airflow lets no task begin."""
    detail: Any = json.loads(answer.body).get("detail")
    return detail.get("previous_state") if isinstance(detail, dict) else None


def _tells_end(answer: Answer) -> bool:
    data: Any = json.loads(answer.body).get("data")
    return isinstance(data, dict) and any(
        item.get("taskStatus") == _FINISHED for item in data.get("items", ())
    )
