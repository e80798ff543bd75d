"""The trigger of sensors that wait for frames, files or funds."""

from __future__ import annotations

import contextlib
import functools
import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.polling.watchers import DeadlineExceeded
from airflow_provider_renderbus.renders.conditions import FramesDone, FramesSnapshot, condition_from_dict
from airflow_provider_renderbus.renders.results import WaitResult, timed_out
from airflow_provider_renderbus.triggers.base import RenderbusTrigger

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.clients.flows import Flow
    from airflow_provider_renderbus.polling.poller import Poller
    from airflow_provider_renderbus.renders.conditions import Condition, Evaluation

# Airflow's `self.log` would create a logger for each of thousands of triggers.
log = logging.getLogger(__name__)


class RenderbusConditionTrigger(RenderbusTrigger):
    """Waits until a condition is met or cannot be met any more, or the deadline passes.

    :param renderbus_conn_id: id of the connection.
    :param condition: the condition as JSON, as `condition_to_dict` returns it.
    :param poll_interval: seconds between polls.
    :param deadline: when to end the wait, in seconds since 1970.
    :param version: version of these arguments; another version of this provider may have stored them.
    """

    ARGUMENTS_VERSION = 1

    def __init__(
        self,
        renderbus_conn_id: str,
        condition: dict[str, Any],
        poll_interval: float,
        deadline: float,
        version: int = ARGUMENTS_VERSION,
    ) -> None:
        super().__init__(renderbus_conn_id, poll_interval, deadline, version)
        self.condition = condition

    def trigger_kwargs(self) -> dict[str, Any]:
        """Return the arguments that only this class has."""
        return {"condition": self.condition}

    async def wait(self, poller: Poller) -> WaitResult:
        """Wait for the condition."""
        last_message = None
        try:
            async with contextlib.aclosing(self._evaluations(poller)) as evaluations:
                async for evaluation in evaluations:
                    if evaluation.message != last_message:
                        last_message = evaluation.message
                        log.info(last_message)
                    if evaluation.result:
                        return evaluation.result
        except DeadlineExceeded:
            pass
        return timed_out(last_message)

    async def _evaluations(self, poller: Poller) -> AsyncGenerator[Evaluation]:
        """Evaluate the condition whenever its result may have changed."""
        condition = condition_from_dict(self.condition)
        if isinstance(condition, FramesDone):
            # Frames are done when the counters of the task change, which are part of a page of a hundred
            # tasks. Only the names of frames take another request.
            tasks = poller.watch(condition.task_id, self.poll_interval, self.deadline)
            async with contextlib.aclosing(tasks):
                async for task in tasks:
                    yield condition.evaluate(await self._fetch_frames(poller, condition, task))
                    if condition.frames and task.is_terminal:
                        # The counters will not change any more, but the list of frames may be late.
                        break
        results = self._fetch_repeatedly(poller, condition, condition.fetch)
        async with contextlib.aclosing(results):
            async for result in results:
                yield condition.evaluate(result)

    async def _fetch_frames(self, poller: Poller, condition: FramesDone, task: TaskInfo) -> FramesSnapshot:
        if condition.frames is None:
            return FramesSnapshot(task)
        results = self._fetch_repeatedly(poller, condition, functools.partial(condition.fetch_frames, task))
        async with contextlib.aclosing(results):
            frames: FramesSnapshot = await anext(results)
            return frames

    def _fetch_repeatedly(
        self, poller: Poller, condition: Condition, make_flow: Callable[[], Flow[Any]]
    ) -> AsyncGenerator[Any]:
        return poller.queries.poll(make_flow, self.poll_interval, self.deadline, condition.query_key)
