"""Waiting for tasks to reach a state."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger

from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.polling.batched_stop import stop_tasks
from airflow_provider_renderbus.polling.shielding import finish_despite_cancellation
from airflow_provider_renderbus.polling.task_instance_state import is_active
from airflow_provider_renderbus.polling.watchers import DeadlineExceeded
from airflow_provider_renderbus.renders.progress_log import ProgressLines
from airflow_provider_renderbus.renders.results import End, Event, describe, judge, timed_out, together
from airflow_provider_renderbus.triggers.base import RenderbusTrigger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_renderbus.polling.poller import Poller

# Airflow's own `self.log` would be made anew for each of thousands of triggers.
log = logging.getLogger(__name__)


class RenderbusTaskTrigger(RenderbusTrigger):
    """Waits until tasks have all reached a state, one has failed to, or the deadline is over.

    :param renderbus_conn_id: id of the connection.
    :param render_task_ids: the tasks' numbers.
    :param target_states: codes of the states that are waited for.
    :param failed_states: codes of the states that count as failed; None for every end that is not wanted.
    :param poll_interval: seconds between two looks.
    :param deadline: the moment until which to wait, in seconds since 1970.
    :param cancel_on_kill: whether the tasks are stopped when the Airflow task is killed.
    :param ignore_stops_until: until this moment, in seconds since 1970, a stop is that of an earlier try.
    :param max_cost: what each task may cost, in the account's currency, as text; one that goes on and has
        cost more is stopped at once.
    :param version: of these arguments; a trigger may have been stored by another version of this provider.
    """

    ARGUMENTS_VERSION = 2

    def __init__(
        self,
        renderbus_conn_id: str,
        render_task_ids: Sequence[int],
        target_states: Sequence[int],
        failed_states: Sequence[int] | None,
        poll_interval: float,
        deadline: float,
        cancel_on_kill: bool = False,
        ignore_stops_until: float = 0.0,
        max_cost: str | None = None,
        version: int = ARGUMENTS_VERSION,
    ) -> None:
        super().__init__(renderbus_conn_id, poll_interval, deadline, version)
        self.render_task_ids = list(render_task_ids)
        self.target_states = list(target_states)
        self.failed_states = None if failed_states is None else list(failed_states)
        self.cancel_on_kill = cancel_on_kill
        self.ignore_stops_until = ignore_stops_until
        self.max_cost = max_cost

    def trigger_kwargs(self) -> dict[str, Any]:
        """Return the arguments that only this kind of trigger has."""
        return {
            "render_task_ids": self.render_task_ids,
            "target_states": self.target_states,
            "failed_states": self.failed_states,
            "cancel_on_kill": self.cancel_on_kill,
            "ignore_stops_until": self.ignore_stops_until,
            "max_cost": self.max_cost,
        }

    async def on_kill(self) -> None:
        """Stop the tasks: a person or the scheduler has ended the Airflow task (Airflow 3.3 and later)."""
        await self._stop_on_cancel(if_unknown=True)

    async def on_cancelled(self) -> None:
        """Stop the tasks where this may be a kill: before Airflow 3.3 nothing else tells of one.

        It may as well be the end of this triggerer, in which Airflow soon answers no more.
        """
        if not hasattr(BaseTrigger, "on_kill"):
            await self._stop_on_cancel(if_unknown=False)

    async def _stop_on_cancel(self, *, if_unknown: bool) -> None:
        """Stop the tasks unless the Airflow task goes on.

        :param if_unknown: whether to stop them where Airflow does not tell.
        """
        if self.cancel_on_kill:
            await finish_despite_cancellation(self._stop_unless_owned(without_answer=if_unknown))

    async def _stop_unless_owned(self, *, without_answer: bool) -> None:
        owned = await is_active(self.task_instance)
        if owned or (owned is None and not without_answer):
            log.info(
                "Another try or triggerer waits for task %s now", ", ".join(map(str, self.render_task_ids))
            )
            return
        log.warning("Killed: %s", await self._stop())

    async def _stop(self) -> str:
        return await stop_tasks(self.renderbus_conn_id, self.poll_interval, self.render_task_ids)

    async def wait(self, poller: Poller) -> Event:
        """Wait for all the tasks; the first that fails ends the waiting."""
        if len(self.render_task_ids) == 1:
            # The usual case, of which there may be thousands, needs no asyncio task of its own.
            return await self._given_up(together([await self._end_of(self.render_task_ids[0], poller)]))
        watching = [asyncio.ensure_future(self._end_of(number, poller)) for number in self.render_task_ids]
        try:
            for ended in asyncio.as_completed(watching):
                event = await ended
                if event.end not in {End.REACHED, End.TIMED_OUT}:
                    return event
        finally:
            for watch in watching:
                watch.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
        return await self._given_up(together([watch.result() for watch in watching]))

    async def _given_up(self, event: Event) -> Event:
        """Stop tasks whose time is over at once, for the worker that hears of it may have to wait."""
        if event.end is End.TIMED_OUT and self.cancel_on_kill:
            log.warning("%s: %s", event.message, await self._stop())
        return event

    async def _end_of(self, number: int, poller: Poller) -> Event:
        wanted = tuple(map(TaskStatus, self.target_states))
        failed = None if self.failed_states is None else tuple(map(TaskStatus, self.failed_states))
        max_cost = None if self.max_cost is None else Decimal(self.max_cost)
        lines = ProgressLines()
        last = None
        watch = poller.watch(number, self.poll_interval, self.deadline)
        try:
            async with contextlib.aclosing(watch) as tasks:
                async for task in tasks:
                    if line := lines.line(task):
                        log.info(line)
                    forgiving = time.time() < self.ignore_stops_until
                    if event := judge(task, wanted, failed, forgiving=forgiving, max_cost=max_cost):
                        if event.end is End.OVER_BUDGET:
                            # The worker that hears of it may have to wait for its turn.
                            log.warning("%s: %s", event.message, await self._stop())
                        return event
                    last = describe(task)
                    # The wait for the next news may be long, and a model is large.
                    del task, line
        except DeadlineExceeded:
            pass
        return timed_out(last)
