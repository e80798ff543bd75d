"""Tasks and frames, their states, and the one table of the moves between them.

A task that was created and not submitted stands at WAITING without a submit time and never moves by itself.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, IntEnum, auto
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.task_json import NO_JOB, Job

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path


class TaskState(IntEnum):
    """``taskStatus`` of the farm's answers."""

    WAITING = 0
    RENDERING = 5
    STOP = 10
    FINISHED = 25
    FINISHED_HAS_FAILED = 30


class FrameState(IntEnum):
    """``frameStatus`` of the farm's answers."""

    WAITING = 1
    STARTED = 2
    ABORTED = 3
    DONE = 4
    ERROR = 5


class Event(Enum):
    """What can happen to a task."""

    MACHINES_READY = auto()
    ALL_FRAMES_DONE = auto()
    SOME_FRAMES_FAILED = auto()
    STOPPED = auto()


MOVES = {
    (TaskState.WAITING, Event.MACHINES_READY): TaskState.RENDERING,
    (TaskState.WAITING, Event.STOPPED): TaskState.STOP,
    (TaskState.RENDERING, Event.STOPPED): TaskState.STOP,
    (TaskState.RENDERING, Event.ALL_FRAMES_DONE): TaskState.FINISHED,
    (TaskState.RENDERING, Event.SOME_FRAMES_FAILED): TaskState.FINISHED_HAS_FAILED,
}
"""State and event to the next state. A pair that is not here changes nothing."""

SHORTEST, LONGEST = 90, 150
"""Farm seconds that a frame takes at least and at most."""


@dataclass(slots=True)
class Frame:
    """One frame of a task. Moments are farm seconds, amounts RMB.

    :param id: its number in the farm.
    :param number: its number in the scene.
    :param seconds: how long it takes to render.
    """

    id: int
    number: int
    seconds: int
    state: FrameState = FrameState.WAITING
    started: float | None = None
    ended: float | None = None
    by_coupon: Decimal = Decimal(0)
    by_balance: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Run:
    """A machine at work on a frame.

    :param over: the farm moment at which the frame's time is over.
    :param picture: its file, which may come later than that.
    """

    frame: Frame
    over: float
    picture: Future[Path]


@dataclass(slots=True)
class Task:
    """A task of the farm. Moments are farm seconds, amounts RMB.

    :param number: its number.
    :param platform: the platform on which it was created.
    :param labels: given when it was created.
    :param artist: given when it was created.
    """

    number: int
    platform: int
    labels: tuple[str, ...] = ()
    artist: str | None = None
    files: dict[str, Any] = field(default_factory=dict)
    state: TaskState = TaskState.WAITING
    job: Job = NO_JOB
    producer: str | None = None
    submitted: float | None = None
    started: float | None = None
    completed: float | None = None
    frames: list[Frame] = field(default_factory=list)
    waiting: deque[Frame] = field(default_factory=deque)
    running: list[Run] = field(default_factory=list)
    counts: Counter[FrameState] = field(default_factory=Counter)
    seconds: int = 0
    by_coupon: Decimal = Decimal(0)
    by_balance: Decimal = Decimal(0)

    @property
    def output_name(self) -> str:
        """The name of its folder in the output storage."""
        return f"{self.number}_{self.job.stem}"

    def move(self, event: Event) -> bool:
        """Go to the next state by the table, and return whether there is one."""
        following = MOVES.get((self.state, event))
        if following is None:
            return False
        self.state = following
        return True

    def set(self, frame: Frame, state: FrameState) -> None:
        """Change the state of one of its frames, and the counts with it."""
        self.counts[frame.state] -= 1
        self.counts[state] += 1
        frame.state = state


def frame_seconds(scene: str, number: int) -> int:
    """Return how many farm seconds a frame takes: always the same for a scene's name and a frame."""
    digest = blake2b(f"{scene}:{number}".encode(errors="replace"), digest_size=4).digest()
    return SHORTEST + int.from_bytes(digest) % (LONGEST - SHORTEST + 1)
