"""Orders of a customer: stop, start, recommit and more. An order to a parent goes to all its leaves."""

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


def stop(simulation: Simulation, task: Task, event: TaskEvent = TaskEvent.STOPPED) -> None:
    """Stop a task. One that has ended does not change."""
    if task.type is TaskType.PARENT and task.next_event_at is not None:
        start_main_pass(simulation, task)  # between two passes there is no leaf that could be stopped
    for leaf in simulation.leaves(task):
        simulation.terminate(leaf, event)


def abandon(simulation: Simulation, task: Task) -> None:
    """Stop a task permanently. Only a finished task without failures does not change."""
    stop(simulation, task, TaskEvent.ABANDONED)


def delete(simulation: Simulation, task: Task) -> None:
    """Stop a task and remove it from the list. Its files remain."""
    stop(simulation, task)
    for each in simulation.with_leaves(task):
        each.deleted = True
        simulation.mark_dirty(each)


def start(simulation: Simulation, task: Task) -> None:
    """Restart a stopped task: its frames that are not done wait for machines again."""
    for leaf in simulation.leaves(task):
        was_failed = leaf.state is TaskState.FAILED
        if not leaf.transition(TaskEvent.STARTED):
            continue
        leaf.completed_at = None
        for frame in simulation.frames(leaf):
            if frame.state is FrameState.ABORTED or (was_failed and frame.state is not FrameState.DONE):
                simulation.set_frame_state(leaf, frame, FrameState.WAITING)
        leaf.on_hold = True
        if leaf.submitted_at and (not leaf.parent_id or leaf.type is TaskType.PREPROCESS):
            simulation.enqueue(leaf)
        simulation.mark_dirty(leaf)
    parent = task if task.type is TaskType.PARENT else simulation.tasks.get(task.parent_id)
    if parent:
        advance_parent(simulation, parent)


def full_speed(simulation: Simulation, task: Task) -> None:
    """Resume a task that paused after its priority frames, or prevent that pause."""
    for each in simulation.with_leaves(task):
        each.full_speed = True
        if each.transition(TaskEvent.FULL_SPEED):
            each.working_since = simulation.now
            simulation.schedule(each, simulation.now)
        simulation.mark_dirty(each)


def recommit(simulation: Simulation, task: Task, selector: Selector) -> None:
    """Render selected frames again, at a further cost. Waiting and running frames do not change."""
    for leaf in simulation.leaves(task):
        if leaf.state is TaskState.ABANDON:
            continue
        selected = [
            frame for frame in simulation.frames(leaf) if frame.state not in OPEN_FRAMES and selector(frame)
        ]
        for frame in selected:
            frame.recommits += 1
            simulation.set_frame_state(leaf, frame, FrameState.WAITING)
        if selected and leaf.transition(TaskEvent.RECOMMITTED):
            leaf.completed_at = None
            simulation.enqueue(leaf)
        elif selected and leaf.state in WORKING:
            simulation.schedule(leaf, simulation.now)


def stop_frames(simulation: Simulation, task: Task, selector: Selector) -> None:
    """Abort selected frames that are waiting or running."""
    for leaf in simulation.leaves(task):
        for frame in simulation.frames(leaf):
            if frame.state in OPEN_FRAMES and selector(frame):
                simulation.abort(leaf, frame)


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
