"""Orders of a customer: stop, start, recommit and more. An order to a parent goes to all its leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_renderbus.farm.simulation.chunks import MERGED_TYPES
from airflow_provider_renderbus.farm.simulation.simulation import advance_parent, start_main_pass
from airflow_provider_renderbus.farm.simulation.tasks import (
    OPEN_FRAMES,
    RECOMMITTABLE_FRAMES,
    STARTABLE_FRAMES,
    WORKING,
    FrameState,
    StopType,
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


def stop(
    simulation: Simulation,
    task: Task,
    event: TaskEvent = TaskEvent.STOPPED,
    stop_type: StopType = StopType.API,
) -> bool:
    """Stop a task, and return whether it changes. One that has ended does not."""
    if task.type is TaskType.PARENT and task.next_event_at is not None:
        start_main_pass(simulation, task)  # between two passes there is no leaf that could be stopped
    stopped = [leaf for leaf in simulation.leaves(task) if simulation.terminate(leaf, event)]
    for leaf in stopped:
        leaf.stop_type = stop_type
    return bool(stopped)


def abandon(simulation: Simulation, task: Task) -> bool:
    """Stop a task permanently. Only a finished task without failures does not change."""
    return stop(simulation, task, TaskEvent.ABANDONED)


def delete(simulation: Simulation, task: Task) -> bool:
    """Stop a task and remove it from the list. Its files remain."""
    stop(simulation, task)
    for each in simulation.with_leaves(task):
        each.deleted = True
        simulation.mark_dirty(each)
    return True


def start(simulation: Simulation, task: Task) -> bool:
    """Restart a stopped task, and return whether it changes.

    Its frames that were aborted or timed out wait for machines again, and all that are not done if the task
    failed before its first frame. A finished task without such frames does not change.
    """
    started = False
    for leaf in simulation.leaves(task):
        was_failed = leaf.state is TaskState.FAILED
        is_startable = leaf.state is not TaskState.FINISHED_HAS_FAILED or any(
            leaf.frame_counts[state] for state in STARTABLE_FRAMES
        )
        if not is_startable or not leaf.transition(TaskEvent.STARTED):
            continue
        started = True
        leaf.completed_at = None
        for frame in simulation.frames(leaf):
            if frame.state in STARTABLE_FRAMES or (was_failed and frame.state is not FrameState.DONE):
                simulation.set_frame_state(leaf, frame, FrameState.WAITING)
        leaf.on_hold = True
        if leaf.submitted_at and (not leaf.parent_id or leaf.type is TaskType.PREPROCESS):
            simulation.enqueue(leaf)
        simulation.mark_dirty(leaf)
    parent = task if task.type is TaskType.PARENT else simulation.tasks.get(task.parent_id)
    if parent:
        advance_parent(simulation, parent)
    return started


def full_speed(simulation: Simulation, task: Task) -> bool:
    """Resume a task that paused after its priority frames, or prevent that pause."""
    for each in simulation.with_leaves(task):
        each.full_speed = True
        if each.transition(TaskEvent.FULL_SPEED):
            each.working_since = simulation.now
            simulation.schedule(each, simulation.now)
        simulation.mark_dirty(each)
    return True


def can_be_recommitted(frame: Frame) -> bool:
    """Return whether a customer can recommit a frame: it is done or has failed, and is no merge of tiles."""
    return frame.state in RECOMMITTABLE_FRAMES and frame.chunk.type not in MERGED_TYPES


def recommit(simulation: Simulation, task: Task, selector: Selector) -> bool:
    """Render selected frames again, at a further cost, and return whether there are any.

    Frames that cannot be recommitted do not change. The merge of a recommitted tile follows it.
    """
    recommitted = False
    for leaf in simulation.leaves(task):
        if leaf.state is TaskState.ABANDON:
            continue
        frames = simulation.frames(leaf)
        selected = [frame for frame in frames if can_be_recommitted(frame) and selector(frame)]
        recommitted = recommitted or bool(selected)
        merged = {frame.chunk.frames for frame in selected if frame.chunk.tile}
        selected += [
            frame
            for frame in frames
            if frame.chunk.type in MERGED_TYPES
            and frame.chunk.frames in merged
            and frame.state not in OPEN_FRAMES
        ]
        for frame in selected:
            frame.recommits += 1
            simulation.set_frame_state(leaf, frame, FrameState.WAITING)
        if selected and leaf.transition(TaskEvent.RECOMMITTED):
            leaf.completed_at = None
            simulation.enqueue(leaf)
        elif selected and leaf.state in WORKING:
            simulation.schedule(leaf, simulation.now)
    return recommitted


def stop_frames(simulation: Simulation, task: Task, selector: Selector) -> bool:
    """Abort selected frames that are waiting or running."""
    for leaf in simulation.leaves(task):
        for frame in simulation.frames(leaf):
            if frame.state in OPEN_FRAMES and selector(frame):
                simulation.abort(leaf, frame)
    return True


def set_time_limit(simulation: Simulation, task: Task, seconds: int) -> None:
    """Set the maximum farm seconds of work. A task that has exceeded them already is stopped."""
    for each in simulation.with_leaves(task):
        each.time_limit = seconds
        if each.state in WORKING:
            simulation.schedule(each, simulation.now)
        simulation.mark_dirty(each)


def set_max_machines(simulation: Simulation, task: Task, machines: int) -> None:
    """Set the maximum number of machines of a task."""
    for each in simulation.with_leaves(task):
        each.max_machines = machines
        if each.state in WORKING:
            simulation.schedule(each, simulation.now)
        simulation.mark_dirty(each)
