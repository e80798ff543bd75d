"""Statuses of tasks and frames as the farm numbers them, each in one table.

Sources: the vendor's API document ("seed"), its field tables, and its public documents of 2026.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class Phase(enum.Enum):
    """What a task's status means for a caller that waits for the task."""

    ACTIVE = "active"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    INCOMPLETE = "incomplete"
    STOPPED = "stopped"
    FAILED = "failed"


class TaskStatus(enum.IntEnum):
    """Status of a task (the farm's field ``taskStatus``)."""

    UNKNOWN = -1
    WAITING = 0
    RENDERING = 5
    PRE_RENDERING = 8
    STOP = 10
    USER_STOP = 15
    ARREARAGE_STOP = 20
    TIME_OUT_STOP = 23
    FINISHED = 25
    FINISHED_HAS_FAILED = 30
    ABANDON = 35
    FINISHED_TEST = 40
    FAILED = 45
    ANALYSE = 50
    RENDERING_TASK_SUBMITTING = 60
    RENDERING_TASK_SUBMIT_FAIL = 65
    FINISHED_HAS_STOPPED = 70
    UPDATING = 100

    @classmethod
    def _missing_(cls, value: object) -> TaskStatus | None:
        """Return UNKNOWN, which counts as active, for a code that is not documented."""
        return cls.UNKNOWN if isinstance(value, int) else None

    @property
    def phase(self) -> Phase:
        """What the status means for a caller that waits."""
        return TASK_STATUS_INFO[self].phase


class StatusInfo(NamedTuple):
    """A row of the table of task statuses.

    Of several leaves in the phase that counts, the one of the highest ``severity`` decides the whole task's
    status.
    """

    phase: Phase
    severity: int
    meaning: str


TASK_STATUS_INFO: dict[TaskStatus, StatusInfo] = {
    TaskStatus.UNKNOWN: StatusInfo(Phase.ACTIVE, 0, "a code that is not documented"),
    TaskStatus.WAITING: StatusInfo(Phase.ACTIVE, 1, "waiting for a machine"),
    TaskStatus.RENDERING: StatusInfo(Phase.ACTIVE, 5, "rendering"),
    TaskStatus.PRE_RENDERING: StatusInfo(Phase.ACTIVE, 4, "preprocessing"),
    TaskStatus.STOP: StatusInfo(Phase.STOPPED, 4, "stopped by the user or an administrator"),
    TaskStatus.USER_STOP: StatusInfo(Phase.STOPPED, 4, "stopped by the user"),
    TaskStatus.ARREARAGE_STOP: StatusInfo(Phase.STOPPED, 6, "stopped: out of funds"),
    TaskStatus.TIME_OUT_STOP: StatusInfo(Phase.STOPPED, 5, "stopped: time limit exceeded"),
    TaskStatus.FINISHED: StatusInfo(Phase.SUCCEEDED, 1, "finished"),
    TaskStatus.FINISHED_HAS_FAILED: StatusInfo(Phase.INCOMPLETE, 3, "finished, some frames failed"),
    TaskStatus.ABANDON: StatusInfo(Phase.STOPPED, 9, "abandoned, cannot be started again"),
    TaskStatus.FINISHED_TEST: StatusInfo(Phase.PAUSED, 0, "paused: the test frames are done"),
    TaskStatus.FAILED: StatusInfo(Phase.FAILED, 7, "failed"),
    TaskStatus.ANALYSE: StatusInfo(Phase.ACTIVE, 3, "being analysed"),
    TaskStatus.RENDERING_TASK_SUBMITTING: StatusInfo(Phase.ACTIVE, 2, "being submitted"),
    TaskStatus.RENDERING_TASK_SUBMIT_FAIL: StatusInfo(Phase.FAILED, 8, "could not be submitted"),
    TaskStatus.FINISHED_HAS_STOPPED: StatusInfo(Phase.INCOMPLETE, 2, "finished, some frames were stopped"),
    TaskStatus.UPDATING: StatusInfo(Phase.ACTIVE, 2, "changing its state"),
}


class StopType(enum.IntEnum):
    """Who or what stopped a task (the farm's field ``stopType``)."""

    UNKNOWN = -1
    USER = 1
    ADMINISTRATOR = 2
    BILLING = 3
    CLIENT = 4
    API = 5
    FULL_SPEED = 6
    PROJECT_DELETED = 7
    AFTER_SUBMIT = 9
    OVERTIME = 10

    @classmethod
    def _missing_(cls, value: object) -> StopType | None:
        """Return UNKNOWN for a number that the vendor's desktop client does not know."""
        return cls.UNKNOWN if isinstance(value, int) else None


class StopTypeInfo(NamedTuple):
    """A row of the table of stop types.

    A task in STOP or USER_STOP counts as in the status ``counts_as``, if there is one. ``is_manual`` says
    whether it is a manual stop, which nothing may undo.
    """

    meaning: str
    counts_as: TaskStatus | None
    is_manual: bool


# Source: the public source of the vendor's desktop client.
STOP_TYPE_INFO: dict[StopType, StopTypeInfo] = {
    StopType.USER: StopTypeInfo("by the user", None, is_manual=True),
    StopType.ADMINISTRATOR: StopTypeInfo("by an administrator", None, is_manual=True),
    StopType.BILLING: StopTypeInfo("by billing", TaskStatus.ARREARAGE_STOP, is_manual=False),
    StopType.CLIENT: StopTypeInfo("in the vendor's client", None, is_manual=True),
    StopType.API: StopTypeInfo("through the API", None, is_manual=False),
    StopType.FULL_SPEED: StopTypeInfo("for full speed", TaskStatus.UPDATING, is_manual=False),
    StopType.PROJECT_DELETED: StopTypeInfo("because its project was deleted", None, is_manual=True),
    StopType.AFTER_SUBMIT: StopTypeInfo("after the submit", TaskStatus.UPDATING, is_manual=False),
    StopType.OVERTIME: StopTypeInfo("because of overtime", TaskStatus.TIME_OUT_STOP, is_manual=False),
}


def status_of_stop(status: TaskStatus, stop_type: int | None) -> TaskStatus:
    """Return what the status of a task counts as, given its stop type.

    The farm itself stops for full speed or after the submit: the task counts as changing its state.
    """
    info = STOP_TYPE_INFO.get(StopType(stop_type or 0))
    if info and info.counts_as is not None and status in {TaskStatus.STOP, TaskStatus.USER_STOP}:
        return info.counts_as
    return status


class FrameStatus(enum.IntEnum):
    """Status of a frame (the farm's field ``frameStatus``)."""

    UNKNOWN = -1
    WAITING = 1
    STARTED = 2
    ABORTED = 3
    DONE = 4
    ERROR = 5
    PRE_DONE_WAITING = 6
    PHOTON_DONE_WAITING = 7
    PRIORITY_WAITING = 8
    PRE_DONE_JOB_WAITING = 9
    GOP_JOB_WAITING = 10
    TIMEOUT = 11
    SUBFRAME_WAITING = 12

    @classmethod
    def _missing_(cls, value: object) -> FrameStatus | None:
        """Return UNKNOWN, which counts as active, for a code that is not documented."""
        return cls.UNKNOWN if isinstance(value, int) else None


def aggregate_status(own: TaskStatus, sub_tasks: Iterable[TaskStatus]) -> TaskStatus:
    """Return the status of a layered task from its own status and those of its sub-tasks, at least one.

    The task is active while any sub-task is active, else paused if any sub-task is paused, else it has the
    status of the worst sub-task. Its own status says nothing in general: it can stay at WAITING after all
    sub-tasks have finished. Exceptions are RENDERING_TASK_SUBMITTING and RENDERING_TASK_SUBMIT_FAIL, which
    apply whatever the sub-tasks do, and UPDATING, in which no task has ended yet.
    """
    if own in {TaskStatus.RENDERING_TASK_SUBMITTING, TaskStatus.RENDERING_TASK_SUBMIT_FAIL}:
        return own
    statuses = tuple(sub_tasks)
    active = [status for status in statuses if status.phase is Phase.ACTIVE]
    if own is TaskStatus.UPDATING and not active:
        return own
    paused = [status for status in statuses if status.phase is Phase.PAUSED]
    return max(active or paused or statuses, key=lambda status: TASK_STATUS_INFO[status].severity)
