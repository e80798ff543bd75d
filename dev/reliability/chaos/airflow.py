"""Simulates Airflow for one task: tries, retries, deferrals, clears, the state store and kills."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import pkgutil
import time
from datetime import UTC, datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import Any

from airflow_provider_renderbus.compat import AirflowException, AirflowFailException, TaskDeferred
from airflow_provider_renderbus.operators.render import RenderbusRenderOperator
from dev.reliability.chaos.network import Network
from dev.reliability.chaos.scenarios import RETRIES, Scenario
from dev.reliability.chaos.worker import Died, Returned, Worker

DAG_ID, RUN_ID, TASK_ID = "chaos", "run", "render"
USER_ACTION = "a user has acted"
# Seconds that Airflow gives a trigger's on_kill.
_ON_KILL_TIMEOUT = 30.0


class AirflowTask:
    """A render's task in Airflow."""

    def __init__(self, index: int, scenario: Scenario, network: Network, rng: Random) -> None:
        self.index, self.scenario, self.network, self._rng = index, scenario, network, rng
        self.state = "scheduled"
        self.scheduled = asyncio.Event()
        self.try_number, self.max_tries = 0, RETRIES
        self.try_started_at = 0.0
        self.at_risk_until = 0.0
        """Until when a request whose sender has stopped waiting can take effect."""
        self.run_after = datetime.fromtimestamp(time.time(), UTC)
        self.shot = 0
        """Which shot is asked for now, and by the try that runs or has run last."""
        self.shot_of_try = 0
        self.has_lost_store = False
        """Whether its row was removed from the state store since a render was created."""
        self.try_found_row = False
        """Whether the try that runs or has run last began with its row in the state store."""
        self.clears: list[float] = []
        self.stops: list[float] = []
        """When a user stopped the render on the farm."""
        self.resumed_at = -math.inf
        """When a user resumed the render on the farm for the last time."""
        self.resumed_while_failing = False
        """Whether that was in the seconds between the last look at the pause and the end of the task."""
        self.returned: dict[int, float] = {}
        """When each render was returned for the first time."""
        self.is_marked = False
        """Whether a user has marked it failed or success."""
        self.is_unsure_of_time = False
        """Whether a user has ended it in the minute in which its process believed that it had lost time."""
        self.result: Any = None
        self.error: object = None
        self.worker: Worker | None = None
        self.scheduled_kill: tuple[int, str] | None = None
        """At which step the next worker is killed."""
        self.trigger: asyncio.Task[Any] | None = None
        self.history: list[str] = []
        self.violations: list[str] = []
        self._store: dict[str, str] = {}

    def log(self, line: str) -> None:
        """Add a line to the history."""
        self.history.append(f"{asyncio.get_running_loop().time():9.2f} {line}")

    def record_violation(self, line: str) -> None:
        """Record that an invariant does not hold."""
        self.log(f"VIOLATION: {line}")
        self.violations.append(line)

    def set_state(self, state: str) -> None:
        """Change the state."""
        self.log(f"{self.state} -> {state}")
        self.state = state

    @property
    def is_first_try_after_clear(self) -> bool:
        """Whether no try came between a clear and this one."""
        return self.try_number == self.max_tries - RETRIES + 1

    @property
    def stores_id(self) -> bool:
        """Whether a later try has the id of an unsubmitted render; a marker comes with the submit."""
        return self.scenario.has_store and not self.has_lost_store

    def lose_store(self) -> None:
        """Remove its row from the state store, as ``airflow state-store clean`` does."""
        self.log("the state store is cleaned")
        self._store.clear()
        self.has_lost_store = True

    def make_run_again(self) -> None:
        """Delete its DAG run and make it again with the same id."""
        self.log("the run is made again")
        self._store.clear()
        self.run_after = datetime.fromtimestamp(time.time(), UTC)
        self.try_number, self.max_tries = 0, RETRIES
        self.clears.append(time.time())
        self.set_state("scheduled")

    def operator(self) -> RenderbusRenderOperator:
        """Return the operator, a new one as in each of Airflow's processes."""
        scenario = self.scenario
        return RenderbusRenderOperator(
            task_id=TASK_ID, task_json=scenario.task_json(self.shot), artist=scenario.name, **scenario.options
        )

    def instance(self) -> Any:
        """Return the task instance."""
        return SimpleNamespace(
            dag_id=DAG_ID,
            run_id=RUN_ID,
            task_id=TASK_ID,
            map_index=self.index,
            try_number=self.try_number,
            max_tries=self.max_tries,
            xcom_push=lambda **_: None,
        )

    def context(self, operator: RenderbusRenderOperator) -> Any:
        """Return the context of a process."""
        run = SimpleNamespace(run_after=self.run_after, start_date=self.run_after)
        context = {"ti": self.instance(), "task": operator, "dag_run": run, "logical_date": run.run_after}
        return {**context, "task_state_store": self} if self.scenario.has_store else context

    def get(self, key: str) -> Any:
        """Read from the state store."""
        return json.loads(self._store[key]) if key in self._store else None

    def set(self, key: str, value: Any, *, retention: timedelta) -> None:
        """Write to the state store; the process may be killed at it."""
        stored = json.dumps(value)
        if retention != timedelta.max:
            self.record_violation(f"{key} expires")
        self.has_lost_store = False
        if self.worker:
            self.worker.write(lambda: self._store.update({key: stored}))

    async def run_try(self) -> None:
        """Run a try to its end, which sets the state."""
        self.try_number += 1
        self.is_marked, self.result, self.error, self.is_unsure_of_time = False, None, None, False
        self.try_started_at, self.shot_of_try = time.time(), self.shot
        self.try_found_row = bool(self._store)
        self.log(f"try {self.try_number} of {self.max_tries + 1}")
        method, arguments = "execute", None
        while True:
            self.set_state("running")
            end = await self._run_worker(method, arguments)
            if self.state != "running":
                self.log(f"Airflow ignores {end!r}")
                self.is_unsure_of_time = "was not stopped, because this process has lost time" in repr(end)
                return
            if not isinstance(end, TaskDeferred):
                self._finish(end)
                return
            self.set_state("deferred")
            resumption = await self._run_trigger(end)
            if self.state != "deferred" or resumption is None:
                return
            method, arguments = resumption
            self.set_state("scheduled")
            await asyncio.sleep(self._rng.uniform(0.1, 3))

    async def _run_worker(self, method: str, arguments: Any) -> Any:
        self.worker = Worker(self, method, arguments)
        if self.scheduled_kill and not self.worker.is_last_try:
            self.worker.schedule_kill(*self.scheduled_kill)
        self.scheduled_kill = None
        end = await self.worker.run()
        if isinstance(end, Died) and end.unnoticed:
            # Its executor sees that it has ended, or Airflow misses its heartbeats.
            await asyncio.sleep(self._rng.choice([1.0, self._rng.uniform(5, 300)]))
        self.worker = None
        return end

    def _finish(self, end: Any) -> None:
        self.log(f"ended with {end!r}")
        if isinstance(end, Returned):
            self.result = json.loads(json.dumps(end.value))
            self.set_state("success")
            return
        self.error = end
        if not isinstance(end, AirflowException | Died):
            self.record_violation(f"the operator has a bug: {end!r}")
        is_last = isinstance(end, AirflowFailException) or self.try_number > self.max_tries
        self.set_state("failed" if is_last else "up_for_retry")

    async def _run_trigger(self, deferral: TaskDeferred) -> tuple[str, Any] | None:
        """Run the trigger until it fires, and return how the task is resumed."""
        path, kwargs = deferral.trigger.serialize()
        arguments = json.loads(json.dumps(deferral.kwargs or {}))
        while True:
            trigger = pkgutil.resolve_name(path)(**json.loads(json.dumps(kwargs)))
            trigger.task_instance = self.instance()
            self.trigger = asyncio.ensure_future(_first_event(trigger))
            self.log(f"a trigger waits: {path.rpartition('.')[2]}")
            await asyncio.wait([self.trigger])
            ended, self.trigger = self.trigger, None
            if self.state != "deferred":
                return None
            if not ended.cancelled():
                event = ended.result()
                self.log(f"fired: {event}")
                return deferral.method_name, {**arguments, "event": json.loads(json.dumps(event))}
            if self._rng.random() < 0.1:
                return "__fail__", {**arguments, "error": "Trigger failure", "traceback": None}
            await asyncio.sleep(self._rng.uniform(0, 60))


async def _first_event(trigger: Any) -> Any:
    """Run a trigger as Airflow 3.3: a user's action calls its on_kill, the end of a triggerer does not."""
    try:
        async with contextlib.aclosing(trigger.run()) as events:
            return (await anext(events)).payload
    except asyncio.CancelledError as cancelled:
        if cancelled.args == (USER_ACTION,):
            with contextlib.suppress(TimeoutError, asyncio.CancelledError):
                await asyncio.wait_for(trigger.on_kill(), _ON_KILL_TIMEOUT)
        raise
