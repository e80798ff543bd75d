"""A simulation: a farm, an Airflow and some dozens of renders that run at the same time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

from airflow_provider_renderbus.clients.settings import Settings
from airflow_provider_renderbus.operators.render import RenderbusRenderOperator
from dev.reliability.chaos import virtual_time, worker
from dev.reliability.chaos.airflow import RUN_ID, TASK_ID, AirflowTask
from dev.reliability.chaos.farm_database import FarmDatabase
from dev.reliability.chaos.invariants import Invariants
from dev.reliability.chaos.network import HOST, Network
from dev.reliability.chaos.scenarios import farm_scenario, random_scenario
from dev.reliability.chaos.transports import replace_sockets
from dev.reliability.chaos.user_actions import UserActions

# Seconds within which the renders of a simulation start.
_START_WINDOW = 600.0
# Seconds after the end of a task in which what it has started is stopped.
_SETTLING_SECONDS = 45.0
_MAX_CLEARS = 2
_MAX_SECONDS = 6 * 3600.0
_FARM_RESTARTS = 6
_PRODUCT = "airflow_provider_renderbus"
# What these log is about many tasks.
_SHARED_LOGGERS = tuple(f"{_PRODUCT}.{name}" for name in ("farm", "polling.poller", "polling.shared_poller"))


class Triggerer:
    """The triggerer's process, whose requests any of its triggers may have sent."""

    is_last_try = False
    stores_id = True

    def __init__(self, users: UserActions) -> None:
        self._users = users
        self.faults_in_row = 0

    @property
    def is_hurried(self) -> bool:
        """Whether a kill is under way."""
        return self._users.kills > 0

    def log(self, line: str) -> None:
        """Log nothing: the request is about many tasks."""

    def set_at_risk_until(self, until: float) -> None:
        """Do nothing: a trigger sends nothing that costs money."""


class Simulation:
    """A farm, an Airflow and renders."""

    def __init__(self, folder: Path, seed: str, renders: int) -> None:
        self._folder, self._seed = folder, seed
        self._rng = Random(seed)  # noqa: S311 - repeatable on purpose
        self._low_balance = self._rng.random() < 0.25
        self._scenarios = [
            random_scenario(f"r{index:02}", self._rng, low_balance=self._low_balance)
            for index in range(renders)
        ]
        self.tasks: list[AirflowTask] = []
        self._lives: list[asyncio.Task[None]] = []

    def run(self) -> list[AirflowTask]:
        """Run everything to its end, and return the tasks with their histories."""
        virtual_time.run(self._run, worker.sleep, self._seed)
        return self.tasks

    async def _run(self) -> None:
        scenario = farm_scenario(self._scenarios, self._rng, low_balance=self._low_balance)
        with contextlib.ExitStack() as stack:
            network = Network(self._folder, scenario, self._rng)
            stack.callback(network.close)
            database = FarmDatabase(self._folder / "farm.db")
            stack.callback(database.close)
            self.tasks = [
                AirflowTask(index, each, network, self._rng) for index, each in enumerate(self._scenarios)
            ]
            tasks_by_name = {task.scenario.name: task for task in self.tasks}
            invariants = Invariants(database, tasks_by_name.__getitem__)
            network.before_request = invariants.before_request
            account = network.connection
            settings = Settings(
                domain=HOST, access_id=account["login"], access_key=account["password"], protocol="http"
            )
            users = UserActions(network, database, self._rng, settings)
            triggerer = Triggerer(users)
            stack.enter_context(
                replace_sockets(worker.request, lambda *request: network.post(triggerer, *request))
            )
            stack.enter_context(
                mock.patch.object(RuntimeTaskInstance, "get_task_states", self._get_task_states)
            )
            environment = {"AIRFLOW_CONN_RENDERBUS_DEFAULT": json.dumps(account)}
            stack.enter_context(mock.patch.dict(os.environ, environment))
            stack.enter_context(_logs_in_histories())
            async with asyncio.TaskGroup() as group:
                others = [
                    group.create_task(self._restart_farm(network, users)),
                    group.create_task(self._resume_and_pay(network, users)),
                ]
                others += [group.create_task(self._act_on(task, users)) for task in self.tasks]
                self._lives = [
                    group.create_task(self._run_task(task, users, invariants)) for task in self.tasks
                ]
                await asyncio.wait(self._lives)
                for other in others:
                    other.cancel()

    async def _act_on(self, task: AirflowTask, users: UserActions) -> None:
        await task.scheduled.wait()
        await users.act_randomly(task)

    async def _run_task(self, task: AirflowTask, users: UserActions, invariants: Invariants) -> None:
        await asyncio.sleep(self._rng.uniform(0, _START_WINDOW))
        task.scheduled.set()
        try:
            async with asyncio.timeout(_MAX_SECONDS):
                while await self._run_to_completion(task, users, invariants):
                    pass
        except TimeoutError:
            task.record_violation("it does not end")

    async def _run_to_completion(self, task: AirflowTask, users: UserActions, invariants: Invariants) -> bool:
        """Run a task until it ends, and return whether a user clears it then."""
        while task.state not in {"success", "failed"}:
            maximum = self._rng.choice([5, 120]) if task.state == "up_for_retry" else 10
            await asyncio.sleep(self._rng.uniform(0.1, maximum))
            await task.run_try()
        if not task.is_marked:
            invariants.after_task(task)
        await asyncio.sleep(_SETTLING_SECONDS)
        invariants.after_settling(task)
        if len(task.clears) >= _MAX_CLEARS or self._rng.random() < 0.6:
            return False
        if self._rng.random() < 0.25:
            task.make_run_again()
        else:
            users.give_new_tries(task)
        return True

    async def _restart_farm(self, network: Network, users: UserActions) -> None:
        """Restart the farm now and then, if nothing is killed whose render must be stopped at once."""
        for _ in range(_FARM_RESTARTS):
            await asyncio.sleep(self._rng.expovariate(1 / 200))
            workers = [task.worker for task in self.tasks if task.worker]
            if not (users.kills or any(each.is_hurried or each.is_last_try for each in workers)):
                await network.restart(self._rng.uniform(0.5, 6))

    async def _resume_and_pay(self, network: Network, users: UserActions) -> None:
        """Do what renders wait for: resume them after test frames, and pay."""
        while True:
            await asyncio.sleep(self._rng.uniform(30, 120))
            for task in self.tasks:
                if task.scenario.option("on_test_frames_done") == "wait":
                    await users.resume(task)
            if self._low_balance and network.is_up:
                network.top_up("0.5")

    def _get_task_states(self, *_: Any, **__: Any) -> dict[str, dict[str, str | None]]:
        is_trigger = asyncio.current_task() not in self._lives
        if is_trigger and self._rng.random() < 0.03:
            raise OSError("Airflow does not answer")
        states = {
            f"{TASK_ID}_{task.index}": None if task.state == "cleared" else task.state for task in self.tasks
        }
        return {RUN_ID: states}


class _HistoryHandler(logging.Handler):
    """Writes what the product logs into the history of the task that it is about."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith(_SHARED_LOGGERS):
            return
        if process := worker.current_worker():
            process.log(f"[{record.getMessage()}]")


@contextlib.contextmanager
def _logs_in_histories() -> Iterator[None]:
    """Keep what the product logs."""
    log = logging.getLogger(_PRODUCT)
    level = log.level
    with (
        mock.patch.object(log, "propagate", new=False),
        mock.patch.object(log, "handlers", [_HistoryHandler()]),
        # Airflow's own would write to its task logs.
        mock.patch.object(RenderbusRenderOperator, "log", log),
    ):
        log.setLevel(logging.INFO)
        try:
            yield
        finally:
            log.setLevel(level)
