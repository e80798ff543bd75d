"""Calls that control tasks and frames. An unknown id refuses the whole call."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_renderbus.farm.server.envelope import (
    ILLEGAL_PARAMETER,
    MISSING_PARAMETER,
    NOTHING_TO_DO,
    RECOMMIT_REFUSED,
    TASK_ABANDONED,
    ApiRefusal,
)
from airflow_provider_renderbus.farm.simulation import task_control
from airflow_provider_renderbus.farm.simulation.tasks import FAILED_FRAMES, TaskState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_renderbus.farm.calls.context import CallContext, Request
    from airflow_provider_renderbus.farm.server.envelope import ErrorCode
    from airflow_provider_renderbus.farm.simulation.simulation import Simulation
    from airflow_provider_renderbus.farm.simulation.tasks import Frame, Task

    Action = Callable[[Simulation, Task], bool]

MAX_MACHINES = 1000


def stop_task(ctx: CallContext, request: Request) -> None:
    """Stop tasks. One that has ended does not change; if all have, the call is refused."""
    _apply(ctx, "stop", ctx.tasks(request), task_control.stop, NOTHING_TO_DO)


def start_task(ctx: CallContext, request: Request) -> None:
    """Restart stopped tasks. One that is not stopped does not change; if none is, the call is refused."""
    tasks = _refuse_abandoned(ctx.tasks(request))
    ctx.require_funds()
    _apply(ctx, "start", tasks, task_control.start, NOTHING_TO_DO)


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
    ctx.require_funds()
    recommit = partial(task_control.recommit, selector=lambda frame: frame.state in states)
    _apply(ctx, "recommit", tasks, recommit, NOTHING_TO_DO)


def recommit_frames(ctx: CallContext, request: Request) -> None:
    """Render selected frames again. An id of a frame that cannot be recommitted refuses the call."""
    selected = _selected_frames(ctx, request)
    _refuse_abandoned([task for task, _ in selected])
    for frame_id in request.integers("ids", []) if not request.one_of("selectAll", 0, 1) else []:
        _, frame = ctx.frame(frame_id)
        if not task_control.can_be_recommitted(frame):
            raise ApiRefusal(RECOMMIT_REFUSED, frame_id=frame_id, state=frame.state, type=frame.chunk.type)
    ctx.require_funds()
    for task, selector in selected:
        recommit = partial(task_control.recommit, selector=selector)
        _apply(ctx, "recommit frames", [task], recommit, NOTHING_TO_DO)


def stop_frames(ctx: CallContext, request: Request) -> None:
    """Stop selected frames that are waiting or running."""
    for task, selector in _selected_frames(ctx, request):
        _apply(ctx, "stop frames", [task], partial(task_control.stop_frames, selector=selector))


def _apply(
    ctx: CallContext,
    operation: str,
    tasks: Sequence[Task],
    action: Action,
    refusal_if_unchanged: ErrorCode | None = None,
) -> None:
    """Apply an action to tasks.

    :raises ApiRefusal: it has changed none of them, and an error for this case is given.
    """
    changes = [action(ctx.simulation, task) for task in tasks]
    if refusal_if_unchanged and not any(changes):
        raise ApiRefusal(refusal_if_unchanged)
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
