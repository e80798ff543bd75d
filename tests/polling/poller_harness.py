"""A poller at work on a farm in a dictionary, and those who wait, on a clock that is moved by hand."""

import asyncio
import contextlib

from airflow_provider_renderbus.api.errors import AuthError, NoResponse
from airflow_provider_renderbus.polling.poller import Poller
from dev.harness.virtual_time_loop import run
from tests.polling.fake_farm import FakeFarm

INTERVAL = 60.0
DOWN = NoResponse("query_task_info", "down")
WRONG_KEY = AuthError("query_task_info", 602, "")


class Scene:
    """A poller at work on a farm, and those who wait."""

    def __init__(self, numbers=()):
        self.farm = FakeFarm(numbers)
        self.loop = asyncio.get_running_loop()
        self.poller = Poller(self.farm, INTERVAL, clock=self.loop.time)
        self.heard = {}
        self.waiting = {}

    async def __aenter__(self):
        self.serving = asyncio.ensure_future(self.poller.run())
        return self

    async def __aexit__(self, *_):
        everything = [*self.waiting.values(), self.serving]
        for task in everything:
            task.cancel()
        await asyncio.gather(*everything, return_exceptions=True)

    def join(self, *numbers, deadline=1e6):
        for number in numbers:
            self.heard[number] = []
            self.waiting[number] = asyncio.ensure_future(self._wait(number, self.heard[number], deadline))

    async def leave(self, *numbers):
        for number in numbers:
            self.waiting[number].cancel()
        await asyncio.wait([self.waiting[number] for number in numbers])

    async def _wait(self, number, heard, deadline):
        async with contextlib.aclosing(self.poller.watch(number, INTERVAL, deadline)) as tasks:
            async for task in tasks:
                assert task.id == number
                heard.append((self.loop.time(), task.status.value, task.progress.done))

    def ends(self, number):
        """Return why a watcher's waiting is over, or None."""
        return self.waiting[number].exception() if self.waiting[number].done() else None

    def hears(self, number):
        return [news for _, *news in self.heard[number]]


def scene(numbers, body):
    """Run a scene."""

    async def play():
        async with Scene(numbers) as it:
            await body(it)

    run(play())
