"""What the state of a render means to the Airflow task that waits for it, and what that task returns."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.states import Phase, TaskStatus

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow_provider_renderbus.api.models.tasks import TaskInfo

FINISHED = frozenset({TaskStatus.FINISHED})

STOPPED_BY_SOMEBODY = frozenset({TaskStatus.STOP, TaskStatus.USER_STOP})

# Ends that another try of the Airflow task cannot mend: somebody decided them, or money is missing.
_FOR_GOOD = STOPPED_BY_SOMEBODY | {TaskStatus.ARREARAGE_STOP, TaskStatus.ABANDON}


class Outcome(enum.StrEnum):
    """What to do about a render's state."""

    WAIT = "wait"
    REACHED = "reached"
    FAILED = "failed"
    FAILED_FOR_GOOD = "failed_for_good"


def outcome(
    status: TaskStatus,
    wanted: Collection[TaskStatus] = FINISHED,
    failed: Collection[TaskStatus] | None = None,
) -> Outcome:
    """Tell what a state means to somebody who waits.

    :param status: the state of the whole task.
    :param wanted: the states that are waited for.
    :param failed: the states that count as failed; where it is left out, every end that is not wanted.
    :return: REACHED for a state that is wanted, WAIT for one that may still lead there (active, or paused
        after the priority frames), FAILED_FOR_GOOD for an end that a retry cannot mend, else FAILED.
    """
    if status in wanted:
        return Outcome.REACHED
    goes_on = status.phase in {Phase.ACTIVE, Phase.PAUSED} if failed is None else status not in failed
    if goes_on:
        return Outcome.WAIT
    return Outcome.FAILED_FOR_GOOD if status in _FOR_GOOD else Outcome.FAILED


def summary(task: TaskInfo) -> dict[str, Any]:
    """Return what a DAG author wants to know of a render, as small JSON.

    :return: ``number``; ``state``, a name of `TaskStatus`; ``frames``, counted by the farm in jobs; ``cost``
        in the account's currency, as text so that no digit is lost; ``seconds`` from the first leaf's start
        to the last one's end, or None before it; ``outputs``, the leaves' folders in the output storage.
    """
    progress = task.progress
    return {
        "number": task.id,
        "state": task.status.name,
        "frames": {
            "total": progress.total,
            "done": progress.done,
            "failed": progress.failed,
            "running": progress.running,
            "aborted": progress.aborted,
        },
        "cost": str(task.cost),
        "seconds": _seconds(task),
        "outputs": list(task.output_names),
    }


def _seconds(task: TaskInfo) -> float | None:
    leaves = tuple(task.leaves())
    started = [leaf.started_at for leaf in leaves if leaf.started_at]
    completed = [leaf.completed_at for leaf in leaves if leaf.completed_at]
    if not started or len(completed) < len(leaves):
        return None
    return (max(completed) - min(started)).total_seconds()
