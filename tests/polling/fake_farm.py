"""A farm in a dictionary, which answers the poller's calls at once, late or not at all."""

from __future__ import annotations

import asyncio

from airflow_provider_renderbus.api.errors import InvalidResponse
from airflow_provider_renderbus.api.parsing import ParseError


def task_item(task_id, status=5, done=0, cost=0.0, **fields):
    """Return a task as the farm writes it."""
    return {
        "id": task_id,
        "taskStatus": status,
        "totalFrames": 10,
        "doneFrames": done,
        "renderConsume": cost,
        **fields,
    }


class FakeFarm:
    """Answers calls about tasks.

    :ivar items: its tasks, by id.
    :ivar frames: the status of each frame by its name, by the task's id.
    :ivar profile: of the account.
    :ivar requests: the time of each request, with its task ids or the name of its call.
    :ivar error: raised instead of an answer; or a function that returns it, given the task ids.
    :ivar gate: while it is cleared, requests stay in flight.
    :ivar delay: seconds before an answer.
    :ivar failures: the time of each answer that was an error.
    """

    def __init__(self, task_ids=()):
        self.items = {task_id: task_item(task_id) for task_id in task_ids}
        self.frames = {}
        self.profile = {"userId": 1, "usdbalance": 0}
        self.requests = []
        self.error = None
        self.delay = 0.0
        self.failures = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.in_flight = 0
        self.max_in_flight = 0

    async def send(self, call):
        task_ids = call.body.get("taskIds", [])
        self.requests.append((asyncio.get_running_loop().time(), task_ids or call.name))
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        try:
            await self.gate.wait()
            if self.delay:
                await asyncio.sleep(self.delay)
        finally:
            self.in_flight -= 1
        error = self.error(task_ids) if callable(self.error) else self.error
        if error:
            self.failures.append(asyncio.get_running_loop().time())
            raise error
        try:
            return call.read(self._data(call))
        except ParseError as parse_error:
            raise InvalidResponse(call.name, str(parse_error)) from None

    def _data(self, call):
        if call.name == "query_user_profile":
            return self.profile
        if call.name == "query_task_frames":
            statuses = self.frames.get(call.body["taskId"], {})
            frames = [
                {"id": 1, "frameIndex": name, "frameStatus": status} for name, status in statuses.items()
            ]
            return {"items": frames}
        return {"items": [self.items[task_id] for task_id in call.body["taskIds"] if task_id in self.items]}

    async def run(self, flow):
        batch = next(flow)
        while True:
            try:
                batch = flow.send([await self.send(call) for call in batch])
            except StopIteration as stop:
                return stop.value

    def request_count(self, start, end):
        """Return the number of requests from one time until before another."""
        return sum(start <= moment < end for moment, _ in self.requests)
