"""Waiting for tasks to reach a state."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.triggers.base import RenderbusTrigger
from airflow_provider_renderbus.triggers.events import End, Event, describe, judge, timed_out
from airflow_provider_renderbus.triggers.progress import ProgressLines
from airflow_provider_renderbus.triggers.watcher import DeadlinePassed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_renderbus.triggers.poller import Poller

# Airflow's own `self.log` would be made anew for each of thousands of triggers.
log = logging.getLogger(__name__)


class RenderbusTaskTrigger(RenderbusTrigger):
    """Waits until tasks have all reached a state, one has failed to, or the deadline is over.

    :param renderbus_conn_id: id of the connection.
    :param numbers: the tasks' numbers.
    :param wanted: codes of the states that are waited for.
    :param failed: codes of the states that count as failed; None for every end that is not wanted.
    :param poll_interval: seconds between two looks.
    :param deadline: the moment until which to wait, in seconds since 1970.
    :param version: of these arguments; a trigger may have been stored by an older provider.
    """

    def __init__(
        self,
        renderbus_conn_id: str,
        numbers: Sequence[int],
        wanted: Sequence[int],
        failed: Sequence[int] | None,
        poll_interval: float,
        deadline: float,
        version: int = 1,
    ) -> None:
        super().__init__(renderbus_conn_id, poll_interval, deadline, version)
        self.numbers = list(numbers)
        self.wanted = list(wanted)
        self.failed = None if failed is None else list(failed)

    def own_arguments(self) -> dict[str, Any]:
        """Return the arguments that only this kind of trigger has."""
        return {"numbers": self.numbers, "wanted": self.wanted, "failed": self.failed}

    async def end(self, poller: Poller) -> Event:
        """Wait for all the tasks; the first that fails ends the waiting."""
        if len(self.numbers) == 1:
            # The usual case, of which there may be thousands, needs no asyncio task of its own.
            return _together([await self._end_of(self.numbers[0], poller)])
        watching = [asyncio.ensure_future(self._end_of(number, poller)) for number in self.numbers]
        try:
            for ended in asyncio.as_completed(watching):
                event = await ended
                if event.end in {End.FAILED, End.FAILED_FOR_GOOD}:
                    return event
        finally:
            for watch in watching:
                watch.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
        return _together([watch.result() for watch in watching])

    async def _end_of(self, number: int, poller: Poller) -> Event:
        wanted = tuple(map(TaskStatus, self.wanted))
        failed = None if self.failed is None else tuple(map(TaskStatus, self.failed))
        lines = ProgressLines()
        last = None
        watch = poller.watch(number, self.poll_interval, self.deadline)
        try:
            async with contextlib.aclosing(watch) as tasks:
                async for task in tasks:
                    if line := lines.line(task):
                        log.info(line)
                    if event := judge(task, wanted, failed):
                        return event
                    last = describe(task)
                    # The wait for the next news may be long, and a model is large.
                    del task, line
        except DeadlinePassed:
            pass
        return timed_out(last)


def _together(events: Sequence[Event]) -> Event:
    """Return how waiting for all of some tasks ended: well, or like the first that did not end well."""
    for event in events:
        if event.end is not End.REACHED:
            return event
    results = [event.result for event in events if isinstance(event.result, dict)]
    return Event(End.REACHED, "; ".join(event.message for event in events), results)
