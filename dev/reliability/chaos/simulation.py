"""A world: a farm, an Airflow and some dozens of renders that go on at the same time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
from random import Random
from typing import TYPE_CHECKING, Any
from unittest import mock

from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

from airflow_provider_renderbus.clients.settings import Settings
from airflow_provider_renderbus.operators.render import RenderbusRenderOperator
from dev.reliability.chaos import virtual_time as chaos_time
from dev.reliability.chaos import worker as chaos_worker
from dev.reliability.chaos.airflow import RUN_ID, TASK_ID, Task
from dev.reliability.chaos.farm_database import Books
from dev.reliability.chaos.invariants import Judge
from dev.reliability.chaos.network import HOST, Network
from dev.reliability.chaos.scenarios import draw, scenario
from dev.reliability.chaos.transports import instead_of_sockets
from dev.reliability.chaos.user_actions import People

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Seconds within which the renders of a world begin.
_ARRIVALS = 600.0
# Seconds after the end of a task in which what it has begun is stopped.
_UNTIL_STOPPED = 45.0
_MOST_CLEARS = 2
_LONGEST = 6 * 3600.0
_RESTARTS = 6
# What the product says where it cannot keep its word.
_LOUD = "could not be stopped, may still be running"
_PRODUCT = "airflow_provider_renderbus"
# What these log is about many tasks.
_SHARED = tuple(f"{_PRODUCT}.{module}" for module in ("farm", "polling.poller", "polling.shared_poller"))


class _Triggerer:
    """The triggerer's process, whose requests any of its triggers may have sent."""

    is_last_chance = False
    remembers = True

    def __init__(self, people: People) -> None:
        self._people = people
        self.struck = 0

    @property
    def is_hurried(self) -> bool:
        return self._people.kills > 0

    def tell(self, line: str) -> None:
        """Note nothing: the request is about many tasks."""

    def expect(self, moment: float) -> None:
        """Expect nothing: a trigger orders nothing that costs money."""


class World:
    """A farm, an Airflow and renders.

    :param folder: a new folder.
    :param seed: decides everything.
    :param renders: how many renders.
    """

    def __init__(self, folder: Path, seed: str, renders: int) -> None:
        self._folder, self._seed = folder, seed
        self._chance = Random(seed)  # noqa: S311 - repeatable on purpose
        self._poor = self._chance.random() < 0.25  # noqa: PLR2004 - a share
        self._plans = [draw(f"r{index:02}", self._chance, poor=self._poor) for index in range(renders)]
        self.tasks: list[Task] = []
        self._lives: list[asyncio.Task[None]] = []

    def run(self) -> list[Task]:
        """Let everything happen, and return the tasks with their histories."""
        chaos_time.run(self._live, chaos_worker.sleep, self._seed)
        return self.tasks

    async def _live(self) -> None:
        conduct = scenario(self._plans, self._chance, poor=self._poor)
        network = Network(self._folder, conduct, self._chance)
        with contextlib.ExitStack() as ends:
            ends.callback(network.close)
            books = Books(self._folder / "farm.db")
            ends.callback(books.close)
            self.tasks = [Task(index, plan, network, self._chance) for index, plan in enumerate(self._plans)]
            names = {task.plan.name: task for task in self.tasks}
            judge = Judge(books, names.__getitem__)
            network.arriving = judge.arriving
            account = network.connection
            settings = Settings(
                domain=HOST, access_id=account["login"], access_key=account["password"], protocol="http"
            )
            people = People(network, books, self._chance, settings)
            triggerer = _Triggerer(people)
            ends.enter_context(
                instead_of_sockets(chaos_worker.request, lambda *request: network.post(triggerer, *request))
            )
            ends.enter_context(mock.patch.object(RuntimeTaskInstance, "get_task_states", self._states))
            ends.enter_context(mock.patch.dict(os.environ, _connection(account)))
            ends.enter_context(_heard())
            async with asyncio.TaskGroup() as group:
                helpers = [
                    group.create_task(self._restarts(network, people)),
                    group.create_task(self._foremen(network, people)),
                ]
                helpers += [group.create_task(self._trouble(task, people)) for task in self.tasks]
                self._lives = [group.create_task(self._life(task, people, judge)) for task in self.tasks]
                await asyncio.wait(self._lives)
                for helper in helpers:
                    helper.cancel()

    async def _trouble(self, task: Task, people: People) -> None:
        await task.arrived.wait()
        await people.trouble(task)

    async def _life(self, task: Task, people: People, judge: Judge) -> None:
        await asyncio.sleep(self._chance.uniform(0, _ARRIVALS))
        task.arrived.set()
        try:
            async with asyncio.timeout(_LONGEST):
                while await self._to_an_end(task, people, judge):
                    pass
        except TimeoutError:
            task.blame("it does not come to an end")

    async def _to_an_end(self, task: Task, people: People, judge: Judge) -> bool:
        """Run a task until it ends, and return whether a person clears it then."""
        while task.state not in {"success", "failed"}:
            longest = self._chance.choice([5, 120]) if task.state == "up_for_retry" else 10
            await asyncio.sleep(self._chance.uniform(0.1, longest))
            await task.one_try()
        if not task.is_decided:
            judge.at_the_end(task)
        await asyncio.sleep(_UNTIL_STOPPED)
        judge.later(task)
        if len(task.clears) >= _MOST_CLEARS or self._chance.random() < 0.6:  # noqa: PLR2004 - a share
            return False
        people.grant(task)
        return True

    async def _restarts(self, network: Network, people: People) -> None:
        """Restart the farm now and then, when nobody is killed whose render must be stopped at once."""
        for _ in range(_RESTARTS):
            await asyncio.sleep(self._chance.expovariate(1 / 200))
            hurried = any(task.worker and task.worker.is_hurried for task in self.tasks)
            last = any(task.worker and task.worker.is_last_chance for task in self.tasks)
            if not (people.kills or hurried or last):
                await network.restart(self._chance.uniform(0.5, 6))

    async def _foremen(self, network: Network, people: People) -> None:
        """Look after what waits for a person."""
        while True:
            await asyncio.sleep(self._chance.uniform(30, 120))
            for task in self.tasks:
                if task.plan.option("on_test_frames_done") == "wait":
                    await people.go_on(task)
            if self._poor and network.is_up:
                network.top_up("0.5")

    def _states(self, *_: Any, **__: Any) -> dict[str, dict[str, str | None]]:
        asks_for_trigger = asyncio.current_task() not in self._lives
        if asks_for_trigger and self._chance.random() < 0.03:  # noqa: PLR2004 - a share
            raise OSError("Airflow does not answer")
        told = {f"{TASK_ID}_{task.index}": _told(task.state) for task in self.tasks}
        return {RUN_ID: told}


def _told(state: str) -> str | None:
    return None if state == "cleared" else state


def _connection(account: dict[str, Any]) -> dict[str, str]:
    return {"AIRFLOW_CONN_RENDERBUS_DEFAULT": json.dumps(account)}


class _History(logging.Handler):
    """Writes what the product logs into the history of the task that it is about."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith(_SHARED):
            return
        line = record.getMessage()
        if worker := chaos_worker.current():
            worker.tell(f"[{line}]")
            if _LOUD in line:
                worker.task.was_loud = True


@contextlib.contextmanager
def _heard() -> Iterator[None]:
    """Keep what the product logs."""
    log, history = logging.getLogger(_PRODUCT), _History()
    level = log.level
    with (
        mock.patch.object(log, "propagate", new=False),
        mock.patch.object(log, "handlers", [history]),
        # Airflow's own would write to its pages.
        mock.patch.object(RenderbusRenderOperator, "log", log),
    ):
        log.setLevel(logging.INFO)
        try:
            yield
        finally:
            log.setLevel(level)
