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
class RenderEvent:
    """The end of waiting for one render.

    :param end: how it ended.
    :param number: the task's number.
    :param message: what to tell a person.
    :param result: the render's summary when it was last seen, or None where it never was.
    """

    end: End
    number: int
    message: str
    result: dict[str, Any] | None = None

    def payload(self) -> dict[str, Any]:
        """Return the event as the JSON that Airflow stores."""
        return {**dataclasses.asdict(self), "end": self.end.value, "version": _VERSION}

    @classmethod
    def read(cls, payload: Any) -> RenderEvent:
        """Read an event that came from a triggerer.

        :raises ValueError: it is not one, e.g. because the triggerer runs another version of this provider.
        """
        if not isinstance(payload, dict) or payload.get("version") != _VERSION:
            raise ValueError(
                f"the triggerer sent an event that this version of the provider does not know: "
                f"version {_VERSION} was expected; run the same version of airflow-provider-renderbus on "
                f"workers and triggerers"
            )
        number, message, result = payload.get("number"), payload.get("message"), payload.get("result")
        if type(number) is not int or not isinstance(message, str) or not isinstance(result, dict | None):
            raise ValueError("the triggerer sent a malformed event: number, message or result is missing")
        return cls(End(str(payload.get("end"))), number, message, result)


def judge(task: TaskInfo, wanted: Collection[TaskStatus] = FINISHED) -> RenderEvent | None:
    """Return the end of waiting that a look at a task brings, or None while there is more to wait for.

    :param task: the task as it is now.
    :param wanted: the states that are waited for.
    """
    verdict = outcome(task.status, wanted)
    if verdict is Outcome.WAIT:
        return None
    return RenderEvent(End(verdict.value), task.id, describe(task), summary(task))


def describe(task: TaskInfo) -> str:
    """Return a line about a task: its state, frames and cost."""
    progress = task.progress
    line = f"task {task.id} is {task.status.name} ({TASK_STATES[task.status].meaning})"
    line += f", {progress.done} of {progress.total} frames done"
    if progress.failed:
        line += f", {progress.failed} failed"
    return f"{line}, cost {task.cost}"


def unable(number: int, problem: RenderbusError | ValueError) -> RenderEvent:
    """Return the end of waiting because the farm refuses to be asked, and will not answer otherwise later.

    :param number: the task's number.
    :param problem: what the farm refused, or what is wrong with the connection.
    """
    return RenderEvent(End.FAILED_FOR_GOOD, number, str(problem))
