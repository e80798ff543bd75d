"""What crosses from the triggerer to the worker when the waiting is over: small, checked, without secrets."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.errors import RenderbusError
from airflow_provider_renderbus.api.states import TASK_STATUS_INFO, Phase, TaskStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from decimal import Decimal

    from airflow_provider_renderbus.api.models.tasks import TaskInfo


FINISHED = frozenset({TaskStatus.FINISHED})

STOPPED_BY_USER = frozenset({TaskStatus.STOP, TaskStatus.USER_STOP})

# Ends that another try of the Airflow task cannot mend: somebody decided them, or money is missing.
_FOR_GOOD = STOPPED_BY_USER | {TaskStatus.ARREARAGE_STOP, TaskStatus.ABANDON}


class Outcome(enum.StrEnum):
    """How the wait for a render ended.

    FAILED_PERMANENTLY is an end that a retry of the Airflow task cannot change. STALE_STOP is a stop so soon
    after a try reattached to the render that it was meant for the try before. OVER_BUDGET is a render that
    is active and has cost more than its limit.
    """

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    FAILED_PERMANENTLY = "failed_permanently"
    TIMED_OUT = "timed_out"
    STALE_STOP = "stale_stop"
    OVER_BUDGET = "over_budget"


def classify(
    status: TaskStatus,
    target_states: Collection[TaskStatus] = FINISHED,
    failed_states: Collection[TaskStatus] | None = None,
) -> Outcome | None:
    """Tell what a state means to somebody who waits.

    :param status: the state of the whole task.
    :param target_states: the states that are waited for.
    :param failed_states: the states that count as failed; where it is left out, every end that is not wanted.
    :return: REACHED for a state that is wanted, WAIT for one that may still lead there (active, or paused
        after the priority frames), FAILED_FOR_GOOD for an end that a retry cannot mend, else FAILED.
    """
    if status in target_states:
        return Outcome.SUCCEEDED
    goes_on = (
        status.phase in {Phase.ACTIVE, Phase.PAUSED} if failed_states is None else status not in failed_states
    )
    if goes_on:
        return None
    return Outcome.FAILED_PERMANENTLY if status in _FOR_GOOD else Outcome.FAILED


def summary(task: TaskInfo) -> dict[str, Any]:
    """Return what a DAG author wants to know of a render, as small JSON.

    :return: ``render_task_id``; ``state``, a name of `TaskStatus`; ``frames``, counted by the farm in jobs;
        ``cost`` in the account's currency, as text so that no digit is lost; ``duration_seconds`` from the
        first leaf's start to the last one's end, or None before it; ``output_folders``, the leaves' folders
        in the output storage.
    """
    progress = task.progress
    return {
        "render_task_id": task.id,
        "state": task.status.name,
        "frames": {
            "total": progress.total,
            "done": progress.done,
            "failed": progress.failed,
            "running": progress.running,
            "aborted": progress.aborted,
        },
        "cost": str(task.cost),
        "duration_seconds": _seconds(task),
        "output_folders": list(task.output_folders),
    }


def _seconds(task: TaskInfo) -> float | None:
    leaves = tuple(task.leaves())
    started = [leaf.started_at for leaf in leaves if leaf.started_at]
    completed = [leaf.completed_at for leaf in leaves if leaf.completed_at]
    if not started or len(completed) < len(leaves):
        return None
    return (max(completed) - min(started)).total_seconds()


_VERSION = 1


class VersionMismatch(RenderbusError):
    """Something that another version of this provider has stored. Another try waits anew.

    :param problem: what cannot be read, and why.
    """

    def __str__(self) -> str:
        return f"{self.args[0]}; run the same version of airflow-provider-renderbus on workers and triggerers"


@dataclasses.dataclass(frozen=True, slots=True)
class WaitResult:
    """The end of waiting.

    :param end: how it ended.
    :param message: what to tell a person.
    :param result: what there is to return, or None where nothing was reached.
    """

    outcome: Outcome
    message: str
    result: dict[str, Any] | list[dict[str, Any]] | None = None

    @property
    def state(self) -> TaskStatus | None:
        """The state of the render that it is about, where it is about one."""
        name = self.first_result.get("state")
        return None if name is None else TaskStatus[name]

    @property
    def first_result(self) -> dict[str, Any]:
        """The result of the first render that it is about; empty where there is none."""
        result = self.result[0] if isinstance(self.result, list) and self.result else self.result
        return result if isinstance(result, dict) else {}

    def to_dict(self) -> dict[str, Any]:
        """Return the event as the JSON that Airflow stores."""
        return {**dataclasses.asdict(self), "outcome": self.outcome.value, "version": _VERSION}

    @classmethod
    def from_dict_or_failure(cls, payload: Any) -> WaitResult:
        """Read an event from a triggerer; one that cannot be read is a failure that may be retried."""
        try:
            return cls.from_dict(payload)
        except VersionMismatch as problem:
            return cls(Outcome.FAILED, str(problem))

    @classmethod
    def from_dict(cls, payload: Any) -> WaitResult:
        """Read an event that came from a triggerer.

        :raises OtherVersion: it is not one.
        """
        if not isinstance(payload, dict) or payload.get("version") != _VERSION:
            raise _unknown(f"version {_VERSION} was expected")
        outcome, message, result = payload.get("outcome"), payload.get("message"), payload.get("result")
        if outcome not in list(Outcome) or not isinstance(message, str):
            raise _unknown("its outcome or message is missing")
        if not isinstance(result, dict | list | None):
            raise _unknown("its result is no object or list")
        return cls(Outcome(outcome), message, result)


def _unknown(problem: str) -> VersionMismatch:
    return VersionMismatch(
        f"the triggerer sent an event that this version of the provider does not know: {problem}"
    )


def evaluate_task(
    task: TaskInfo,
    target_states: Collection[TaskStatus] = FINISHED,
    failed_states: Collection[TaskStatus] | None = None,
    *,
    ignore_stops: bool = False,
    max_cost: Decimal | None = None,
) -> WaitResult | None:
    """Return the end of waiting that a look at a task brings, or None while there is more to wait for.

    :param task: the task as it is now.
    :param target_states: the states that are waited for.
    :param failed_states: the states that count as failed; every end that is not wanted if omitted.
    :param ignore_stops: whether a stop is taken for that of an earlier try.
    :param max_cost: what it may cost, in the account's currency.
    """
    outcome = classify(task.status, target_states, failed_states)
    if outcome is None:
        if max_cost is None or task.cost <= max_cost:
            return None
        return WaitResult(
            Outcome.OVER_BUDGET, f"{describe(task)}, more than the {max_cost} it may", summary(task)
        )
    if ignore_stops and outcome is Outcome.FAILED_PERMANENTLY and task.status in STOPPED_BY_USER:
        return WaitResult(Outcome.STALE_STOP, describe(task), summary(task))
    return WaitResult(outcome, describe(task), summary(task))


def describe(task: TaskInfo) -> str:
    """Return a line about a task: its state, frames and cost."""
    progress = task.progress
    state = task.status
    name = state.name if state is not TaskStatus.UNKNOWN else f"in state {task.status_code}"
    line = f"task {task.id} is {name} ({TASK_STATUS_INFO[state].meaning})"
    line += f", {progress.done} of {progress.total} frames done"
    if progress.failed:
        line += f", {progress.failed} failed"
    return f"{line}, cost {task.cost}"


def permanent_failure(problem: RenderbusError | ValueError) -> WaitResult:
    """Return the end of waiting because the farm refuses to be asked, and will not answer otherwise later.

    :param problem: what the farm refused, or what is wrong with the connection.
    """
    return WaitResult(Outcome.FAILED_PERMANENTLY, str(problem))


def timed_out(last_seen: str | None) -> WaitResult:
    """Return the end of waiting because its time is over.

    :param last_seen: a line about what was seen last, or None where nothing ever was.
    """
    return WaitResult(
        Outcome.TIMED_OUT, f"the time to wait is over: {last_seen or 'the farm could not be asked'}"
    )


def combine(events: Sequence[WaitResult]) -> WaitResult:
    """Return how waiting for all of some tasks ended: well, or like the first that did not end well.

    :param events: how the waiting for each of them ended.
    """
    for event in events:
        if event.outcome is not Outcome.SUCCEEDED:
            return event
    results = [event.result for event in events if isinstance(event.result, dict)]
    return WaitResult(Outcome.SUCCEEDED, "; ".join(event.message for event in events), results)
