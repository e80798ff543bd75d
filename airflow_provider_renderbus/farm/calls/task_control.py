"""Calls that control tasks and frames. An unknown id refuses the whole call."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_renderbus.farm.server.envelope import (
    ILLEGAL_PARAMETER,
    MISSING_PARAMETER,
    TASK_ABANDONED,
    ApiRefusal,
)
from airflow_provider_renderbus.farm.simulation import task_control
from airflow_provider_renderbus.farm.simulation.tasks import FAILED_FRAMES, TaskState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_renderbus.farm.calls.context import CallContext, Request
    from airflow_provider_renderbus.farm.simulation.simulation import Simulation
    from airflow_provider_renderbus.farm.simulation.tasks import Frame, Task

    Action = Callable[[Simulation, Task], None]

MAX_MACHINES = 1000


def stop_task(ctx: CallContext, request: Request) -> None:
    """Stop tasks. One that has ended does not change."""
    _apply(ctx, "stop", ctx.tasks(request), task_control.stop)


def start_task(ctx: CallContext, request: Request) -> None:
    """Restart stopped tasks. One that is not stopped does not change."""
    _apply(ctx, "start", _refuse_abandoned(ctx.tasks(request)), task_control.start)


def abandon_task(ctx: CallContext, request: Request) -> None:
    """Stop tasks permanently."""
    _apply(ctx, "abandon", ctx.tasks(request), task_control.abandon)


def delete_task(ctx: CallContext, request: Request) -> None:
    """Stop tasks and remove them from the list."""
    _apply(ctx, "delete", ctx.tasks(request), task_control.delete)


def full_speed(ctx: CallContext, request: Request) -> str:
    """Resume tasks after their priority frames. One that is not paused does not change."""
    _apply(ctx, "full speed", _refuse_abandoned(ctx.tasks(request)), task_control.full_speed)
    return "成功"


def update_task_limit(ctx: CallContext, request: Request) -> None:
    """Set the maximum number of machines of a task."""
    task, machines = ctx.task(request.integer("taskId")), request.integer("taskLimit", maximum=MAX_MACHINES)
    task_control.set_max_machines(ctx.simulation, task, machines)


def update_task_user_level(ctx: CallContext, request: Request) -> None:
    """Set the level of a task among the customer's own; it has no other effect here."""
    task, level = ctx.task(request.integer("taskId")), request.integer("taskUserLevel", minimum=0)
    task.user_level = level
    ctx.simulation.mark_dirty(task)


def set_task_overtime_stop(ctx: CallContext, request: Request) -> None:
    """Set the seconds of work after which tasks are stopped."""
    tasks, seconds = ctx.tasks(request), request.integer("overTime", minimum=0)
    for task in tasks:
        task_control.set_time_limit(ctx.simulation, task, seconds)


def recommit_failed_frames(ctx: CallContext, request: Request) -> None:
    """Render the failed frames of tasks again, or those in the states of ``status``."""
    states = frozenset(request.integers("status", []) or FAILED_FRAMES)
    tasks = _refuse_abandoned(ctx.tasks(request))
    _apply(
        ctx, "recommit", tasks, partial(task_control.recommit, selector=lambda frame: frame.state in states)
    )


def recommit_frames(ctx: CallContext, request: Request) -> None:
    """Render selected frames again."""
    selected = _selected_frames(ctx, request)
    _refuse_abandoned([task for task, _ in selected])
    for task, selector in selected:
        _apply(ctx, "recommit frames", [task], partial(task_control.recommit, selector=selector))


def stop_frames(ctx: CallContext, request: Request) -> None:
    """Stop selected frames that are waiting or running."""
    for task, selector in _selected_frames(ctx, request):
        _apply(ctx, "stop frames", [task], partial(task_control.stop_frames, selector=selector))


def _apply(ctx: CallContext, operation: str, tasks: Sequence[Task], action: Action) -> None:
    for task in tasks:
        action(ctx.simulation, task)
    ctx.database.log_operation(ctx.simulation.now_epoch_ms(), operation, [task.alias for task in tasks])


def _refuse_abandoned(tasks: list[Task]) -> list[Task]:
    """Return the tasks.

    :raises ApiRefusal: with code 600, one of them or of its leaves is abandoned.
    """
    for task in tasks:
        if task.state is TaskState.ABANDON or any(leaf.state is TaskState.ABANDON for leaf in task.leaves):
            raise ApiRefusal(TASK_ABANDONED, task_id=task.id)
    return tasks


def _selected_frames(ctx: CallContext, request: Request) -> list[tuple[Task, Callable[[Frame], bool]]]:
    """Return tasks, each with a selector of its frames: all, those in some states, or those of some ids."""
    if request.one_of("selectAll", 0, 1):
        states = frozenset(request.integers("status", []))
        return [(ctx.task(request.integer("taskId")), lambda frame: not states or frame.state in states)]
    ids = frozenset(request.integers("ids", []))
    if not ids:
        raise ApiRefusal(MISSING_PARAMETER, field="ids")
    tasks = {}
    for frame_id in sorted(ids):
        task, _ = ctx.frame(frame_id)
        tasks[task.id] = task
    if request.has("taskId"):
        allowed = {task.id for task in ctx.simulation.with_leaves(ctx.task(request.integer("taskId")))}
        if not allowed.issuperset(tasks):
            raise ApiRefusal(ILLEGAL_PARAMETER, field="ids", expected="ids of frames of the task")
    return [(task, lambda frame: frame.id in ids) for task in tasks.values()]
