"""The trigger of sensors that wait for frames, files or funds."""

from __future__ import annotations

import contextlib
import functools
import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.polling.loop_logger import LoopLogger
from airflow_provider_renderbus.polling.watchers import DeadlineExceeded
from airflow_provider_renderbus.renders.conditions import (
    FramesDone,
    FramesSnapshot,
    RenderAdvanced,
    condition_from_dict,
)
from airflow_provider_renderbus.renders.results import timed_out
from airflow_provider_renderbus.triggers.base import RenderbusTrigger

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.clients.flows import Flow
    from airflow_provider_renderbus.polling.poller import Poller
    from airflow_provider_renderbus.renders.conditions import Condition, Evaluation
    from airflow_provider_renderbus.renders.results import WaitResult

# Airflow's `self.log` would create a logger for each of thousands of triggers.
log = LoopLogger(logging.getLogger(__name__))


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
        self._last_message: str | None = None

    def trigger_kwargs(self) -> dict[str, Any]:
        """Return the arguments that only this class has."""
        return {"condition": self.condition}

    def check_arguments(self) -> None:
        """Check the stored condition before anything is polled."""
        condition_from_dict(self.condition)

    async def wait(self, poller: Poller) -> WaitResult:
        """Wait for the condition."""
        condition = condition_from_dict(self.condition)
        try:
            if isinstance(condition, RenderAdvanced):
                with poller.watch(condition.task_id, self.poll_interval, self.deadline) as watcher:
                    return await watcher.wait_for(lambda task: self._result_of(condition.evaluate(task)))
            if isinstance(condition, FramesDone) and (result := await self._watch(poller, condition)):
                return result
            async with contextlib.aclosing(self._poll(poller, condition, condition.fetch)) as evaluations:
                async for evaluation in evaluations:
                    if result := self._result_of(evaluation):
                        return result
        except DeadlineExceeded:
            pass
        return timed_out(self._last_message)

    async def _watch(self, poller: Poller, condition: FramesDone) -> WaitResult | None:
        """Wait for frames as long as the counters of their task can change.

        The counters are part of a page of a hundred tasks. Only the names of frames take other requests.

        :return: None if the task has ended and its list of frames may be late.
        """
        with poller.watch(condition.task_id, self.poll_interval, self.deadline) as watcher:
            while True:
                task = await watcher.wait_for(functools.partial(self._needs_frames, condition))
                fetch = functools.partial(condition.fetch_frames, task)
                async with contextlib.aclosing(self._poll(poller, condition, fetch)) as evaluations:
                    result = self._result_of(await anext(evaluations))
                if result or task.is_terminal:
                    return result

    def _needs_frames(self, condition: FramesDone, task: TaskInfo) -> TaskInfo | None:
        """Return a task whose frames are to be fetched; None if its counters say that more must be done."""
        if condition.needs_frames(task) or task.is_terminal:
            return task
        self._result_of(condition.evaluate(FramesSnapshot(task)))
        return None

    def _poll(
        self, poller: Poller, condition: Condition, fetch: Callable[[], Flow[Any]]
    ) -> AsyncGenerator[Evaluation]:
        return poller.queries.poll(
            fetch, self.poll_interval, self.deadline, condition.query_key, condition.evaluate
        )

    def _result_of(self, evaluation: Evaluation) -> WaitResult | None:
        if evaluation.message != self._last_message:
            self._last_message = evaluation.message
            log.info(evaluation.message)
        return evaluation.result
