"""The trigger of operators and sensors that wait for renders to reach a state."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger

from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.api.validation import parse_decimal, parse_task_ids
from airflow_provider_renderbus.polling.loop_logger import LoopLogger, written
from airflow_provider_renderbus.polling.shielding import finish_despite_cancellation, spawn
from airflow_provider_renderbus.polling.task_instance_state import is_active, prepare_queries
from airflow_provider_renderbus.polling.watchers import DeadlineExceeded
from airflow_provider_renderbus.renders.results import (
    Outcome,
    WaitResult,
    combine,
    describe,
    evaluate_task,
    timed_out,
)
from airflow_provider_renderbus.triggers.base import RenderbusTrigger

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.polling.poller import Poller

# Airflow's `self.log` would create a logger for each of thousands of triggers.
log = LoopLogger(logging.getLogger(__name__))

USER_ACTION = "__airflow_user_action__"
"""The message with which Airflow 3.3 cancels a trigger whose task a user or the scheduler has ended."""


class RenderbusTaskTrigger(RenderbusTrigger):
    """Waits until all renders have reached a target state, one has failed, or the deadline passes.

    :param renderbus_conn_id: id of the connection.
    :param render_task_ids: ids of the renders.
    :param target_states: codes of the states to wait for.
    :param failed_states: codes of the states that count as failed; None for every terminal state that is no
        target.
    :param poll_interval: seconds between polls.
    :param deadline: when to end the wait, in seconds since 1970.
    :param cancel_on_kill: whether the renders are stopped when the Airflow task is killed.
    :param ignore_stops_until: a stop before this time, in seconds since 1970, was meant for an earlier try.
    :param max_cost: budget of each render, in the account's currency, as text.
    :param stop_over_budget: whether the renders are stopped at once if one exceeds the budget.
    :param ignore_api_stop: whether a stop through the API was meant for an earlier try too, however late.
    :param version: version of these arguments; another version of this provider may have stored them.
    """

    ARGUMENTS_VERSION = 2
    _stopping: asyncio.Future[None] | None = None

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
        stop_over_budget: bool = True,
        ignore_api_stop: bool = False,
        version: int = ARGUMENTS_VERSION,
    ) -> None:
        super().__init__(renderbus_conn_id, poll_interval, deadline, version)
        self.render_task_ids = list(render_task_ids)
        self.target_states = list(target_states)
        self.failed_states = None if failed_states is None else list(failed_states)
        self.cancel_on_kill = cancel_on_kill
        self.ignore_stops_until = ignore_stops_until
        self.max_cost = max_cost
        self.stop_over_budget = stop_over_budget
        self.ignore_api_stop = ignore_api_stop

    def trigger_kwargs(self) -> dict[str, Any]:
        """Return the arguments that only this class has."""
        return {
            "render_task_ids": self.render_task_ids,
            "target_states": self.target_states,
            "failed_states": self.failed_states,
            "cancel_on_kill": self.cancel_on_kill,
            "ignore_stops_until": self.ignore_stops_until,
            "max_cost": self.max_cost,
            "stop_over_budget": self.stop_over_budget,
            "ignore_api_stop": self.ignore_api_stop,
        }

    def check_arguments(self) -> None:
        """Check the stored arguments before anything is polled."""
        parse_task_ids("render_task_ids", self.render_task_ids)
        self._criteria()

    async def on_kill(self) -> None:
        """Stop the renders: a user or the scheduler has ended the Airflow task (Airflow 3.3 and later)."""
        await self._stop_on_cancel(if_unknown=True)

    async def on_cancelled(self, cancellation: asyncio.CancelledError) -> None:
        """Stop the renders if this may be a kill.

        Airflow 3.3 marks a kill, but calls :meth:`on_kill` only if it is not cancelled again before. So the
        stop begins here, and nothing is awaited. Before 3.3 a kill is a cancellation like any other. It may
        also be the shutdown of this triggerer, in which Airflow soon stops answering.
        """
        if not hasattr(BaseTrigger, "on_kill"):
            await self._stop_on_cancel(if_unknown=False)
        elif self.cancel_on_kill and USER_ACTION in cancellation.args:
            self._begin_stop(if_unknown=True)

    async def _stop_on_cancel(self, *, if_unknown: bool) -> None:
        """Stop the renders unless the Airflow task is active; of an unknown state, `if_unknown` decides."""
        if self.cancel_on_kill:
            await finish_despite_cancellation(self._begin_stop(if_unknown=if_unknown))

    def _begin_stop(self, *, if_unknown: bool) -> asyncio.Future[None]:
        """Begin the stop unless it has begun, and return the task in which it runs."""
        if self._stopping is None:
            self._stopping = spawn(self._stop_unless_active(if_unknown=if_unknown))
        return self._stopping

    async def _stop_unless_active(self, *, if_unknown: bool) -> None:
        ids = ", ".join(map(str, self.render_task_ids))
        try:
            active = await is_active(self.task_instance)
            if active or (active is None and not if_unknown):
                log.info("Render %s: not stopped, a retry or another triggerer may wait for it", ids)
                return
            log.warning("The Airflow task was killed: %s", await self._stop())
        except Exception:
            # Nothing may be left that awaits this.
            log.exception("Render %s: could not be stopped, may still be running and cost money", ids)
        finally:
            await written()

    async def _stop(self) -> str:
        from airflow_provider_renderbus.polling.batched_stop import stop_tasks

        return await stop_tasks(self.renderbus_conn_id, self.poll_interval, self.render_task_ids)

    async def wait(self, poller: Poller) -> WaitResult:
        """Wait for all renders; the first one that fails ends the wait."""
        if self.cancel_on_kill:
            prepare_queries(self.task_instance)
        if len(self.render_task_ids) == 1:
            # The usual case, of which there may be thousands, needs no asyncio task of its own.
            result = combine([await self._wait_for_task(self.render_task_ids[0], poller)])
        else:
            result = await self._wait_for_all(poller)
        is_stopped = {Outcome.OVER_BUDGET: self.stop_over_budget, Outcome.TIMED_OUT: self.cancel_on_kill}
        if is_stopped.get(result.outcome, False):
            # Stopped here, because the worker that gets the result may have to wait for a slot.
            log.warning("%s: %s", result.message, await self._stop())
        return result

    async def _wait_for_all(self, poller: Poller) -> WaitResult:
        waits = [
            asyncio.ensure_future(self._wait_for_task(task_id, poller)) for task_id in self.render_task_ids
        ]
        try:
            for done in asyncio.as_completed(waits):
                result = await done
                if result.outcome not in {Outcome.SUCCEEDED, Outcome.TIMED_OUT}:
                    return result
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        return combine([wait.result() for wait in waits])

    async def _wait_for_task(self, task_id: int, poller: Poller) -> WaitResult:
        target_states, failed_states, max_cost = self._criteria()
        from airflow_provider_renderbus.renders.progress_log import ProgressLog

        progress_log = ProgressLog(max_cost)
        last_status = None

        def evaluate(task: TaskInfo) -> WaitResult | None:
            nonlocal last_status
            progress_log.write(task, log)
            last_status = describe(task)
            ignore_stops = time.time() < self.ignore_stops_until
            return evaluate_task(
                task,
                target_states,
                failed_states,
                ignore_stops=ignore_stops,
                ignore_api_stop=self.ignore_api_stop,
                max_cost=max_cost,
            )

        with poller.watch(task_id, self.poll_interval, self.deadline) as watcher:
            try:
                return await watcher.wait_for(evaluate)
            except DeadlineExceeded:
                return timed_out(last_status)

    def _criteria(self) -> tuple[tuple[TaskStatus, ...], tuple[TaskStatus, ...] | None, Decimal | None]:
        """Return target states, failed states and the budget.

        :raises ValueError: one of them is invalid.
        """
        return (
            tuple(map(TaskStatus, self.target_states)),
            None if self.failed_states is None else tuple(map(TaskStatus, self.failed_states)),
            None if self.max_cost is None else parse_decimal("max_cost", self.max_cost),
        )
