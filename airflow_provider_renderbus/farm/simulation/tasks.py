"""Tasks and frames, their states, and the one table of the moves between them.

A task that was created and not submitted stands at WAITING without a submit time and never moves by itself.
The task of a layered scene stays at WAITING for ever, as the farm's documents show it: what happens happens
to its leaves, which are tasks with numbers of their own.
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


class TaskType(StrEnum):
    """What a task is for; the value is its ``taskType``. A parent has leaves and no frames of its own."""

    MAIN = "Render"
    PARENT = ""
    PREPROCESS = "PreRender"
    PHOTON = "RenderPhoton"


class TaskEvent(Enum):
    """What can happen to a task."""

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
    **{(state, TaskEvent.STARTED): _S.WAITING for state in STOPPED | {_S.FINISHED_HAS_STOPPED, _S.FAILED}},
    **{(state, TaskEvent.RECOMMITTED): _S.WAITING for state in ENDED | STOPPED | {_S.FINISHED_TEST}},
    **{(state, TaskEvent.ABANDONED): _S.ABANDON for state in set(_S) - {_S.FINISHED} - ABANDONED},
}
"""State and event to the next state. A pair that is not here changes nothing."""


@dataclass(slots=True)
class Frame:
    """One piece of a task, which the farm calls a frame. Dates are milliseconds since 1970, amounts RMB.

    :param id: its number in the farm.
    :param piece: what it renders.
    :param seconds: how long it takes, once it has begun.
    :param over: the farm moment at which its time is over, while it is rendered.
    :param recommits: how often it was ordered again, ``recommitFlag``.
    :param failures: how often it has failed.
    :param by_coupon: what coupons have paid for it, over all its renderings, as in the two amounts below.
    :param by_balance: what the balance has paid or owes for it.
    :param arrears: how much of that is owed.
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
    paid_by_coupon: Decimal = Decimal(0)
    paid_by_balance: Decimal = Decimal(0)
    unpaid: Decimal = Decimal(0)


@dataclass(slots=True)
class RunningFrame:
    """A machine at work on a frame.

    :param over: the farm moment at which the frame's time is over.
    :param pictures: its files, which may come later than that.
    """

    frame: Frame
    finishes_at: float
    pictures: Future[list[Path]]


@dataclass(slots=True, eq=False)
class Task:
    """A task of the farm. Moments are farm seconds, dates milliseconds since 1970, amounts RMB.

    :param number: its number.
    :param platform: the platform on which it was created.
    :param level: its ``taskUserLevel`` as changed by the customer, 0 before that.
    :param machines: how many machines it may have at a time.
    :param time_limit: seconds that it may work, 0 for any time.
    :param due: the moment at which it moves next by itself.
    :param begun: the moment at which it began to work, None while it does not work.
    :param held: it waits for an order or for another leaf, not for machines.
    :param breaks: how often it has broken down before its first frame.
    :param first_id: the id of its first frame; the others follow.
    :param frames: None while they lie in the books only.
    :param waiting: stage and position of its waiting frames, a heap.
    :param told: its JSON as last told to a caller, None after a change.
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
    def output_folder(self) -> str:
        """The name of its folder in the output storage."""
        return f"{self.id}_{self.job.stem}"

    @property
    def total_frames(self) -> int:
        """How many frames it has."""
        return sum(self.frame_counts.values())

    @property
    def deadline(self) -> float | None:
        """The moment at which its time limit is over, None where that never comes."""
        return (
            self.working_since + self.time_limit
            if self.working_since is not None and self.time_limit
            else None
        )

    def transition(self, event: TaskEvent) -> bool:
        """Go to the next state by the table, and return whether there is one."""
        following = TRANSITIONS.get((self.state, event))
        if following is None:
            return False
        self.state = following
        return True
