"""Runs a poller against a fake farm, with waits for its tasks, in virtual time."""

import asyncio

from airflow_provider_renderbus.api.errors import AuthError, NoResponse
from airflow_provider_renderbus.polling.poller import Poller
from dev.harness.virtual_time_loop import run
from tests.polling.fake_farm import FakeFarm

INTERVAL = 60.0
DOWN = NoResponse("query_task_info", "down")
WRONG_KEY = AuthError("query_task_info", 602, "")


class PollerHarness:
    """A running poller, its farm and the waits.

    :ivar updates: time, status code and done frames of each update, by the task's id.
    :ivar waits: an asyncio task for each wait, by the task's id.
    """

    def __init__(self, task_ids=()):
        self.farm = FakeFarm(task_ids)
        self.loop = asyncio.get_running_loop()
        self.poller = Poller(self.farm, INTERVAL, clock=self.loop.time)
        self.updates = {}
        self.waits = {}

    async def __aenter__(self):
        self.running = asyncio.ensure_future(self.poller.run())
        return self

    async def __aexit__(self, *_):
        everything = [*self.waits.values(), self.running]
        for task in everything:
            task.cancel()
        await asyncio.gather(*everything, return_exceptions=True)

    def join(self, *task_ids, deadline=1e6):
        for task_id in task_ids:
            self.updates[task_id] = []
            self.waits[task_id] = asyncio.ensure_future(self._wait(task_id, self.updates[task_id], deadline))

    async def leave(self, *task_ids):
        for task_id in task_ids:
            self.waits[task_id].cancel()
        await asyncio.wait([self.waits[task_id] for task_id in task_ids])

    async def _wait(self, task_id, updates, deadline):
        with self.poller.watch(task_id, INTERVAL, deadline) as watcher:
            while True:
                task = await watcher.next_update()
                assert task.id == task_id
                updates.append((self.loop.time(), task.status.value, task.progress.done))

    def error_of(self, task_id):
        """Return the exception that a wait has ended with, or None."""
        return self.waits[task_id].exception() if self.waits[task_id].done() else None

    def updates_of(self, task_id):
        return [update for _, *update in self.updates[task_id]]


def run_with_poller(task_ids, body):
    """Run a test's body with a harness."""

    async def main():
        async with PollerHarness(task_ids) as harness:
            await body(harness)

    run(main())
