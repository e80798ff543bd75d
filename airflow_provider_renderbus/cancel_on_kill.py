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
from airflow_provider_renderbus.renders.stop import (
    CONFIRMATIONS_IF_UNCERTAIN,
    STOP_POLL_INTERVAL,
    STOP_TIMEOUT,
    StopRequest,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
    from airflow_provider_renderbus.renders.results import WaitResult

log = logging.getLogger(__name__)

# Airflow 2 ends a deferred task at its execution_timeout without a word to its trigger, which must be first.
_AIRFLOW_2_MARGIN = timedelta(0) if AIRFLOW_V_3_0_PLUS else timedelta(seconds=10)
# Seconds after a try has taken a render up in which a stop counts as that of the try before.
STALE_STOP_WINDOW = 60.0
_RESTARTABLE = {
    TaskStatus.STOP,
    TaskStatus.USER_STOP,
    TaskStatus.TIME_OUT_STOP,
    TaskStatus.FINISHED_HAS_STOPPED,
}
# Seconds between the looks whether the farm has begun what it was asked for.
_RESTART_POLL_DELAYS = (0.0, 2.0, 5.0, 10.0)
# The method that Airflow "resumes" where a deferral's time-out is over or its trigger has failed.
_DEFERRAL_FAILED = "__fail__"


class CancelOnKillMixin(BaseOperator):
    """An operator or sensor whose renders are stopped when its Airflow task is killed or gives up.

    `at_stake` holds the numbers that would run on unseen, from the moment at which a submit is sent.
    """

    cancel_on_kill: bool
    hook: RenderbusHook
    owned_render_task_ids: Sequence[int] = ()

    def on_kill(self) -> None:
        """Stop the renders; Airflow calls it when the process is told to end, or at ``execution_timeout``.

        :raises SystemExit: after a signal, for Airflow 3 would let the task run on. It allows a retry.
        """
        if not self.cancel_on_kill:
            return
        is_timeout = is_execution_timeout()
        if is_timeout and not self.owned_render_task_ids:
            from airflow.providers.common.compat.sdk import get_current_context  # noqa: PLC0415 - loads much

            # Airflow 2 ends a deferred task so, before anything of it goes on.
            self.owned_render_task_ids = self.deferred_render_task_ids(get_current_context())
        told = "this process answers for no render yet"
        if self.owned_render_task_ids:
            # A signal may come while a start is under way, which would arrive after a first look.
            told = stop_renders(self.hook, self.owned_render_task_ids, CONFIRMATIONS_IF_UNCERTAIN)
        if not is_timeout:
            raise SystemExit(f"Killed: {told}")
        log.info("Its time is over: %s", told)

    def release_renders(self, context: Context) -> None:
        """Let go of the renders, for what follows is not this process's: a trigger's, or another task's.

        :param context: of the Airflow task.
        :raises AirflowException: the Airflow task was ended meanwhile, and the renders were stopped. This
            process would be told of it only at its next heartbeat, when nothing could be stopped any more.
        """
        if self.cancel_on_kill and self.owned_render_task_ids and is_finished(context["ti"]):
            raise AirflowException(f"Killed: {stop_renders(self.hook, self.owned_render_task_ids)}")
        self.owned_render_task_ids = ()

    @contextlib.contextmanager
    def stop_renders_on_error(self) -> Iterator[None]:
        """Stop the renders where it remains open whether the farm has done what it was asked for.

        Another try settles it; but there may be none.

        :raises AirflowFailException: something is wrong that no retry can mend.
        :raises AirflowException: it remains open.
        """
        try:
            yield
        except (RenderbusError, ValueError) as problem:
            if not self.owned_render_task_ids or not self.cancel_on_kill:
                raise
            is_final = isinstance(problem, ValueError) or is_permanent(problem)
            kind = AirflowFailException if is_final else AirflowException
            raise kind(f"{problem}; {stop_renders(self.hook, self.owned_render_task_ids)}") from problem

    def stop_if_enabled(self, event: WaitResult) -> WaitResult:
        """Stop renders whose end was not reached, and return the event with what has become of them.

        :param event: how the waiting ended.
        """
        if self.cancel_on_kill:
            return self.stop_and_annotate(event)
        return self._annotate(event, "it was not stopped, for cancel_on_kill is off")

    def stop_and_annotate(self, event: WaitResult) -> WaitResult:
        """Stop the renders, and return an event with what has become of them.

        :param event: how the waiting ended.
        """
        return self._annotate(event, stop_renders(self.hook, self.owned_render_task_ids))

    def _annotate(self, event: WaitResult, what: str) -> WaitResult:
        addresses = " ".join(map(self.hook.console_url, self.owned_render_task_ids))
        return dataclasses.replace(event, message=f"{event.message}; {what}: {addresses}")

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after a deferral; where it failed, stop the renders first."""
        if next_method == _DEFERRAL_FAILED and self.cancel_on_kill:
            try:
                self.owned_render_task_ids = self.deferred_render_task_ids(context)
                told = stop_renders(self.hook, self.owned_render_task_ids)
            except (RenderbusError, ValueError) as problem:
                told = f"its render was not found, and may still be running and cost money ({problem})"
            log.error("The deferral failed: %s", told)
        return super().resume_execution(next_method, next_kwargs, context)

    def deferred_render_task_ids(self, context: Context) -> Sequence[int]:
        """Return the numbers that the task was deferred for, without what was kept for its resumption."""
        raise NotImplementedError


def is_execution_timeout() -> bool:
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
    limit = max(task.execution_timeout - _AIRFLOW_2_MARGIN, task.execution_timeout / 2)
    return (started.timestamp() if started else time.time()) + limit.total_seconds()


def restart_stopped(client: RenderbusHook, task_ids: Iterable[int]) -> None:
    """Start renders of an earlier try again that were stopped; those that go on are left as they are.

    :param client: the farm's hook.
    :param task_ids: the tasks' numbers.
    """
    for known in client.run(flows.get_tasks(task_ids)).values():
        if known.is_submitted and known.status in _RESTARTABLE:
            log.info("Task %s is %s; starting it again", known.id, known.status.name)
            restart(client, known.id)
        else:
            log.info("Taking up task %s of an earlier try: %s", known.id, known.status.name)


def restart(client: RenderbusHook, task_id: int) -> None:
    """Start a render that was stopped.

    :param client: the farm's hook.
    :param task_id: the task's number.
    """
    client.send(calls.start_task([task_id]))
    wait_until_active(client, task_id)


def wait_until_active(hook: RenderbusHook, number: int) -> bool:
    """Wait a little until a task shows that it goes on, so that its old end is not taken for a new one.

    :param hook: the farm's hook.
    :param number: the task's number.
    :return: whether it does.
    """
    for pause in _RESTART_POLL_DELAYS:
        time.sleep(pause)
        known = hook.run(flows.get_tasks([number])).get(number)
        if known is not None and not known.is_terminal:
            return True
    return False


def stop_renders(hook: RenderbusHook, numbers: Sequence[int], looks: int = 1) -> str:
    """Stop tasks from a worker, until the farm confirms it or the time is over.

    The connection must have been read: a look-up does not come back in a process that is being killed.

    :param hook: the farm's hook.
    :param numbers: the tasks' numbers.
    :param looks: how many looks in a row must show a task at rest.
    :return: what has become of them, for a message.
    """
    return stop_and_confirm(hook, StopRequest(numbers, looks)).result_message(numbers)


def stop_and_confirm(hook: RenderbusHook, stopping: StopRequest) -> StopRequest:
    """Stop tasks as :func:`stop` does, and return what is left open.

    :param hook: the farm's hook.
    :param stopping: the tasks.
    """
    deadline = time.monotonic() + STOP_TIMEOUT
    while pages := list(stopping.pages()):
        for page in pages:
            try:
                with hook.no_retry_client() as client:
                    client.run(stopping.stop_page(page))
            except (RenderbusError, ValueError) as problem:
                stopping.record_error(problem, page)
        if not stopping.pages() or time.monotonic() >= deadline:
            break
        time.sleep(STOP_POLL_INTERVAL)
    return stopping
