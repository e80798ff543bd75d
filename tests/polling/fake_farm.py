"""A farm in a dictionary, which answers the poller's calls at once or when it is told to."""

from __future__ import annotations

import asyncio

from airflow_provider_renderbus.api.parsing import ParseError


def item(number, status=5, done=0, cost=0.0, **more):
    """Return a task as the farm writes it."""
    return {
        "id": number,
        "taskStatus": status,
        "totalFrames": 10,
        "doneFrames": done,
        "renderConsume": cost,
        **more,
    }


class FakeFarm:
    """Answers calls about tasks.

    :ivar items: what it knows, by number.
    :ivar frames: the state of each frame by its name, by the task's number.
    :ivar profile: the account's.
    :ivar asked: the moment and the tasks' numbers of each request; the call's name in place of none.
    :ivar error: raised in place of an answer.
    :ivar open: cleared, requests stay under way until it is set.
    :ivar delay: seconds that an answer takes.
    :ivar failed: the moment of each answer that was an error.
    """

    def __init__(self, numbers=()):
        self.items = {number: item(number) for number in numbers}
        self.frames = {}
        self.profile = {"userId": 1, "usdbalance": 0}
        self.asked = []
        self.error = None
        self.delay = 0.0
        self.failed = []
        self.open = asyncio.Event()
        self.open.set()
        self.under_way = 0
        self.most_under_way = 0

    async def send(self, call):
        numbers = call.body.get("taskIds", [])
        self.asked.append((asyncio.get_running_loop().time(), numbers or call.name))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self.open.wait()
            if self.delay:
                await asyncio.sleep(self.delay)
        finally:
            self.under_way -= 1
        error = self.error(numbers) if callable(self.error) else self.error
        if error:
            self.failed.append(asyncio.get_running_loop().time())
            raise error
        try:
            return call.read(self._data(call))
        except ParseError as problem:
            raise AssertionError(problem) from problem

    def _data(self, call):
        if call.name == "query_user_profile":
            return self.profile
        if call.name == "query_task_frames":
            states = self.frames.get(call.body["taskId"], {})
            frames = [{"id": 1, "frameIndex": name, "frameStatus": state} for name, state in states.items()]
            return {"items": frames}
        return {"items": [self.items[number] for number in call.body["taskIds"] if number in self.items]}

    async def run(self, sequence):
        batch = next(sequence)
        while True:
            try:
                batch = sequence.send([await self.send(call) for call in batch])
            except StopIteration as end:
                return end.value

    def requests(self, start, end):
        """Return how many requests came from a moment until before another."""
        return sum(start <= moment < end for moment, _ in self.asked)
