"""Calls that change the life of tasks and frames. A number unknown refuses the whole call."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_renderbus.farm.calls.names import alias
from airflow_provider_renderbus.farm.server.envelope import (
    FRAME_NOT_FOUND,
    ILLEGAL_PARAMETER,
    MISSING_PARAMETER,
    TASK_ABANDONED,
    ApiRefusal,
)
from airflow_provider_renderbus.farm.simulation import task_control as orders
from airflow_provider_renderbus.farm.simulation.tasks import FAILED_FRAMES, TaskState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_provider_renderbus.farm.calls.context import CallContext, Request
    from airflow_provider_renderbus.farm.simulation.simulation import Simulation
    from airflow_provider_renderbus.farm.simulation.tasks import Frame, Task

    Order = Callable[[Simulation, Task], None]

MAX_MACHINES = 1000


def stop_task(desk: CallContext, request: Request) -> None:
    """Stop tasks. One that has ended stays as it is."""
    _apply(desk, "stop", desk.tasks(request), orders.stop)


def start_task(desk: CallContext, request: Request) -> None:
    """Start tasks again that were stopped. One that is not stopped stays as it is."""
    _apply(desk, "start", _refuse_abandoned(desk.tasks(request)), orders.start)


def abandon_task(desk: CallContext, request: Request) -> None:
    """Stop tasks for good."""
    _apply(desk, "abandon", desk.tasks(request), orders.abandon)


def delete_task(desk: CallContext, request: Request) -> None:
    """Stop tasks and take them off the list."""
    _apply(desk, "delete", desk.tasks(request), orders.delete)


def full_speed(desk: CallContext, request: Request) -> str:
    """Have tasks go on after their priority frames. One that does not pause stays as it is."""
    _apply(desk, "full speed", _refuse_abandoned(desk.tasks(request)), orders.full_speed)
    return "成功"


def update_task_limit(desk: CallContext, request: Request) -> None:
    """Set how many machines a task may have."""
    task, machines = desk.task(request.integer("taskId")), request.integer("taskLimit", maximum=MAX_MACHINES)
    orders.set_max_machines(desk.simulation, task, machines)


def update_task_user_level(desk: CallContext, request: Request) -> None:
    """Set the level of a task among the customer's own; it changes nothing else here."""
    task, level = desk.task(request.integer("taskId")), request.integer("taskUserLevel", minimum=0)
    task.user_level = level
    desk.simulation.mark_dirty(task)


def set_task_overtime_stop(desk: CallContext, request: Request) -> None:
    """Set the seconds after which tasks are stopped."""
    tasks, seconds = desk.tasks(request), request.integer("overTime", minimum=0)
    for task in tasks:
        orders.set_time_limit(desk.simulation, task, seconds)


def recommit_failed_frames(desk: CallContext, request: Request) -> None:
    """Have the failed frames of tasks rendered again, or those in given states."""
    states = frozenset(request.integers("status", []) or FAILED_FRAMES)
    tasks = _refuse_abandoned(desk.tasks(request))
    _apply(desk, "recommit", tasks, partial(orders.recommit, selector=lambda frame: frame.state in states))


def recommit_frames(desk: CallContext, request: Request) -> None:
    """Have chosen frames rendered again."""
    chosen = _selected_frames(desk, request)
    _refuse_abandoned([task for task, _ in chosen])
    for task, choice in chosen:
        _apply(desk, "recommit frames", [task], partial(orders.recommit, selector=choice))


def stop_frames(desk: CallContext, request: Request) -> None:
    """Stop chosen frames that wait or are rendered."""
    for task, choice in _selected_frames(desk, request):
        _apply(desk, "stop frames", [task], partial(orders.stop_frames, selector=choice))


def _apply(desk: CallContext, what: str, tasks: Iterable[Task], order: Order) -> None:
    tasks = list(tasks)
    for task in tasks:
        order(desk.simulation, task)
    desk.database.log_operation(desk.simulation.now_epoch_ms(), what, map(alias, tasks))


def _refuse_abandoned(tasks: list[Task]) -> list[Task]:
    """Refuse the call where a task was abandoned."""
    for task in tasks:
        if task.state is TaskState.ABANDON or any(leaf.state is TaskState.ABANDON for leaf in task.leaves):
            raise ApiRefusal(TASK_ABANDONED, number=task.id)
    return tasks


def _selected_frames(desk: CallContext, request: Request) -> list[tuple[Task, Callable[[Frame], bool]]]:
    """Return tasks and which of their frames are meant: all, those in given states, or those of given ids."""
    if request.one_of("selectAll", 0, 1):
        states = frozenset(request.integers("status", []))
        return [(desk.task(request.integer("taskId")), lambda frame: not states or frame.state in states)]
    ids = frozenset(request.integers("ids", []))
    if not ids:
        raise ApiRefusal(MISSING_PARAMETER, field="ids")
    tasks = {}
    for number in sorted(ids):
        found = desk.simulation.find_frame(number)
        if found is None or found[0].deleted:
            raise ApiRefusal(FRAME_NOT_FOUND, number=number)
        tasks[found[0].id] = found[0]
    if request.has("taskId"):
        own = {task.id for task in desk.simulation.with_leaves(desk.task(request.integer("taskId")))}
        if not own.issuperset(tasks):
            raise ApiRefusal(ILLEGAL_PARAMETER, field="ids", expected="ids of frames of the task")
    return [(task, lambda frame: frame.id in ids) for task in tasks.values()]
