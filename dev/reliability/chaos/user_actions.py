"""What people and machines do to a render at random moments: kills, clears, stops, restarts, top-ups."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.clients.request_flow import Response, SigningSession
from dev.reliability.chaos.airflow import USER_ACTION
from dev.reliability.chaos.scenarios import RETRIES
from dev.reliability.chaos.worker import MOMENTS

if TYPE_CHECKING:
    from random import Random

    from airflow_provider_renderbus.api.call import Call
    from airflow_provider_renderbus.clients.settings import Settings
    from dev.reliability.chaos.airflow import Task
    from dev.reliability.chaos.farm_database import Books
    from dev.reliability.chaos.network import Network

# Seconds between two acts on a render, on average: some follow soon, others late.
_SOON, _BETWEEN = 8.0, 120.0
_MOST_ACTS = 5


class People:
    """All who act on renders.

    :param network: the way to the farm.
    :param books: the farm's.
    :param chance: what decides.
    :param settings: the account.
    """

    def __init__(self, network: Network, books: Books, chance: Random, settings: Settings) -> None:
        self._network, self._books, self._chance = network, books, chance
        self._signing = SigningSession(settings, clock=time.time, first_nonce=0)
        self.kills = 0
        """How many kills are under way."""

    async def trouble(self, task: Task) -> None:
        """Act on a render some times."""
        acts = [
            *(self.kill, self.kill, self.kill),
            *(self.restart_triggerer, self.restart_triggerer),
            *(self.mark, self.clear, self.stop_on_farm, self.terminate),
        ]
        for _ in range(self._chance.randint(0, _MOST_ACTS)):
            # Much happens in the first seconds of a try.
            await asyncio.sleep(self._chance.expovariate(1 / self._chance.choice([_SOON, _BETWEEN])))
            await self._chance.choice(acts)(task)

    async def kill(self, task: Task) -> None:
        """End the worker, or the next one, with SIGKILL at one of its next steps, if a retry follows."""
        doom = self._chance.randint(1, 8), self._chance.choice(MOMENTS)
        if task.worker is None:
            task.doom = doom
        elif not task.worker.is_doomed and not task.worker.is_last_chance:
            task.worker.doom(*doom)

    async def terminate(self, task: Task) -> None:
        """Send the worker SIGTERM, if a retry follows."""
        if task.worker and _can_be_killed(task) and not task.worker.is_last_chance:
            task.worker.terminate()

    async def restart_triggerer(self, task: Task) -> None:
        """Stop the trigger; another triggerer runs it later."""
        if task.waiting:
            task.tell("the triggerer is restarted")
            task.waiting.cancel()

    async def mark(self, task: Task) -> None:
        """Mark the task failed or success."""
        if _can_be_killed(task) and self._network.is_up:
            task.is_decided = True
            task.go_to(self._chance.choice(["failed", "failed", "success"]))
            await self._end(task)

    async def clear(self, task: Task) -> None:
        """Clear the task while it runs or waits."""
        if _can_be_killed(task) and self._network.is_up:
            if task.state == "running":
                task.go_to("restarting")
            else:
                self.grant(task)
            await self._end(task)

    def grant(self, task: Task) -> None:
        """Clear a task that does not run: it gets new tries."""
        task.max_tries = task.try_number + RETRIES
        task.clears.append(time.time())
        task.go_to("cleared")

    async def stop_on_farm(self, task: Task) -> None:
        """Stop the render on the farm's page."""
        renders = self._books.renders(task.plan.name)
        if renders and renders[-1].is_active and self._network.is_up:
            task.tell(f"a person stops {renders[-1].number} on the farm")
            task.stops.append(time.time())
            self._order(calls.stop_task([renders[-1].number]))

    async def go_on(self, task: Task) -> None:
        """Ask for full speed where a render waits for a person to."""
        renders = self._books.renders(task.plan.name)
        pauses = renders and renders[-1].state is TaskStatus.FINISHED_TEST
        if pauses and self._network.is_up and task.state in {"running", "deferred"}:
            task.tell(f"a person asks for full speed of {renders[-1].number}")
            self._order(calls.full_speed([renders[-1].number]))

    async def _end(self, task: Task) -> None:
        """End what runs for a task on which a person has acted; Airflow takes a moment to tell it."""
        worker, waiting = task.worker, task.waiting
        self.kills += 1
        try:
            if worker:
                worker.condemn()
                await asyncio.sleep(self._chance.uniform(0, 5))
                worker.terminate()
            elif waiting:
                await asyncio.sleep(self._chance.uniform(0, 2))
                while not waiting.done():
                    # Airflow cancels again and again.
                    waiting.cancel(USER_ACTION)
                    await asyncio.wait([waiting], timeout=1)
        finally:
            self.kills -= 1

    def _order(self, call: Call[Any]) -> None:
        request_flow = self._signing.request_flow(call)
        request = next(request_flow)
        while True:
            answer = self._network.order(request.url, request.headers, request.body)
            if isinstance(answer, OSError):
                raise answer
            try:
                request = request_flow.send(Response(answer[0], answer[2]))
            except StopIteration:
                return


def _can_be_killed(task: Task) -> bool:
    """Tell whether somebody is there who could stop the render, and nothing of it is still on its way."""
    if time.time() < task.risky_until:
        return False
    if task.state == "running":
        return task.worker is not None and not task.worker.is_doomed
    return task.state == "deferred" and task.waiting is not None
