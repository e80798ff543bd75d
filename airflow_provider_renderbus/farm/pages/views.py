"""What the pages show, read from the farm's rooms: plain values, so that no page holds the farm up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow_provider_renderbus.farm.simulation.tasks import (
    ACTIVE,
    ENDED,
    FAILED_FRAMES,
    WORKING,
    FrameState,
    Task,
    TaskState,
    TaskType,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_renderbus.farm.simulation.simulation import Simulation
    from airflow_provider_renderbus.farm.simulation.tasks import Frame

TASKS_PER_PAGE = 50
FRAMES_PER_PAGE = 240
MAX_LOG_ENTRIES = 40
SEVERITY = (
    TaskState.FINISHED,
    TaskState.FINISHED_HAS_STOPPED,
    TaskState.FINISHED_HAS_FAILED,
    TaskState.STOP,
    TaskState.TIME_OUT_STOP,
    TaskState.ARREARAGE_STOP,
    TaskState.ABANDON,
    TaskState.FAILED,
    TaskState.FINISHED_TEST,
    TaskState.WAITING,
    TaskState.PRE_RENDERING,
    TaskState.RENDERING,
)
"""The state of a layered task is that of its leaf which comes last here."""
TASK_CSS_CLASSES = {
    **dict.fromkeys(TaskState, "stopped"),
    **dict.fromkeys(ACTIVE, "waiting"),
    **dict.fromkeys(WORKING, "running"),
    **dict.fromkeys(ENDED, "failed"),
    TaskState.FINISHED: "done",
}
TASK_STATE_TEXTS = {
    TaskState.STOP: "stopped",
    TaskState.ARREARAGE_STOP: "stopped: no money",
    TaskState.TIME_OUT_STOP: "stopped: over its time",
    TaskState.FINISHED_HAS_FAILED: "finished, some failed",
    TaskState.FINISHED_HAS_STOPPED: "finished, some stopped",
    TaskState.FINISHED_TEST: "priority frames done",
    TaskState.ABANDON: "abandoned",
}
"""States whose name does not say it in words, as in the next table."""
FRAME_STATE_TEXTS = {
    FrameState.STARTED: "rendering",
    FrameState.ABORTED: "stopped",
    FrameState.ERROR: "failed",
    FrameState.TIMEOUT: "over its time",
}
FRAME_CSS_CLASSES = {
    **dict.fromkeys(FAILED_FRAMES, "failed"),
    FrameState.WAITING: "waiting",
    FrameState.STARTED: "running",
    FrameState.DONE: "done",
    FrameState.ABORTED: "stopped",
}


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task as a person sees it: one with leaves counts their frames and money as its own.

    :param label: its layer or pass, "" where it has none.
    :param state: in words.
    :param hue: the class of its colour.
    :param counts: frames by the class of their colour.
    :param shot: address of the thumbnail of its last finished frame, "" before there is one.
    """

    task_id: int
    scene: str
    label: str
    state: str
    css_class: str
    counts: Counter[str]
    cost: Decimal
    seconds: int
    thumbnail: str

    @property
    def total(self) -> int:
        """How many frames it has."""
        return self.counts.total()


@dataclass(frozen=True, slots=True)
class FrameView:
    """A frame as a person sees it; ``file`` is the name of its picture in addresses, "" for none."""

    name: str
    state: str
    css_class: str
    seconds: int | None
    cost: Decimal
    file: str
    is_tile: bool
    version: int


@dataclass(frozen=True, slots=True)
class LogEntry:
    """Something that has happened, and its date in milliseconds since 1970."""

    time: int
    text: str


def build_task_view(life: Simulation, task: Task) -> TaskView:
    """Return a task as a person sees it."""
    own = life.leaves(task)
    state = max((leaf.state for leaf in own), key=SEVERITY.index, default=task.state)
    counts: Counter[str] = Counter()
    for leaf in own:
        for frame_state, count in leaf.frame_counts.items():
            counts[FRAME_CSS_CLASSES[FrameState(frame_state)]] += count
    return TaskView(
        task.id,
        task.job.scene or "not submitted yet",
        task.job.layer
        if task.type is TaskType.MAIN
        else _spell_out(task.type.name)
        if task.parent_id
        else "",
        task_state_text(state) if task.submitted_at else "created",
        TASK_CSS_CLASSES[state],
        counts,
        sum((leaf.paid_by_coupon + leaf.paid_by_balance for leaf in own), Decimal(0)),
        sum(leaf.seconds for leaf in own),
        next((shot for leaf in own if (shot := _latest_thumbnail(life, leaf))), ""),
    )


def build_frame_view(task: Task, frame: Frame) -> FrameView:
    """Return a frame as a person sees it."""
    done = frame.state is FrameState.DONE and frame.chunk.has_files
    return FrameView(
        frame.chunk.name,
        frame_state_text(frame),
        FRAME_CSS_CLASSES[frame.state],
        frame.seconds if frame.state is FrameState.DONE else None,
        frame.paid_by_coupon + frame.paid_by_balance,
        quote(task.job.file_name(frame.chunk.frames[0], frame.chunk.tile)) if done else "",
        bool(frame.chunk.tile),
        frame.ended_at or 0,
    )


def build_log(task: Task, frames: Iterable[Frame]) -> list[LogEntry]:
    """Return what has happened to a task, the latest first."""
    lines = [
        LogEntry(date, text)
        for date, text in (
            (task.submitted_at, "Submitted"),
            (task.started_at, "The first machine has begun"),
            (task.completed_at, f"Ended: {task_state_text(task.state)}"),
        )
        if date is not None
    ]
    for frame in frames:
        name = f"Frame {frame.chunk.name}"
        if frame.started_at is not None:
            lines.append(LogEntry(frame.started_at, f"{name}: begun"))
        if frame.ended_at is not None:
            again = f", ordered again {frame.recommits} times" if frame.recommits else ""
            lines.append(LogEntry(frame.ended_at, f"{name}: {frame_state_text(frame)}{again}"))
    return sorted(lines, key=lambda line: line.time, reverse=True)[:MAX_LOG_ENTRIES]


def listed_tasks(life: Simulation) -> Sequence[Task]:
    """Return the tasks that the first page lists, the latest first: no leaves, none that are deleted."""
    return [task for task in reversed(life.tasks.values()) if not task.parent_id and not task.deleted]


def task_state_text(state: TaskState) -> str:
    """Return the state of a task as a person says it."""
    return TASK_STATE_TEXTS.get(state) or _spell_out(state.name)


def frame_state_text(frame: Frame) -> str:
    """Return the state of a frame as a person says it."""
    return FRAME_STATE_TEXTS.get(frame.state) or _spell_out(frame.state.name)


def _spell_out(name: str) -> str:
    return name.lower().replace("_", " ")


def _latest_thumbnail(life: Simulation, task: Task) -> str:
    file = life.storage.latest_file(task.output_folder) if task.submitted_at else None
    return f"/task/{task.id}/thumbnail/{quote(file)}" if file else ""
