"""What a customer orders about tasks that are under way. Orders to a parent go to all its leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_renderbus.farm.simulation.simulation import follow, go_on
from airflow_provider_renderbus.farm.simulation.tasks import (
    OPEN_FRAMES,
    WORKING,
    Event,
    FrameState,
    Kind,
    Task,
    TaskState,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_renderbus.farm.simulation.simulation import Life
    from airflow_provider_renderbus.farm.simulation.tasks import Frame

    Choice = Callable[[Frame], bool]


def stop(life: Life, task: Task, event: Event = Event.STOPPED) -> None:
    """Stop a task; one that has ended stays as it is."""
    if task.kind is Kind.PARENT and task.due is not None:
        go_on(life, task)  # between its passes no leaf could show that it was stopped
    for leaf in life.leaves(task):
        life.halt(leaf, event)


def abandon(life: Life, task: Task) -> None:
    """Stop a task for good. Only one that has finished without a fault stays as it is."""
    stop(life, task, Event.ABANDONED)


def delete(life: Life, task: Task) -> None:
    """Stop a task and take it off the list. Its files stay."""
    stop(life, task)
    for each in life.family(task):
        each.deleted = True
        life.touch(each)


def start(life: Life, task: Task) -> None:
    """Start a task again that was stopped: the frames that are not done wait for machines."""
    for leaf in life.leaves(task):
        was_failed = leaf.state is TaskState.FAILED
        if not leaf.move(Event.STARTED):
            continue
        leaf.completed = None
        for frame in life.frames(leaf):
            if frame.state is FrameState.ABORTED or (was_failed and frame.state is not FrameState.DONE):
                life.set(leaf, frame, FrameState.WAITING)
        leaf.held = True
        if leaf.submitted and (not leaf.parent or leaf.kind is Kind.PREPROCESS):
            life.queue(leaf)
        life.touch(leaf)
    parent = task if task.kind is Kind.PARENT else life.tasks.get(task.parent)
    if parent:
        follow(life, parent)


def full_speed(life: Life, task: Task) -> None:
    """Go on after the priority frames, or not pause after them where they are not done yet."""
    for each in life.family(task):
        each.full_speed = True
        if each.move(Event.FULL_SPEED):
            each.begun = life.moment
            life.look_at(each, life.moment)
        life.touch(each)


def recommit(life: Life, task: Task, choice: Choice) -> None:
    """Have chosen frames rendered again, and paid again. Those that wait or are rendered stay."""
    for leaf in life.leaves(task):
        if leaf.state is TaskState.ABANDON:
            continue
        chosen = [frame for frame in life.frames(leaf) if frame.state not in OPEN_FRAMES and choice(frame)]
        for frame in chosen:
            frame.recommits += 1
            life.set(leaf, frame, FrameState.WAITING)
        if chosen and leaf.move(Event.RECOMMITTED):
            leaf.completed = None
            life.queue(leaf)
        elif chosen and leaf.state in WORKING:
            life.look_at(leaf, life.moment)


def stop_frames(life: Life, task: Task, choice: Choice) -> None:
    """Abort chosen frames that wait or are rendered."""
    for leaf in life.leaves(task):
        for frame in life.frames(leaf):
            if frame.state in OPEN_FRAMES and choice(frame):
                life.abort(leaf, frame)


def set_time_limit(life: Life, task: Task, seconds: int) -> None:
    """Set how long a task may work; one that works is stopped where that time is over already."""
    for each in life.family(task):
        each.time_limit = seconds
        if each.state in WORKING:
            life.look_at(each, life.moment)
        life.touch(each)


def set_machines(life: Life, task: Task, machines: int) -> None:
    """Set how many machines a task may have at a time, from now on."""
    for each in life.family(task):
        each.machines = machines
        if each.state in WORKING:
            life.look_at(each, life.moment)
        life.touch(each)
