"""What crosses from the triggerer to the worker when the waiting is over: small, checked, without secrets."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.outcomes import FINISHED, Outcome, outcome, summary
from airflow_provider_renderbus.api.states import TASK_STATES, TaskStatus

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow_provider_renderbus.api.errors import RenderbusError
    from airflow_provider_renderbus.api.models.tasks import TaskInfo

_VERSION = 1


class End(enum.StrEnum):
    """How the waiting for a render ended."""

    REACHED = Outcome.REACHED.value
    FAILED = Outcome.FAILED.value
    FAILED_FOR_GOOD = Outcome.FAILED_FOR_GOOD.value
    TIMED_OUT = "timed_out"


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """The end of waiting.

    :param end: how it ended.
    :param message: what to tell a person.
    :param result: what there is to return, or None where nothing was reached.
    """

    end: End
    message: str
    result: dict[str, Any] | list[dict[str, Any]] | None = None

    def payload(self) -> dict[str, Any]:
        """Return the event as the JSON that Airflow stores."""
        return {**dataclasses.asdict(self), "end": self.end.value, "version": _VERSION}

    @classmethod
    def read(cls, payload: Any) -> Event:
        """Read an event that came from a triggerer.

        :raises ValueError: it is not one, e.g. because the triggerer runs another version of this provider.
        """
        if not isinstance(payload, dict) or payload.get("version") != _VERSION:
            raise ValueError(
                f"the triggerer sent an event that this version of the provider does not know: "
                f"version {_VERSION} was expected; run the same version of airflow-provider-renderbus on "
                f"workers and triggerers"
            )
        message, result = payload.get("message"), payload.get("result")
        if not isinstance(message, str) or not isinstance(result, dict | list | None):
            raise ValueError("the triggerer sent a malformed event: its message or its result is missing")
        return cls(End(str(payload.get("end"))), message, result)


def judge(
    task: TaskInfo,
    wanted: Collection[TaskStatus] = FINISHED,
    failed: Collection[TaskStatus] | None = None,
) -> Event | None:
    """Return the end of waiting that a look at a task brings, or None while there is more to wait for.

    :param task: the task as it is now.
    :param wanted: the states that are waited for.
    :param failed: the states that count as failed; all ends that are not wanted where it is left out.
    """
    verdict = outcome(task.status, wanted, failed)
    if verdict is Outcome.WAIT:
        return None
    return Event(End(verdict.value), describe(task), summary(task))


def describe(task: TaskInfo) -> str:
    """Return a line about a task: its state, frames and cost."""
    progress = task.progress
    line = f"task {task.id} is {task.status.name} ({TASK_STATES[task.status].meaning})"
    line += f", {progress.done} of {progress.total} frames done"
    if progress.failed:
        line += f", {progress.failed} failed"
    return f"{line}, cost {task.cost}"


def unable(problem: RenderbusError | ValueError) -> Event:
    """Return the end of waiting because the farm refuses to be asked, and will not answer otherwise later.

    :param problem: what the farm refused, or what is wrong with the connection.
    """
    return Event(End.FAILED_FOR_GOOD, str(problem))


def timed_out(last_seen: str | None) -> Event:
    """Return the end of waiting because its time is over.

    :param last_seen: a line about what was seen last, or None where nothing ever was.
    """
    return Event(End.TIMED_OUT, f"the time to wait is over: {last_seen or 'the farm could not be asked'}")
