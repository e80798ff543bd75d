"""The result of waiting for renders, and what each state of a render means for it.

A `WaitResult` crosses from the triggerer to the worker: small JSON, validated, without secrets.
"""

from __future__ import annotations

import enum
from dataclasses import asdict, dataclass
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.errors import RenderbusError
from airflow_provider_renderbus.api.states import (
    STOP_TYPE_INFO,
    TASK_STATUS_INFO,
    Phase,
    StopType,
    TaskStatus,
)
from airflow_provider_renderbus.api.text import printable
from airflow_provider_renderbus.renders.layers import list_layers

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from decimal import Decimal

    from airflow_provider_renderbus.api.models.tasks import TaskInfo

FINISHED = frozenset({TaskStatus.FINISHED})
_STOPPED_BY_USER = frozenset({TaskStatus.STOP, TaskStatus.USER_STOP})
# The states in which failed frames can be recommitted.
RECOMMITTABLE = frozenset({TaskStatus.FINISHED_HAS_FAILED, TaskStatus.FAILED})
# A retry of the Airflow task does not help: a user decided it, the funds are insufficient, or it would find
# the same failed frames.
_NOT_RETRYABLE = _STOPPED_BY_USER | RECOMMITTABLE | {TaskStatus.ARREARAGE_STOP, TaskStatus.ABANDON}
# A render in one of these states renders, and costs money, once it is restarted.
RESTARTABLE = _STOPPED_BY_USER | {TaskStatus.TIME_OUT_STOP, TaskStatus.FINISHED_HAS_STOPPED}
_VERSION = 1


class Outcome(enum.StrEnum):
    """How the wait for a render ended.

    FAILED_PERMANENTLY is an end that a retry of the Airflow task cannot change. STALE_STOP is a stop that was
    meant for the try before the one that reattached to the render. OVER_BUDGET is a render that
    is active, or was stopped, and has cost more than its limit.
    """

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    FAILED_PERMANENTLY = "failed_permanently"
    TIMED_OUT = "timed_out"
    STALE_STOP = "stale_stop"
    OVER_BUDGET = "over_budget"


class VersionMismatch(RenderbusError):
    """Stored data of another version of this provider. A retry waits from the start."""

    def __str__(self) -> str:
        return f"{self.args[0]}; run the same version of airflow-provider-renderbus on workers and triggerers"


@dataclass(frozen=True, slots=True)
class WaitResult:
    """The end of a wait: how it ended, in words too, and what the Airflow task returns, if anything.

    The result is a summary, or one per render. `is_unread` means that the triggerer, of another version of
    this provider, could not read what to wait for, so that the worker waits itself.
    """

    outcome: Outcome
    message: str
    result: dict[str, Any] | list[dict[str, Any]] | None = None
    is_unread: bool = False

    @property
    def first_result(self) -> dict[str, Any]:
        """The summary of the first render; empty if there is none."""
        result = self.result[0] if isinstance(self.result, list) and self.result else self.result
        return result if isinstance(result, dict) else {}

    @property
    def state(self) -> TaskStatus | None:
        """The state of the first render, or None if there is no summary."""
        name = self.first_result.get("state")
        return None if name is None else TaskStatus[name]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON that Airflow stores."""
        stored = {**asdict(self), "outcome": self.outcome.value, "version": _VERSION}
        if not self.is_unread:
            del stored["is_unread"]
        return stored

    @classmethod
    def from_dict(cls, stored: Any) -> WaitResult:
        """Read what a triggerer sent, or raise VersionMismatch."""
        if not isinstance(stored, dict) or stored.get("version") != _VERSION:
            raise _unreadable(f"version must be {_VERSION}")
        outcome, message, result = stored.get("outcome"), stored.get("message"), stored.get("result")
        if outcome not in list(Outcome) or not isinstance(message, str):
            raise _unreadable("outcome or message is missing")
        if not isinstance(result, dict | list | None):
            raise _unreadable(f"result must be an object or a list, got {type(result).__name__}")
        return cls(Outcome(outcome), message, result, is_unread=stored.get("is_unread") is True)

    @classmethod
    def from_dict_or_failure(cls, stored: Any) -> WaitResult:
        """Read what a triggerer sent; return a failure that may be retried if it cannot be read."""
        try:
            return cls.from_dict(stored)
        except VersionMismatch as error:
            return cls(Outcome.FAILED, str(error))


def _unreadable(problem: str) -> VersionMismatch:
    return VersionMismatch(f"the triggerer sent a result that this version does not know: {problem}")


def classify(
    status: TaskStatus,
    target_states: Collection[TaskStatus] = FINISHED,
    failed_states: Collection[TaskStatus] | None = None,
) -> Outcome | None:
    """Return what a state means for a wait, or None while the wait is pending.

    :param failed_states: the states that count as failed; if omitted, all but target, active and paused ones.
    """
    if status in target_states:
        return Outcome.SUCCEEDED
    is_pending = (
        status.phase in {Phase.ACTIVE, Phase.PAUSED} if failed_states is None else status not in failed_states
    )
    if is_pending:
        return None
    return Outcome.FAILED_PERMANENTLY if status in _NOT_RETRYABLE else Outcome.FAILED


def evaluate_task(
    task: TaskInfo,
    target_states: Collection[TaskStatus] = FINISHED,
    failed_states: Collection[TaskStatus] | None = None,
    *,
    ignore_stops: bool = False,
    ignore_api_stop: bool = False,
    max_cost: Decimal | None = None,
) -> WaitResult | None:
    """Return the result of a wait after a poll of its task, or None while it is pending.

    :param ignore_stops: whether a stop that is not manual counts as a stale one, meant for an earlier try.
    :param ignore_api_stop: whether a stop through the API does.
    :param max_cost: upper limit of the cost, in the account's currency.
    """
    outcome = classify(task.status, target_states, failed_states)
    may_cost_more = outcome is None or (outcome is not Outcome.SUCCEEDED and task.status in RESTARTABLE)
    if may_cost_more and max_cost is not None and task.cost > max_cost:
        message = f"{describe(task)} exceeds max_cost {max_cost}"
        return WaitResult(Outcome.OVER_BUDGET, message, summary(task))
    if outcome is None:
        return None
    is_stop = outcome is Outcome.FAILED_PERMANENTLY and task.status in _STOPPED_BY_USER
    may_be_stale = ignore_stops or (ignore_api_stop and StopType.API in task.stop_types)
    if may_be_stale and is_stop and not is_manual_stop(task):
        outcome = Outcome.STALE_STOP
    return WaitResult(outcome, describe(task), summary(task))


def is_manual_stop(task: TaskInfo) -> bool:
    """Return whether somebody has stopped a render, which nothing may undo without being asked."""
    return task.status in _STOPPED_BY_USER and any(STOP_TYPE_INFO[kind].is_manual for kind in task.stop_types)


def permanent_failure(error: RenderbusError | ValueError) -> WaitResult:
    """Return the result of a wait whose polls fail in a way that does not change, e.g. a wrong key."""
    return WaitResult(Outcome.FAILED_PERMANENTLY, str(error))


def timed_out(last_status: str | None) -> WaitResult:
    """Return the result of a wait whose deadline has passed, with the last poll in words if there was one."""
    return WaitResult(Outcome.TIMED_OUT, f"Timed out waiting: {last_status or 'no poll was answered'}")


def combine(results: Sequence[WaitResult]) -> WaitResult:
    """Return the result of a wait for several renders: a success, or the first that is none."""
    for result in results:
        if result.outcome is not Outcome.SUCCEEDED:
            return result
    summaries = [result.result for result in results if isinstance(result.result, dict)]
    return WaitResult(Outcome.SUCCEEDED, "; ".join(result.message for result in results), summaries)


def describe(task: TaskInfo) -> str:
    """Return a line on a render: id, scene, state, frames, time and cost."""
    status = task.status
    name = status.name if status is not TaskStatus.UNKNOWN else f"state {task.status_code}"
    meaning = TASK_STATUS_INFO[status].meaning
    line = f"Render {task.id}"
    if scene := _scene_file(task):
        line += f" ({scene})"
    line += f": {name}"
    if meaning.upper() != name:
        line += f" ({meaning})"
    if task.stop_types:
        kinds = " and ".join(f"{STOP_TYPE_INFO[kind].meaning} ({kind.value})" for kind in task.stop_types)
        line += f", stop type: {kinds}"
    line += f", {task.progress.done} of {task.progress.total} frames done"
    if task.progress.failed:
        line += f", {task.progress.failed} failed"
    duration = _duration_seconds(task)
    if duration is not None:
        line += f", {duration:g} s"
    return f"{line}, cost {task.cost}"


def summary(task: TaskInfo) -> dict[str, Any]:
    """Return what an Airflow task returns for a render, as small JSON.

    :return: ``render_task_id``; ``scene``, the name of its file, or None; ``state``, a name of `TaskStatus`;
        ``frames``, which the farm counts in jobs; ``cost`` in the account's currency, as text, so that no
        digit is lost; ``duration_seconds`` from the start of the first leaf to the end of the last one, None
        before it; ``queue_seconds`` from the submit to that start; ``output_folders``, the leaves' folders in
        the output storage; ``layers``, see :func:`layer_summaries`; ``forecast``, None until
        :func:`airflow_provider_renderbus.renders.forecast.add_forecast` adds it.
    """
    return {
        "render_task_id": task.id,
        "scene": _scene_file(task),
        "state": task.status.name,
        "frames": asdict(task.progress),
        "cost": str(task.cost),
        "duration_seconds": _duration_seconds(task),
        "queue_seconds": _queue_seconds(task),
        "output_folders": list(task.output_folders),
        "layers": layer_summaries(task),
        "forecast": None,
    }


def layer_summaries(task: TaskInfo) -> list[dict[str, Any]]:
    """Return the layers of a render: a mapping per leaf, also of passes before the main pass.

    :return: ``name`` (layer, ROP or camera); ``render_task_id`` of the leaf; ``output_folder`` in the output
        storage, None before the farm names it; ``frames`` and ``cost`` as in :func:`summary`;
        ``failed_frames``, ranges such as "3, 7-9", which only the report of a finished render fills.
    """
    return [
        {
            "name": name,
            "render_task_id": leaf.id,
            "output_folder": leaf.output_file_name,
            "frames": asdict(leaf.progress),
            "failed_frames": "",
            "cost": str(leaf.cost),
        }
        for name, leaf in list_layers(task)
    ]


def _scene_file(task: TaskInfo) -> str | None:
    return printable(PureWindowsPath(task.scene_name).name) if task.scene_name else None


def _queue_seconds(task: TaskInfo) -> float | None:
    """Return the time from the submit of a render to the start of its first leaf, None before it."""
    started = [leaf.started_at for leaf in task.leaves() if leaf.started_at]
    if not started or task.submitted_at is None:
        return None
    return max(0.0, (min(started) - task.submitted_at).total_seconds())


def _duration_seconds(task: TaskInfo) -> float | None:
    leaves = tuple(task.leaves())
    started = [leaf.started_at for leaf in leaves if leaf.started_at]
    completed = [leaf.completed_at for leaf in leaves if leaf.completed_at]
    if not started or len(completed) < len(leaves):
        return None
    return (max(completed) - min(started)).total_seconds()
