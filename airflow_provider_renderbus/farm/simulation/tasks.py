"""Tasks and frames, their states, and the table of all transitions between the states of a task.

A task that was created but not submitted is WAITING without a submit date. The task of a layered scene always
remains WAITING, as in the farm's documents: its leaves progress, which are tasks with ids of their own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum, auto
from typing import TYPE_CHECKING

from airflow_provider_renderbus.farm.pictures.task_json import NO_JOB, Job

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

    from airflow_provider_renderbus.farm.simulation.chunks import Chunk


class TaskState(IntEnum):
    """``taskStatus`` of the farm's answers."""

    WAITING = 0
    RENDERING = 5
    PRE_RENDERING = 8
    STOP = 10
    ARREARAGE_STOP = 20
    TIME_OUT_STOP = 23
    FINISHED = 25
    FINISHED_HAS_FAILED = 30
    ABANDON = 35
    FINISHED_TEST = 40
    FAILED = 45
    FINISHED_HAS_STOPPED = 70


class FrameState(IntEnum):
    """``frameStatus`` of the farm's answers."""

    WAITING = 1
    STARTED = 2
    ABORTED = 3
    DONE = 4
    ERROR = 5
    TIMEOUT = 11


FAILED_FRAMES = frozenset({FrameState.ERROR, FrameState.TIMEOUT})
OPEN_FRAMES = frozenset({FrameState.WAITING, FrameState.STARTED})
STARTABLE_FRAMES = frozenset({FrameState.ABORTED, FrameState.TIMEOUT})
RECOMMITTABLE_FRAMES = frozenset({FrameState.DONE, FrameState.ERROR})


class StopType(IntEnum):
    """``stopType`` of a stopped task: who or what stopped it."""

    NONE = 0
    USER = 1
    ADMINISTRATOR = 2
    BILLING = 3
    CLIENT = 4
    API = 5
    FULL_SPEED = 6
    PROJECT_DELETED = 7
    AFTER_SUBMIT = 9
    OVERTIME = 10


class TaskType(StrEnum):
    """``taskType`` of the farm's answers. A parent has leaves and no frames of its own."""

    MAIN = "Render"
    PARENT = ""
    PREPROCESS = "PreRender"
    PHOTON = "RenderPhoton"


class TaskEvent(Enum):
    """What can happen to a task and change its state."""

    MACHINES_READY = auto()
    PREPROCESS_MACHINES_READY = auto()
    CRASHED = auto()
    TEST_FRAMES_DONE = auto()
    ALL_FRAMES_DONE = auto()
    SOME_FRAMES_FAILED = auto()
    SOME_FRAMES_STOPPED = auto()
    FUNDS_EXHAUSTED = auto()
    TIME_LIMIT_REACHED = auto()
    STOPPED = auto()
    STARTED = auto()
    FULL_SPEED = auto()
    RECOMMITTED = auto()
    ABANDONED = auto()


_S = TaskState
WORKING = frozenset({_S.RENDERING, _S.PRE_RENDERING})
ACTIVE = WORKING | {_S.WAITING}
STOPPED = frozenset({_S.STOP, _S.ARREARAGE_STOP, _S.TIME_OUT_STOP})
ENDED = frozenset({_S.FINISHED, _S.FINISHED_HAS_FAILED, _S.FINISHED_HAS_STOPPED, _S.FAILED})
ABANDONED = frozenset({_S.ABANDON})
STARTABLE = STOPPED | {_S.FINISHED_HAS_STOPPED, _S.FINISHED_HAS_FAILED, _S.FAILED}

TRANSITIONS: dict[tuple[TaskState, TaskEvent], TaskState] = {
    (_S.WAITING, TaskEvent.MACHINES_READY): _S.RENDERING,
    (_S.WAITING, TaskEvent.PREPROCESS_MACHINES_READY): _S.PRE_RENDERING,
    (_S.WAITING, TaskEvent.CRASHED): _S.FAILED,
    (_S.RENDERING, TaskEvent.TEST_FRAMES_DONE): _S.FINISHED_TEST,
    (_S.FINISHED_TEST, TaskEvent.FULL_SPEED): _S.RENDERING,
    (_S.RENDERING, TaskEvent.ALL_FRAMES_DONE): _S.FINISHED,
    (_S.RENDERING, TaskEvent.SOME_FRAMES_FAILED): _S.FINISHED_HAS_FAILED,
    (_S.RENDERING, TaskEvent.SOME_FRAMES_STOPPED): _S.FINISHED_HAS_STOPPED,
    (_S.PRE_RENDERING, TaskEvent.ALL_FRAMES_DONE): _S.FINISHED,
    (_S.PRE_RENDERING, TaskEvent.SOME_FRAMES_FAILED): _S.FAILED,
    (_S.PRE_RENDERING, TaskEvent.SOME_FRAMES_STOPPED): _S.FINISHED_HAS_STOPPED,
    **{(state, TaskEvent.FUNDS_EXHAUSTED): _S.ARREARAGE_STOP for state in ACTIVE},
    **{(state, TaskEvent.TIME_LIMIT_REACHED): _S.TIME_OUT_STOP for state in WORKING},
    **{(state, TaskEvent.STOPPED): _S.STOP for state in ACTIVE | {_S.FINISHED_TEST}},
    **{(state, TaskEvent.STARTED): _S.WAITING for state in STARTABLE},
    **{(state, TaskEvent.RECOMMITTED): _S.WAITING for state in ENDED | STOPPED | {_S.FINISHED_TEST}},
    **{(state, TaskEvent.ABANDONED): _S.ABANDON for state in set(_S) - {_S.FINISHED} - ABANDONED},
}
"""State and event to next state. A pair that is not listed changes nothing."""
STOP_TYPES = {
    TaskEvent.FUNDS_EXHAUSTED: StopType.BILLING,
    TaskEvent.TIME_LIMIT_REACHED: StopType.OVERTIME,
    TaskEvent.STOPPED: StopType.API,
    TaskEvent.ABANDONED: StopType.API,
}
"""Who stopped a task, by event; all other events clear it."""


@dataclass(slots=True)
class Frame:
    """The state of one chunk of a task, called a frame in the farm's answers.

    :param id: its id.
    :param chunk: what it renders.
    :param seconds: farm seconds that it takes, or took until it was aborted; 0 before it starts.
    :param started_at: start of the last attempt, milliseconds since 1970.
    :param ended_at: end of the last attempt, milliseconds since 1970.
    :param finishes_at: farm time at which the running attempt ends.
    :param recommits: how often the customer has recommitted it, ``recommitFlag``.
    :param failures: how often it has failed.
    :param error: why the last attempt cannot succeed, "" if nothing prevents it.
    :param paid_by_coupon: cost of all attempts paid by coupons, RMB.
    :param paid_by_balance: cost of all attempts charged to the balance, RMB.
    :param unpaid: the part of ``paid_by_balance`` that is debt beyond the credit, RMB.
    """

    id: int
    chunk: Chunk
    state: FrameState = FrameState.WAITING
    seconds: int = 0
    started_at: int | None = None
    ended_at: int | None = None
    finishes_at: float | None = None
    recommits: int = 0
    failures: int = 0
    error: str = ""
    paid_by_coupon: Decimal = Decimal(0)
    paid_by_balance: Decimal = Decimal(0)
    unpaid: Decimal = Decimal(0)


@dataclass(slots=True)
class RunningFrame:
    """A frame that a machine renders.

    :param finishes_at: farm time at which the frame ends, if its files exist by then.
    :param pictures: its files, which may be late.
    """

    frame: Frame
    finishes_at: float
    pictures: Future[list[Path]]


@dataclass(slots=True, eq=False)
class Task:
    """A task of the farm.

    :param id: its id.
    :param platform: id of the platform that it was created on.
    :param user_level: ``taskUserLevel`` as changed by the customer, 0 before that.
    :param max_machines: maximum number of machines, 0 for the scenario's.
    :param time_limit: maximum farm seconds of work, 0 for no limit.
    :param stop_type: who or what stopped it.
    :param on_hold: whether it waits for the customer or for another leaf instead of machines.
    :param crashes: how often it has failed before its first frame.
    :param submitted_at: milliseconds since 1970, as ``started_at`` and ``completed_at``.
    :param next_event_at: farm time of its next step, None if it is idle.
    :param working_since: farm time at which machines were ready, None if it does not work.
    :param first_frame_id: id of its first frame; the ids of the others follow.
    :param frame_counts: number of frames by state.
    :param seconds: render time of its done frames, farm seconds.
    :param paid_by_coupon: sum of its frames, as ``paid_by_balance`` and ``unpaid``.
    :param frames: None while they are only in the database.
    :param waiting_frames: heap of stage and index of its waiting frames.
    :param cached_json: its JSON in the last answer, None after a change.
    """

    id: int
    platform: int
    labels: list[str] = field(default_factory=list)
    artist: str | None = None
    clone_of: int = 0
    parent_id: int = 0
    type: TaskType = TaskType.MAIN
    user_level: int = 0
    max_machines: int = 0
    time_limit: int = 0
    hardware_ids: str = ""
    state: TaskState = TaskState.WAITING
    stop_type: StopType = StopType.NONE
    deleted: bool = False
    on_hold: bool = False
    full_speed: bool = False
    crashes: int = 0
    job: Job = NO_JOB
    producer: str | None = None
    submitted_at: int | None = None
    started_at: int | None = None
    completed_at: int | None = None
    next_event_at: float | None = None
    working_since: float | None = None
    first_frame_id: int = 0
    frame_counts: Counter[int] = field(default_factory=Counter)
    seconds: int = 0
    paid_by_coupon: Decimal = Decimal(0)
    paid_by_balance: Decimal = Decimal(0)
    unpaid: Decimal = Decimal(0)
    frames: list[Frame] | None = None
    waiting_frames: list[tuple[int, int]] = field(default_factory=list)
    running_frames: list[RunningFrame] = field(default_factory=list)
    leaves: list[Task] = field(default_factory=list)
    cached_json: str | None = None

    @property
    def alias(self) -> str:
        """``taskAlias``: platform and id."""
        return f"{self.platform}W{self.id}"

    @property
    def output_folder(self) -> str:
        """Name of its folder in the output storage."""
        return f"{self.id}_{self.job.stem}"

    @property
    def total_frames(self) -> int:
        """Number of its frames."""
        return sum(self.frame_counts.values())

    @property
    def deadline(self) -> float | None:
        """Farm time at which its time limit is reached, None if there is no limit or it does not work."""
        return (
            self.working_since + self.time_limit
            if self.working_since is not None and self.time_limit
            else None
        )

    def transition(self, event: TaskEvent) -> bool:
        """Change the state by the table of transitions, and return whether it lists this event."""
        next_state = TRANSITIONS.get((self.state, event))
        if next_state is None:
            return False
        self.state, self.stop_type = next_state, STOP_TYPES.get(event, StopType.NONE)
        return True
