"""Stops the renders of an operator or sensor whose Airflow task is killed, fails or times out."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.errors import RenderbusError, is_permanent
from airflow_provider_renderbus.compat import (
    AIRFLOW_3,
    AirflowException,
    AirflowFailException,
    AirflowTaskTimeout,
    BaseOperator,
)
from airflow_provider_renderbus.polling.task_instance_state import is_finished
from airflow_provider_renderbus.renders.stop import CONFIRMATIONS_IF_UNCERTAIN, stop_renders
from airflow_provider_renderbus.renders.submit import are_submitted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from airflow_provider_renderbus.compat import Context
    from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
    from airflow_provider_renderbus.renders.results import WaitResult

log = logging.getLogger(__name__)

# Airflow 2 ends a deferred task at its execution_timeout without notifying the trigger, which must be first.
_AIRFLOW_2_MARGIN = timedelta(0) if AIRFLOW_3 else timedelta(seconds=10)
# The method that Airflow "resumes" if the timeout of a deferral has passed or its trigger has failed.
_DEFERRAL_FAILED = "__fail__"
_TRIGGER_FAILURE = "Trigger failure"


class CancelOnKillMixin(BaseOperator):
    """An operator or sensor that stops its renders if its Airflow task is killed, fails or times out.

    `owned_render_task_ids` are the renders that nothing else would stop, from just before they are submitted
    until they end or are released.
    """

    cancel_on_kill: bool
    hook: RenderbusHook
    owned_render_task_ids: Sequence[int] = ()
    _is_resumed = False

    def on_kill(self) -> None:
        """Stop the renders. Airflow calls it after SIGTERM, and at ``execution_timeout``.

        :raises SystemExit: after a signal, since Airflow 3 would continue the task. It allows a retry.
        """
        self.hook.require_own_try()
        if not self.cancel_on_kill:
            return
        is_timeout = is_execution_timeout()
        if is_timeout and not self.owned_render_task_ids:
            from airflow_provider_renderbus.compat import get_current_context  # noqa: PLC0415 - loads much

            # Airflow 2 ends a deferred task like this, before any of its code runs.
            self.owned_render_task_ids = self.deferred_render_task_ids(get_current_context())
        message = "no render was submitted yet"
        if self.owned_render_task_ids:
            # The signal may interrupt a submit or restart that takes effect only after a first poll.
            message = self.stop_owned_renders(CONFIRMATIONS_IF_UNCERTAIN, unless_time_lost=not is_timeout)
        if not is_timeout:
            raise SystemExit(f"Killed: {message}")
        log.info("execution_timeout reached: %s", message)

    def release_renders(self, context: Context) -> None:
        """Own the renders no longer, because a trigger or another task owns them from now on.

        :raises AirflowException: the Airflow task was ended meanwhile, so the renders were stopped. This
            process would learn of it only at its next heartbeat, when it could stop nothing any more.
        """
        self.hook.wait_to_be_killed()
        if self.cancel_on_kill and self.owned_render_task_ids and is_finished(context["ti"]):
            raise AirflowException(f"Killed: {self.stop_owned_renders()}")
        self.owned_render_task_ids = ()

    @contextlib.contextmanager
    def stop_renders_on_error(self) -> Iterator[None]:
        """Stop the renders if an error leaves open whether the farm did what was requested.

        A retry would find out, but there may be none.

        :raises AirflowFailException: the error does not change in a retry.
        :raises AirflowException: it may.
        """
        try:
            yield
        except (RenderbusError, ValueError) as error:
            if not self.owned_render_task_ids or not self.cancel_on_kill:
                raise
            is_final = isinstance(error, ValueError) or is_permanent(error)
            is_final = is_final and not self.lost_time_reason
            exception_type = AirflowFailException if is_final else AirflowException
            message = self.stop_owned_renders(unless_time_lost=True)
            raise exception_type(f"{error}; {message}") from error

    def stop_if_enabled(self, wait_result: WaitResult) -> WaitResult:
        """Stop the renders unless `cancel_on_kill` is off, and return the result with a note on that."""
        if self.cancel_on_kill:
            return self.stop_and_annotate(wait_result)
        return self._annotate(wait_result, "not stopped, since cancel_on_kill is False")

    def stop_and_annotate(self, wait_result: WaitResult) -> WaitResult:
        """Stop the renders, and return the result with a note on that."""
        return self._annotate(wait_result, self.stop_owned_renders())

    def stop_owned_renders(self, confirmations: int = 1, *, unless_time_lost: bool = False) -> str:
        """Stop the renders; return what has become of them, for a message.

        :param confirmations: as for :class:`~airflow_provider_renderbus.renders.stop.StopRequest`.
        :param unless_time_lost: whether nothing is stopped if this process has lost time, since a newer try
            may be the reason. Otherwise the process waits until it would have been killed for one.
        """
        if not unless_time_lost:
            self.hook.wait_to_be_killed()
        if not (reason := self.lost_time_reason):
            return stop_renders(self.hook, self.owned_render_task_ids, confirmations)
        message = (
            f"render {', '.join(map(str, self.owned_render_task_ids))} was not stopped, because {reason}. "
            f"If no other try waits for it, it may still be running and cost money: stop from the web "
            f"console, {' '.join(map(self.hook.console_url, self.owned_render_task_ids))}"
        )
        log.error(message)
        return message

    def note_start(self, context: Context) -> None:
        """Note when this process was started: it may have been frozen before it ran any of this code.

        Not after a deferral: Airflow keeps the time at which the first process of the try was started.
        """
        started = getattr(context["ti"], "start_date", None)
        if started is not None and not self._is_resumed and self.hook.lost_time is not None:
            self.hook.lost_time.note_start(started.timestamp())
            self.hook.wait_to_be_killed()

    def require_time(self, call: str) -> None:
        """Check that this process has lost no time before it sends a call that costs nothing itself.

        :raises TimeLostError: it has.
        """
        if self.hook.lost_time is not None:
            self.hook.lost_time.check(call)

    @property
    def lost_time_reason(self) -> str:
        """Why the renders may belong to a newer try; empty if this process has lost no time."""
        return self.hook.lost_time.reason if self.hook.lost_time else ""

    def _annotate(self, wait_result: WaitResult, note: str) -> WaitResult:
        message = f"{wait_result.message}; {note}"
        urls = " ".join(map(self.hook.console_url, self.owned_render_task_ids))
        if wait_result.result is None and urls not in note:
            message += f": {urls}"
        return dataclasses.replace(wait_result, message=message)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Continue after a deferral.

        If its trigger failed, e.g. because the triggerer has an older version of this provider, wait on the
        worker. If its timeout has passed, stop the renders.
        """
        self._is_resumed = True
        if has_trigger_failed(next_method, next_kwargs) and (task_ids := self._submitted_ids(context)):
            log.warning(
                "Render %s: its trigger has failed in the triggerer, this worker waits instead. If the "
                "triggerer has an older version of airflow-provider-renderbus, upgrade it: triggerers before "
                "workers",
                ", ".join(map(str, task_ids)),
            )
            return self.wait_on_worker(context, task_ids)
        if next_method == _DEFERRAL_FAILED and self.cancel_on_kill:
            try:
                self.owned_render_task_ids = self.deferred_render_task_ids(context)
                message = self.stop_owned_renders()
            except (RenderbusError, ValueError) as error:
                message = f"its render was not found, may still be running and cost money ({error})"
            log.error("The deferral failed: %s", message)
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except Exception as error:
            if next_method == _DEFERRAL_FAILED:
                from airflow_provider_renderbus.render_record import push_failure  # noqa: PLC0415 - at its use

                push_failure(self, context, error)
            raise

    def _submitted_ids(self, context: Context) -> Sequence[int]:
        """Return the renders that the task was deferred for, if all were submitted."""
        try:
            task_ids = self.deferred_render_task_ids(context)
            return task_ids if are_submitted(self.hook, task_ids) else ()
        except (RenderbusError, ValueError) as error:
            log.warning("The renders of the failed trigger were not found: %s", error)
            return ()

    def wait_on_worker(self, context: Context, task_ids: Sequence[int]) -> Any:
        """Wait for renders that were deferred, on this worker, and return the result."""
        raise NotImplementedError

    def deferred_render_task_ids(self, context: Context) -> Sequence[int]:
        """Return the renders that the task was deferred for, without the arguments of its resumption."""
        raise NotImplementedError


def has_trigger_failed(next_method: str, next_kwargs: Mapping[str, Any] | None) -> bool:
    """Return whether Airflow resumes a task because its trigger has failed in the triggerer."""
    return next_method == _DEFERRAL_FAILED and (next_kwargs or {}).get("error") == _TRIGGER_FAILURE


def is_execution_timeout() -> bool:
    """Return whether Airflow calls ``on_kill`` at ``execution_timeout``, and not after a signal."""
    return isinstance(sys.exception(), AirflowTaskTimeout)


def execution_deadline(task: BaseOperator, context: Context, now: float) -> float:
    """Return until when the ``execution_timeout`` of a task lets it wait, in seconds since 1970, or infinity.

    Airflow 3 does not enforce it while a task is deferred. `now` is used if Airflow has no start of the task.
    """
    if not task.execution_timeout:
        return math.inf
    started = getattr(context["ti"], "start_date", None)
    limit = max(task.execution_timeout - _AIRFLOW_2_MARGIN, task.execution_timeout / 2)
    return (started.timestamp() if started else now) + limit.total_seconds()


def is_first_try_after_clear(context: Context) -> bool:
    """Return whether a try is no retry: the first of all, or the first after a clear by a user.

    A clear sets ``max_tries`` to the number of tries so far plus the task's retries.
    """
    ti = context["ti"]
    return bool(ti.try_number == ti.max_tries - (context["task"].retries or 0) + 1)
