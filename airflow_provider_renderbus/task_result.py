"""Turns the end of a call or of a render into the result of an Airflow task, or the right kind of failure."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import signal
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_renderbus.api.errors import (
    InvalidResponse,
    NoResponse,
    RenderbusError,
    ServerError,
    is_permanent,
)
from airflow_provider_renderbus.compat import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    Asset,
    ReplacedError,
)
from airflow_provider_renderbus.renders.results import Outcome, WaitResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airflow_provider_renderbus.compat import Context

log = logging.getLogger(__name__)

_Method = TypeVar("_Method", bound="Callable[..., Any]")

# The calls that cost money each time the farm executes them.
_CHARGED_CALLS = {"recommit_failed_frames", "recommit_frames"}
_EVENT_FIELDS = ("render_task_id", "state", "frames", "cost", "output_folders", "layers", "console_url")


def result_or_raise(wait_result: WaitResult) -> Any:
    """Return the result of a successful wait.

    :raises AirflowFailException: it failed in a way that a retry of the Airflow task cannot change.
    :raises AirflowException: it failed in another way, or timed out.
    """
    if wait_result.outcome is Outcome.SUCCEEDED and wait_result.result:
        return wait_result.result
    if wait_result.outcome in {Outcome.FAILED_PERMANENTLY, Outcome.OVER_BUDGET}:
        raise AirflowFailException(wait_result.message)
    raise AirflowException(wait_result.message)


@contextlib.contextmanager
def translate_errors() -> Iterator[None]:
    """Translate errors of the farm and of arguments into Airflow's exceptions.

    :raises AirflowFailException: the farm refused, or an argument or the connection is wrong. A retry would
        fail the same way.
    :raises AirflowException: the farm could not be reached, or its answer not be read.
    """
    try:
        yield
    except ValueError as error:
        raise AirflowFailException(str(error)) from error
    except RenderbusError as error:
        exception_type = AirflowFailException if is_permanent(error) else AirflowException
        raise exception_type(str(error)) from error


@contextlib.contextmanager
def fail_if_charge_uncertain() -> Iterator[None]:
    """Prevent Airflow's retries of a call that costs money each time it is executed.

    :raises AirflowFailException: the call may have been executed, so a user must check before repeating it.
    :raises NotSent: nothing reached the farm; a retry is safe.
    """
    try:
        yield
    except (NoResponse, InvalidResponse, ServerError) as error:
        if error.call not in _CHARGED_CALLS:
            raise
        raise AirflowFailException(
            f"{error}. The farm may have executed it, and charges for each repetition: check the render in "
            f"the web console before you clear this task"
        ) from error


def records_end(method: _Method) -> _Method:
    """Decorate a method that an Airflow task runs, to record its end for a report, also if it fails.

    The method takes the context first. A deferral or a reschedule is no end, and neither is a signal. If the
    process has lost time, its end waits: that of an old try would take the place of the newer one's.
    """

    def record(self: Any, context: Context, *args: Any, **kwargs: Any) -> Any:
        self._end_is_recorded = True
        try:
            returned = method(self, context, *args, **kwargs)
        except AirflowRescheduleException:
            raise
        except Exception as error:
            _wait_to_be_killed(self)
            from airflow_provider_renderbus.render_record import push_failure  # noqa: PLC0415 - at its use

            push_failure(self, context, error)
            raise
        finally:
            self._end_is_recorded = False
        _wait_to_be_killed(self)
        from airflow_provider_renderbus.render_record import push_success  # noqa: PLC0415 - at its use

        push_success(self, context, returned)
        return returned

    @functools.wraps(method)
    def run(self: Any, context: Context, *args: Any, **kwargs: Any) -> Any:
        if self.__dict__.get("_end_is_recorded"):  # by the method that has called this one
            return method(self, context, *args, **kwargs)
        try:
            return record(self, context, *args, **kwargs)
        except ReplacedError as error:
            # Airflow 2 would put any other end of this process over the state of the newer try.
            log.warning("%s, so this process kills itself", error)
            os.kill(os.getpid(), signal.SIGKILL)
            raise

    return run  # type: ignore[return-value]  # it is called with the same arguments


def _wait_to_be_killed(task: Any) -> None:
    if (hook := task.__dict__.get("hook")) is not None:
        hook.wait_to_be_killed()


def add_asset_event_extra(context: Context, outlets: Iterable[Any], result: Any) -> None:
    """Add the result of a single render to the events of the Assets that an operator updates."""
    if not isinstance(result, dict):
        return
    for outlet in outlets:
        if isinstance(outlet, Asset):
            extra = {name: result[name] for name in _EVENT_FIELDS}
            context["outlet_events"][outlet].extra.update(extra)
