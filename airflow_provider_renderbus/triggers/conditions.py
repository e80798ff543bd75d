"""Waiting for frames, files or money."""

from __future__ import annotations

import contextlib
import functools
import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.polling.watchers import DeadlineExceeded
from airflow_provider_renderbus.renders.conditions import Frames, FramesDone, restored
from airflow_provider_renderbus.renders.results import Event, timed_out
from airflow_provider_renderbus.triggers.base import RenderbusTrigger

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.clients.flows import Sequence
    from airflow_provider_renderbus.polling.poller import Poller
    from airflow_provider_renderbus.renders.conditions import Condition, Look

# Airflow's own `self.log` would be made anew for each of thousands of triggers.
log = logging.getLogger(__name__)


class RenderbusConditionTrigger(RenderbusTrigger):
    """Waits until a condition is met, cannot be met any more, or the deadline is over.

    :param renderbus_conn_id: id of the connection.
    :param condition: the condition, as `stored` made it.
    :param poll_interval: seconds between two looks.
    :param deadline: the moment until which to wait, in seconds since 1970.
    :param version: of these arguments; a trigger may have been stored by another version of this provider.
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
        """Return the arguments that only this kind of trigger has."""
        return {"condition": self.condition}

    async def wait(self, poller: Poller) -> Event:
        """Wait for the condition."""
        news = None
        try:
            async with contextlib.aclosing(self._looks(poller)) as looks:
                async for look in looks:
                    if look.news != news:
                        news = look.news
                        log.info(news)
                    if look.end:
                        return look.end
        except DeadlineExceeded:
            pass
        return timed_out(news)

    async def _looks(self, poller: Poller) -> AsyncGenerator[Look]:
        """Yield what there is to see, as often as there may be something new."""
        condition = restored(self.condition)
        if isinstance(condition, FramesDone):
            # Frames are done when the task's counters change, and the poller sees a hundred tasks at once.
            # Only the names of chosen frames take a request more.
            tasks = poller.watch(condition.number, self.poll_interval, self.deadline)
            async with contextlib.aclosing(tasks):
                async for task in tasks:
                    yield condition.judge(await self._frames(poller, condition, task))
                    if condition.frames and task.ended:
                        # Its counters will not change any more, but its list of frames may be late.
                        break
        async with contextlib.aclosing(self._answers(poller, condition, condition.ask)) as answers:
            async for answer in answers:
                yield condition.judge(answer)

    async def _frames(self, poller: Poller, condition: FramesDone, task: TaskInfo) -> Frames:
        if condition.frames is None:
            return Frames(task)
        ask = functools.partial(condition.ask_about, task)
        async with contextlib.aclosing(self._answers(poller, condition, ask)) as answers:
            frames: Frames = await anext(answers)
            return frames

    def _answers(
        self, poller: Poller, condition: Condition, ask: Callable[[], Sequence[Any]]
    ) -> AsyncGenerator[Any]:
        return poller.queries.poll(ask, self.poll_interval, self.deadline, condition.question)
