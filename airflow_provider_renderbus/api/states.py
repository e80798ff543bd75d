"""The states of tasks and frames, each in one table.

Sources: the vendor's API document ("seed"), its field tables, and its public documents of 2026.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class Phase(enum.Enum):
    """What a task's state means to somebody who waits for it."""

    ACTIVE = "active"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    INCOMPLETE = "incomplete"
    STOPPED = "stopped"
    FAILED = "failed"


class TaskStatus(enum.IntEnum):
    """A task's state as the farm numbers it (``taskStatus``)."""

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
        """Read a code that nobody has told us of as UNKNOWN, which counts as active."""
        return cls.UNKNOWN if isinstance(value, int) else None

    @property
    def phase(self) -> Phase:
        """What the state means to somebody who waits."""
        return TASK_STATUS_INFO[self].phase


class StatusInfo(NamedTuple):
    """A row of the table of states.

    Of several leaves in the phase that decides, the one of the greatest ``weight`` speaks for the whole task.
    """

    phase: Phase
    severity: int
    meaning: str


TASK_STATUS_INFO: dict[TaskStatus, StatusInfo] = {
    TaskStatus.UNKNOWN: StatusInfo(Phase.ACTIVE, 0, "a code that this provider does not know"),
    TaskStatus.WAITING: StatusInfo(Phase.ACTIVE, 1, "waiting for a machine"),
    TaskStatus.RENDERING: StatusInfo(Phase.ACTIVE, 5, "rendering"),
    TaskStatus.PRE_RENDERING: StatusInfo(Phase.ACTIVE, 4, "preprocessing"),
    TaskStatus.STOP: StatusInfo(Phase.STOPPED, 4, "stopped by the user or an administrator"),
    TaskStatus.USER_STOP: StatusInfo(Phase.STOPPED, 4, "stopped by the user"),
    TaskStatus.ARREARAGE_STOP: StatusInfo(Phase.STOPPED, 6, "stopped: no money left"),
    TaskStatus.TIME_OUT_STOP: StatusInfo(Phase.STOPPED, 5, "stopped: over its time limit"),
    TaskStatus.FINISHED: StatusInfo(Phase.SUCCEEDED, 1, "finished"),
    TaskStatus.FINISHED_HAS_FAILED: StatusInfo(Phase.INCOMPLETE, 3, "finished, some frames failed"),
    TaskStatus.ABANDON: StatusInfo(Phase.STOPPED, 9, "abandoned, for good"),
    TaskStatus.FINISHED_TEST: StatusInfo(Phase.PAUSED, 0, "paused: the priority frames are done"),
    TaskStatus.FAILED: StatusInfo(Phase.FAILED, 7, "failed"),
    TaskStatus.ANALYSE: StatusInfo(Phase.ACTIVE, 3, "being analysed"),
    TaskStatus.RENDERING_TASK_SUBMITTING: StatusInfo(Phase.ACTIVE, 2, "being submitted"),
    TaskStatus.RENDERING_TASK_SUBMIT_FAIL: StatusInfo(Phase.FAILED, 8, "could not be submitted"),
    TaskStatus.FINISHED_HAS_STOPPED: StatusInfo(Phase.INCOMPLETE, 2, "finished, some frames were stopped"),
    TaskStatus.UPDATING: StatusInfo(Phase.ACTIVE, 2, "changing its state"),
}


class FrameStatus(enum.IntEnum):
    """A frame's state as the farm numbers it (``frameStatus``)."""

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
        """Read a code that nobody has told us of as UNKNOWN, which counts as active."""
        return cls.UNKNOWN if isinstance(value, int) else None


def aggregate_status(leaves: Iterable[TaskStatus]) -> TaskStatus:
    """Return the state of a whole task from those of its leaves.

    Active while any leaf is active, else paused if any is, else the state of the worst leaf. A layered
    task's own state is of no use: it can stay at WAITING after all its leaves have finished.

    :param leaves: the states of the leaves, at least one.
    """
    states = tuple(leaves)
    active = [state for state in states if state.phase is Phase.ACTIVE]
    paused = [state for state in states if state.phase is Phase.PAUSED]
    return max(active or paused or states, key=lambda state: TASK_STATUS_INFO[state].severity)
