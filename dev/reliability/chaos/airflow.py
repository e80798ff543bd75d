"""Plays Airflow to one task: tries, retries, deferrals, clears, the state store, and who is told of what."""

from __future__ import annotations

import asyncio
import contextlib
import json
import pkgutil
import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, TaskDeferred

from airflow_provider_renderbus.operators.render import RenderbusRenderOperator
from dev.reliability.chaos.scenarios import RETRIES
from dev.reliability.chaos.worker import Died, Returned, Worker

if TYPE_CHECKING:
    from random import Random

    from dev.reliability.chaos.network import Network
    from dev.reliability.chaos.scenarios import Plan

DAG_ID, RUN_ID, TASK_ID = "chaos", "run", "render"
USER_ACTION = "a person has acted"
# Seconds that Airflow gives a trigger's on_kill.
_ON_KILL_WITHIN = 30.0


class Task:
    """A render's task in Airflow.

    :param index: its map index.
    :param plan: what it renders, and how.
    :param network: the way to the farm.
    :param chance: what decides how long Airflow takes.
    """

    def __init__(self, index: int, plan: Plan, network: Network, chance: Random) -> None:
        self.index, self.plan, self.network, self.chance = index, plan, network, chance
        self.state = "scheduled"
        self.arrived = asyncio.Event()
        self.try_number, self.max_tries = 0, RETRIES
        self.began = 0.0
        """When the try began, seconds since 1970."""
        self.risky_until = 0.0
        """Until when a request that its sender has given up can take effect."""
        self.clears: list[float] = []
        self.stops: list[float] = []
        """When a person stopped the render on the farm."""
        self.returned: dict[int, float] = {}
        """When each number was returned for the first time."""
        self.is_decided = False
        """Whether a person has decided how it ended."""
        self.was_loud = False
        """Whether the operator or its trigger has said that the render may still be running."""
        self.result: Any = None
        self.problem: object = None
        self.worker: Worker | None = None
        self.doom: tuple[int, str] | None = None
        """At which step the next worker is killed."""
        self.waiting: asyncio.Task[Any] | None = None
        """The trigger, while one waits."""
        self.history: list[str] = []
        self.violations: list[str] = []
        self._store: dict[str, str] = {}

    def tell(self, line: str) -> None:
        """Add a line to the history."""
        self.history.append(f"{asyncio.get_running_loop().time():9.2f} {line}")

    def blame(self, line: str) -> None:
        """Note that something is wrong."""
        self.tell(f"WRONG: {line}")
        self.violations.append(line)

    def go_to(self, state: str) -> None:
        """Change the state."""
        self.tell(f"{self.state} -> {state}")
        self.state = state

    @property
    def is_first_since_clear(self) -> bool:
        """Whether no try came between a clear and this one."""
        return self.try_number == self.max_tries - RETRIES + 1

    def operator(self) -> RenderbusRenderOperator:
        """Return the operator, made anew as for each of Airflow's processes."""
        plan = self.plan
        return RenderbusRenderOperator(
            task_id=TASK_ID, task_json=plan.task_json(), artist=plan.name, **plan.options
        )

    def instance(self) -> Any:
        """Return what Airflow tells of the task."""
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
        run = SimpleNamespace(run_after=datetime.fromtimestamp(time.time(), UTC))
        context = {"ti": self.instance(), "task": operator, "dag_run": run, "logical_date": run.run_after}
        return {**context, "task_state_store": self} if self.plan.has_store else context

    def get(self, key: str) -> Any:
        """Read from the state store."""
        return json.loads(self._store[key]) if key in self._store else None

    def set(self, key: str, value: Any) -> None:
        """Write to the state store, in which the process may die."""
        stored = json.dumps(value)
        if self.worker:
            self.worker.write(lambda: self._store.update({key: stored}))

    async def one_try(self) -> None:
        """Run a try to its end, which the state tells then."""
        self.try_number += 1
        self.is_decided, self.result, self.problem = False, None, None
        self.began = time.time()
        self.tell(f"try {self.try_number} of {self.max_tries + 1}")
        method, arguments = "execute", None
        while True:
            self.go_to("running")
            end = await self._work(method, arguments)
            if self.state != "running":
                self.tell(f"Airflow does not take {end!r}")
                return
            if not isinstance(end, TaskDeferred):
                self._take(end)
                return
            self.go_to("deferred")
            resumed = await self._wait_for(end)
            if self.state != "deferred" or resumed is None:
                return
            method, arguments = resumed
            self.go_to("scheduled")
            await asyncio.sleep(self.chance.uniform(0.1, 3))

    async def _work(self, method: str, arguments: Any) -> Any:
        self.worker = Worker(self, method, arguments)
        if self.doom and not self.worker.is_last_chance:
            self.worker.doom(*self.doom)
        self.doom = None
        end = await self.worker.run()
        if isinstance(end, Died) and end.unnoticed:
            # Its executor sees that it is gone, or Airflow misses its heartbeats.
            await asyncio.sleep(self.chance.choice([1.0, self.chance.uniform(5, 300)]))
        self.worker = None
        return end

    def _take(self, end: Any) -> None:
        """Take the report of a process."""
        self.tell(f"ended with {end!r}")
        if isinstance(end, Returned):
            self.result = json.loads(json.dumps(end.value))
            self.go_to("success")
            return
        self.problem = end
        if not isinstance(end, AirflowException | Died):
            self.blame(f"the operator broke down: {end!r}")
        for_good = isinstance(end, AirflowFailException) or self.try_number > self.max_tries
        self.go_to("failed" if for_good else "up_for_retry")

    async def _wait_for(self, left: TaskDeferred) -> tuple[str, Any] | None:
        """Run the trigger until it fires, and return how the task is resumed."""
        path, kept = left.trigger.serialize()
        arguments = json.loads(json.dumps(left.kwargs or {}))
        while True:
            trigger = pkgutil.resolve_name(path)(**json.loads(json.dumps(kept)))
            trigger.task_instance = self.instance()
            self.waiting = asyncio.ensure_future(_fired(trigger))
            self.tell(f"a trigger waits: {path.rpartition('.')[2]}")
            await asyncio.wait([self.waiting])
            ended, self.waiting = self.waiting, None
            if self.state != "deferred":
                return None
            if not ended.cancelled():
                event = ended.result()
                self.tell(f"fired: {event}")
                return left.method_name, {**arguments, "event": json.loads(json.dumps(event))}
            if self.chance.random() < 0.1:  # noqa: PLR2004 - a share
                return "__fail__", {**arguments, "error": "Trigger failure", "traceback": None}
            await asyncio.sleep(self.chance.uniform(0, 60))


async def _fired(trigger: Any) -> Any:
    """Run a trigger as Airflow 3.3 does: what a person does is told to it, the end of a triggerer is not."""
    try:
        async with contextlib.aclosing(trigger.run()) as events:
            return (await anext(events)).payload
    except asyncio.CancelledError as cancelled:
        if cancelled.args == (USER_ACTION,):
            with contextlib.suppress(TimeoutError, asyncio.CancelledError):
                await asyncio.wait_for(trigger.on_kill(), _ON_KILL_WITHIN)
        raise
