"""Views of tasks and frames as plain values, so that a page holds the simulation's lock only briefly."""

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
"""States by severity, least severe first. A layered task has the most severe state of its leaves."""
TASK_CSS_CLASSES = {
    **dict.fromkeys(TaskState, "stopped"),
    **dict.fromkeys(ACTIVE, "waiting"),
    **dict.fromkeys(WORKING, "running"),
    **dict.fromkeys(ENDED, "failed"),
    TaskState.FINISHED: "done",
}
TASK_STATE_TEXTS = {
    TaskState.STOP: "stopped",
    TaskState.ARREARAGE_STOP: "stopped: out of funds",
    TaskState.TIME_OUT_STOP: "stopped: timed out",
    TaskState.FINISHED_HAS_FAILED: "finished, some failed",
    TaskState.FINISHED_HAS_STOPPED: "finished, some stopped",
    TaskState.FINISHED_TEST: "priority frames done",
    TaskState.ABANDON: "abandoned",
}
"""Texts of states whose enum name is not clear; the same for frames below."""
FRAME_STATE_TEXTS = {
    FrameState.STARTED: "rendering",
    FrameState.ABORTED: "stopped",
    FrameState.ERROR: "failed",
    FrameState.TIMEOUT: "timed out",
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
    """A task as the pages show it. Frames, costs and times of a layered task are the sums of its leaves.

    :param label: layer or pass, "" for none.
    :param state: text of the state.
    :param css_class: CSS class of the state.
    :param counts: number of frames by CSS class.
    :param thumbnail: URL path of the thumbnail of the last finished frame, "" if there is none.
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
        """Number of frames."""
        return self.counts.total()


@dataclass(frozen=True, slots=True)
class FrameView:
    """A frame as the pages show it; ``file`` is the quoted name of its picture, "" for none."""

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
    """A log entry; the time is in milliseconds since 1970."""

    time: int
    text: str


def build_task_view(simulation: Simulation, task: Task) -> TaskView:
    """Return the view of a task."""
    leaves = simulation.leaves(task)
    state = max((leaf.state for leaf in leaves), key=SEVERITY.index, default=task.state)
    counts: Counter[str] = Counter()
    for leaf in leaves:
        for frame_state, count in leaf.frame_counts.items():
            counts[FRAME_CSS_CLASSES[FrameState(frame_state)]] += count
    label = task.job.layer
    if task.type is not TaskType.MAIN:
        label = _spell_out(task.type.name) if task.parent_id else ""
    return TaskView(
        task.id,
        task.job.scene or "not submitted yet",
        label,
        task_state_text(state) if task.submitted_at else "created",
        TASK_CSS_CLASSES[state],
        counts,
        sum((leaf.paid_by_coupon + leaf.paid_by_balance for leaf in leaves), Decimal(0)),
        sum(leaf.seconds for leaf in leaves),
        next(filter(None, (_latest_thumbnail(simulation, leaf) for leaf in leaves)), ""),
    )


def build_frame_view(task: Task, frame: Frame) -> FrameView:
    """Return the view of a frame."""
    has_picture = frame.state is FrameState.DONE and frame.chunk.has_files
    return FrameView(
        frame.chunk.name,
        frame_state_text(frame),
        FRAME_CSS_CLASSES[frame.state],
        frame.seconds if frame.state is FrameState.DONE else None,
        frame.paid_by_coupon + frame.paid_by_balance,
        quote(task.job.file_name(frame.chunk.frames[0], frame.chunk.tile)) if has_picture else "",
        bool(frame.chunk.tile),
        frame.ended_at or 0,
    )


def build_log(task: Task, frames: Iterable[Frame]) -> list[LogEntry]:
    """Return the log of a task, latest entry first."""
    entries = [
        LogEntry(time, text)
        for time, text in (
            (task.submitted_at, "Submitted"),
            (task.started_at, "Rendering started"),
            (task.completed_at, f"Ended: {task_state_text(task.state)}"),
        )
        if time is not None
    ]
    for frame in frames:
        name = f"Frame {frame.chunk.name}"
        if frame.started_at is not None:
            entries.append(LogEntry(frame.started_at, f"{name}: started"))
        if frame.ended_at is not None:
            recommits = f", recommitted {frame.recommits} times" if frame.recommits else ""
            entries.append(LogEntry(frame.ended_at, f"{name}: {frame_state_text(frame)}{recommits}"))
    return sorted(entries, key=lambda entry: entry.time, reverse=True)[:MAX_LOG_ENTRIES]


def listed_tasks(simulation: Simulation) -> Sequence[Task]:
    """Return the tasks of the first page, latest first, without leaves and deleted tasks."""
    return [task for task in reversed(simulation.tasks.values()) if not task.parent_id and not task.deleted]


def task_state_text(state: TaskState) -> str:
    """Return the text of a task state."""
    return TASK_STATE_TEXTS.get(state) or _spell_out(state.name)


def frame_state_text(frame: Frame) -> str:
    """Return the text of a frame's state."""
    return FRAME_STATE_TEXTS.get(frame.state) or _spell_out(frame.state.name)


def _spell_out(name: str) -> str:
    return name.lower().replace("_", " ")


def _latest_thumbnail(simulation: Simulation, task: Task) -> str:
    file = simulation.storage.latest_file(task.output_folder) if task.submitted_at else None
    return f"/task/{task.id}/thumbnail/{quote(file)}" if file else ""
