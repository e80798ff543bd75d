"""Random actions of users and machines on a render: kills, clears, stops, restarts, top-ups."""

from __future__ import annotations

import asyncio
import time
from random import Random

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.clients.settings import Settings
from dev.harness.embedded_farm import InProcessClient
from dev.reliability.chaos.airflow import USER_ACTION, AirflowTask
from dev.reliability.chaos.farm_database import FarmDatabase
from dev.reliability.chaos.network import Network
from dev.reliability.chaos.scenarios import RETRIES
from dev.reliability.chaos.worker import MOMENTS

# Mean seconds between two actions on a render: some follow soon, others late.
_MEAN_DELAYS = [8.0, 120.0]
_MAX_ACTIONS = 5


class UserActions:
    """All that users and machines do to renders."""

    def __init__(self, network: Network, database: FarmDatabase, rng: Random, settings: Settings) -> None:
        self._network, self._database, self._rng = network, database, rng
        self._client = InProcessClient(network.execute, settings)
        self.kills = 0
        """How many kills are under way."""

    async def act_randomly(self, task: AirflowTask) -> None:
        """Act on a render some times."""
        actions = [
            *(self.kill, self.kill, self.kill),
            *(self.restart_triggerer, self.restart_triggerer),
            *(self.mark, self.clear, self.stop_on_farm, self.terminate),
            *(self.change_shots, self.clean_state_store),
        ]
        for _ in range(self._rng.randint(0, _MAX_ACTIONS)):
            # Much happens in the first seconds of a try.
            await asyncio.sleep(self._rng.expovariate(1 / self._rng.choice(_MEAN_DELAYS)))
            await self._rng.choice(actions)(task)

    async def kill(self, task: AirflowTask) -> None:
        """Kill the worker, or the next one, with SIGKILL at one of its next steps, if a retry follows."""
        kill = self._rng.randint(1, 8), self._rng.choice(MOMENTS)
        if task.worker is None:
            task.scheduled_kill = kill
        elif not task.worker.is_last_try and not task.worker.is_killed:
            task.worker.schedule_kill(*kill)

    async def terminate(self, task: AirflowTask) -> None:
        """Send the worker SIGTERM, if a retry follows."""
        if task.worker and _can_be_killed(task) and not task.worker.is_last_try:
            task.worker.terminate()

    async def restart_triggerer(self, task: AirflowTask) -> None:
        """Cancel the trigger; another triggerer runs it later."""
        if task.trigger:
            task.log("the triggerer is restarted")
            task.trigger.cancel()

    async def mark(self, task: AirflowTask) -> None:
        """Mark the task failed or success."""
        if _can_be_killed(task) and self._network.is_up:
            task.is_marked = True
            task.set_state(self._rng.choice(["failed", "failed", "success"]))
            await self._end(task)

    async def clear(self, task: AirflowTask) -> None:
        """Clear the task while it runs or waits."""
        if _can_be_killed(task) and self._network.is_up:
            if task.state == "running":
                task.set_state("restarting")
            else:
                self.give_new_tries(task)
            await self._end(task)

    def give_new_tries(self, task: AirflowTask) -> None:
        """Clear a task that does not run."""
        task.max_tries = task.try_number + RETRIES
        task.clears.append(time.time())
        task.set_state("cleared")

    async def change_shots(self, task: AirflowTask) -> None:
        """Put a shot at the top of the list: later tries of this task are asked for another one."""
        task.shot += 1
        task.log(f"the list of shots is changed: {task.scenario.scene(task.shot)}")

    async def clean_state_store(self, task: AirflowTask) -> None:
        """Remove what is stored, when no request of the task is on its way."""
        if time.time() >= task.at_risk_until and task.worker is None:
            task.lose_store()

    async def stop_on_farm(self, task: AirflowTask) -> None:
        """Stop the render in the farm's web console."""
        renders = self._database.renders(task.scenario.name)
        if renders and renders[-1].is_active and self._network.is_up:
            task.log(f"a user stops {renders[-1].id} on the farm")
            is_sent = self._network.stop_manually(renders[-1].id)
            render = self._database.render(renders[-1].id)
            # Not if it ran out of funds in the same moment.
            if is_sent and render and render.status is TaskStatus.STOP:
                task.stops.append(time.time())

    async def resume(self, task: AirflowTask) -> None:
        """Resume a render at full speed that waits after its test frames."""
        renders = self._database.renders(task.scenario.name)
        is_paused = renders and renders[-1].status is TaskStatus.FINISHED_TEST
        if is_paused and self._network.is_up and task.state in {"running", "deferred"}:
            task.log(f"a user resumes {renders[-1].id} at full speed")
            self._client.send(calls.full_speed([renders[-1].id]))
            task.resumed_at = time.time()

    async def _end(self, task: AirflowTask) -> None:
        """End what runs for a task on which a user has acted; Airflow needs a moment for that."""
        worker, trigger = task.worker, task.trigger
        self.kills += 1
        try:
            if worker:
                worker.prepare_sigterm()
                await asyncio.sleep(self._rng.uniform(0, 5))
                worker.terminate()
            elif trigger:
                await asyncio.sleep(self._rng.uniform(0, 2))
                while not trigger.done():
                    # Airflow cancels again and again.
                    trigger.cancel(USER_ACTION)
                    await asyncio.wait([trigger], timeout=1)
        finally:
            self.kills -= 1


def _can_be_killed(task: AirflowTask) -> bool:
    """Return whether something runs that could stop the render, and no request of it is still on its way."""
    if time.time() < task.at_risk_until:
        return False
    if task.state == "running":
        return task.worker is not None and not task.worker.is_killed
    return task.state == "deferred" and task.trigger is not None
