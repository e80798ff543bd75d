"""Stopping renders whose Airflow task is killed or gives up, and starting them again for its next try."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowTaskTimeout,
    BaseOperator,
)
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import RenderbusError, is_permanent
from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.polling.task_instance_state import is_finished
from airflow_provider_renderbus.renders.stop import LOOKS_AT_REST, PAUSE, STOP_WITHIN, Stopping

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
    from airflow_provider_renderbus.renders.results import Event

log = logging.getLogger(__name__)

# Airflow 2 ends a deferred task at its execution_timeout without a word to its trigger, which must be first.
_BEFORE_AIRFLOW = timedelta(0) if AIRFLOW_V_3_0_PLUS else timedelta(seconds=10)
# Seconds after a try has taken a render up in which a stop counts as that of the try before.
FORGIVING = 60.0
_RESTARTABLE = {
    TaskStatus.STOP,
    TaskStatus.USER_STOP,
    TaskStatus.TIME_OUT_STOP,
    TaskStatus.FINISHED_HAS_STOPPED,
}
# Seconds between the looks whether the farm has begun what it was asked for.
_UNTIL_BEGUN = (0.0, 2.0, 5.0, 10.0)
# The method that Airflow "resumes" where a deferral's time-out is over or its trigger has failed.
_FAIL = "__fail__"


class Cancelling(BaseOperator):
    """An operator or sensor whose renders are stopped when its Airflow task is killed or gives up.

    `at_stake` holds the numbers that would run on unseen, from the moment at which a submit is sent.
    """

    cancel_on_kill: bool
    hook: RenderbusHook
    at_stake: Sequence[int] = ()

    def on_kill(self) -> None:
        """Stop the renders; Airflow calls it when the process is told to end, or at ``execution_timeout``.

        :raises SystemExit: after a signal, for Airflow 3 would let the task run on. It allows a retry.
        """
        if not self.cancel_on_kill:
            return
        is_timeout = is_time_over()
        if is_timeout and not self.at_stake:
            from airflow.providers.common.compat.sdk import get_current_context  # noqa: PLC0415 - loads much

            # Airflow 2 ends a deferred task so, before anything of it goes on.
            self.at_stake = self.deferred_for(get_current_context())
        told = "this process answers for no render yet"
        if self.at_stake:
            # A signal may come while a start is under way, which would arrive after a first look.
            told = stop(self.hook, self.at_stake, LOOKS_AT_REST)
        if not is_timeout:
            raise SystemExit(f"Killed: {told}")
        log.info("Its time is over: %s", told)

    def hand_over(self, context: Context) -> None:
        """Let go of the renders, for what follows is not this process's: a trigger's, or another task's.

        :param context: of the Airflow task.
        :raises AirflowException: the Airflow task was ended meanwhile, and the renders were stopped. This
            process would be told of it only at its next heartbeat, when nothing could be stopped any more.
        """
        if self.cancel_on_kill and self.at_stake and is_finished(context["ti"]):
            raise AirflowException(f"Killed: {stop(self.hook, self.at_stake)}")
        self.at_stake = ()

    @contextlib.contextmanager
    def nothing_left_running(self) -> Iterator[None]:
        """Stop the renders where it remains open whether the farm has done what it was asked for.

        Another try settles it; but there may be none.

        :raises AirflowFailException: something is wrong that no retry can mend.
        :raises AirflowException: it remains open.
        """
        try:
            yield
        except (RenderbusError, ValueError) as problem:
            if not self.at_stake or not self.cancel_on_kill:
                raise
            is_final = isinstance(problem, ValueError) or is_permanent(problem)
            kind = AirflowFailException if is_final else AirflowException
            raise kind(f"{problem}; {stop(self.hook, self.at_stake)}") from problem

    def given_up(self, event: Event) -> Event:
        """Stop renders whose end was not reached, and return the event with what has become of them.

        :param event: how the waiting ended.
        """
        if self.cancel_on_kill:
            return self.stopped(event)
        return self._told(event, "it was not stopped, for cancel_on_kill is off")

    def stopped(self, event: Event) -> Event:
        """Stop the renders, and return an event with what has become of them.

        :param event: how the waiting ended.
        """
        return self._told(event, stop(self.hook, self.at_stake))

    def _told(self, event: Event, what: str) -> Event:
        addresses = " ".join(map(self.hook.console_url, self.at_stake))
        return dataclasses.replace(event, message=f"{event.message}; {what}: {addresses}")

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after a deferral; where it failed, stop the renders first."""
        if next_method == _FAIL and self.cancel_on_kill:
            try:
                self.at_stake = self.deferred_for(context)
                told = stop(self.hook, self.at_stake)
            except (RenderbusError, ValueError) as problem:
                told = f"its render was not found, and may still be running and cost money ({problem})"
            log.error("The deferral failed: %s", told)
        return super().resume_execution(next_method, next_kwargs, context)

    def deferred_for(self, context: Context) -> Sequence[int]:
        """Return the numbers that the task was deferred for, without what was kept for its resumption."""
        raise NotImplementedError


def is_time_over() -> bool:
    """Return whether Airflow calls ``on_kill`` at ``execution_timeout``, and not after a signal."""
    return isinstance(sys.exception(), AirflowTaskTimeout)


def execution_deadline(task: BaseOperator, context: Context) -> float:
    """Return the moment until which the ``execution_timeout`` of a deferred task lets it wait.

    Airflow 3 does not heed it while a task is deferred.

    :param task: the operator.
    :param context: of the Airflow task.
    :return: in seconds since 1970; infinite where there is no such time-out.
    """
    if not task.execution_timeout:
        return math.inf
    started = getattr(context["ti"], "start_date", None)
    limit = max(task.execution_timeout - _BEFORE_AIRFLOW, task.execution_timeout / 2)
    return (started.timestamp() if started else time.time()) + limit.total_seconds()


def start_again(hook: RenderbusHook, numbers: Iterable[int]) -> None:
    """Start renders of an earlier try again that were stopped; those that go on are left as they are.

    :param hook: the farm's hook.
    :param numbers: the tasks' numbers.
    """
    for known in hook.run(flows.get_tasks(numbers)).values():
        if known.is_submitted and known.status in _RESTARTABLE:
            log.info("Task %s is %s; starting it again", known.id, known.status.name)
            start(hook, known.id)
        else:
            log.info("Taking up task %s of an earlier try: %s", known.id, known.status.name)


def start(hook: RenderbusHook, number: int) -> None:
    """Start a render that was stopped.

    :param hook: the farm's hook.
    :param number: the task's number.
    """
    hook.send(calls.start_task([number]))
    until_begun(hook, number)


def until_begun(hook: RenderbusHook, number: int) -> bool:
    """Wait a little until a task shows that it goes on, so that its old end is not taken for a new one.

    :param hook: the farm's hook.
    :param number: the task's number.
    :return: whether it does.
    """
    for pause in _UNTIL_BEGUN:
        time.sleep(pause)
        known = hook.run(flows.get_tasks([number])).get(number)
        if known is not None and not known.is_terminal:
            return True
    return False


def stop(hook: RenderbusHook, numbers: Sequence[int], looks: int = 1) -> str:
    """Stop tasks from a worker, until the farm confirms it or the time is over.

    The connection must have been read: a look-up does not come back in a process that is being killed.

    :param hook: the farm's hook.
    :param numbers: the tasks' numbers.
    :param looks: how many looks in a row must show a task at rest.
    :return: what has become of them, for a message.
    """
    return see_stopped(hook, Stopping(numbers, looks)).told(numbers)


def see_stopped(hook: RenderbusHook, stopping: Stopping) -> Stopping:
    """Stop tasks as :func:`stop` does, and return what is left open.

    :param hook: the farm's hook.
    :param stopping: the tasks.
    """
    deadline = time.monotonic() + STOP_WITHIN
    while pages := list(stopping.pages()):
        for page in pages:
            try:
                with hook.no_retry_client() as client:
                    client.run(stopping.round(page))
            except (RenderbusError, ValueError) as problem:
                stopping.bear(problem, page)
        if not stopping.pages() or time.monotonic() >= deadline:
            break
        time.sleep(PAUSE)
    return stopping
