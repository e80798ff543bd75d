"""A farm in a dictionary, which answers the poller's calls at once or when it is told to."""

from __future__ import annotations

import asyncio

from airflow_provider_renderbus.api.reading import Unreadable


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
    :ivar asked: the moment and the numbers of each request.
    :ivar error: raised in place of an answer.
    :ivar open: cleared, requests stay under way until it is set.
    """

    def __init__(self, numbers=()):
        self.items = {number: item(number) for number in numbers}
        self.asked = []
        self.error = None
        self.open = asyncio.Event()
        self.open.set()
        self.under_way = 0
        self.most_under_way = 0

    async def send(self, call):
        numbers = call.body["taskIds"]
        self.asked.append((asyncio.get_running_loop().time(), numbers))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self.open.wait()
        finally:
            self.under_way -= 1
        error = self.error(numbers) if callable(self.error) else self.error
        if error:
            raise error
        try:
            return call.read({"items": [self.items[number] for number in numbers if number in self.items]})
        except Unreadable as problem:
            raise AssertionError(problem) from problem

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
