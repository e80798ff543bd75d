"""What a customer orders about tasks that are under way. Orders to a parent go to all its leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_renderbus.farm.simulation.simulation import advance_parent, start_main_pass
from airflow_provider_renderbus.farm.simulation.tasks import (
    OPEN_FRAMES,
    WORKING,
    FrameState,
    Task,
    TaskEvent,
    TaskState,
    TaskType,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_renderbus.farm.simulation.simulation import Simulation
    from airflow_provider_renderbus.farm.simulation.tasks import Frame

    Selector = Callable[[Frame], bool]


def stop(life: Simulation, task: Task, event: TaskEvent = TaskEvent.STOPPED) -> None:
    """Stop a task; one that has ended stays as it is."""
    if task.type is TaskType.PARENT and task.next_event_at is not None:
        start_main_pass(life, task)  # between its passes no leaf could show that it was stopped
    for leaf in life.leaves(task):
        life.terminate(leaf, event)


def abandon(life: Simulation, task: Task) -> None:
    """Stop a task for good. Only one that has finished without a fault stays as it is."""
    stop(life, task, TaskEvent.ABANDONED)


def delete(life: Simulation, task: Task) -> None:
    """Stop a task and take it off the list. Its files stay."""
    stop(life, task)
    for each in life.with_leaves(task):
        each.deleted = True
        life.mark_dirty(each)


def start(life: Simulation, task: Task) -> None:
    """Start a task again that was stopped: the frames that are not done wait for machines."""
    for leaf in life.leaves(task):
        was_failed = leaf.state is TaskState.FAILED
        if not leaf.transition(TaskEvent.STARTED):
            continue
        leaf.completed_at = None
        for frame in life.frames(leaf):
            if frame.state is FrameState.ABORTED or (was_failed and frame.state is not FrameState.DONE):
                life.set_frame_state(leaf, frame, FrameState.WAITING)
        leaf.on_hold = True
        if leaf.submitted_at and (not leaf.parent_id or leaf.type is TaskType.PREPROCESS):
            life.enqueue(leaf)
        life.mark_dirty(leaf)
    parent = task if task.type is TaskType.PARENT else life.tasks.get(task.parent_id)
    if parent:
        advance_parent(life, parent)


def full_speed(life: Simulation, task: Task) -> None:
    """Go on after the priority frames, or not pause after them where they are not done yet."""
    for each in life.with_leaves(task):
        each.full_speed = True
        if each.transition(TaskEvent.FULL_SPEED):
            each.working_since = life.now
            life.schedule(each, life.now)
        life.mark_dirty(each)


def recommit(life: Simulation, task: Task, selector: Selector) -> None:
    """Have chosen frames rendered again, and paid again. Those that wait or are rendered stay."""
    for leaf in life.leaves(task):
        if leaf.state is TaskState.ABANDON:
            continue
        chosen = [frame for frame in life.frames(leaf) if frame.state not in OPEN_FRAMES and selector(frame)]
        for frame in chosen:
            frame.recommits += 1
            life.set_frame_state(leaf, frame, FrameState.WAITING)
        if chosen and leaf.transition(TaskEvent.RECOMMITTED):
            leaf.completed_at = None
            life.enqueue(leaf)
        elif chosen and leaf.state in WORKING:
            life.schedule(leaf, life.now)


def stop_frames(life: Simulation, task: Task, selector: Selector) -> None:
    """Abort chosen frames that wait or are rendered."""
    for leaf in life.leaves(task):
        for frame in life.frames(leaf):
            if frame.state in OPEN_FRAMES and selector(frame):
                life.abort(leaf, frame)


def set_time_limit(life: Simulation, task: Task, seconds: int) -> None:
    """Set how long a task may work; one that works is stopped where that time is over already."""
    for each in life.with_leaves(task):
        each.time_limit = seconds
        if each.state in WORKING:
            life.schedule(each, life.now)
        life.mark_dirty(each)


def set_max_machines(life: Simulation, task: Task, machines: int) -> None:
    """Set how many machines a task may have at a time, from now on."""
    for each in life.with_leaves(task):
        each.max_machines = machines
        if each.state in WORKING:
            life.schedule(each, life.now)
        life.mark_dirty(each)
