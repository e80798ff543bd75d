"""Calls that change the life of tasks and frames. A number unknown refuses the whole call."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_renderbus.farm.calls.names import alias
from airflow_provider_renderbus.farm.server.envelope import GONE, ILLEGAL, MISSING, NO_FRAME, Refused
from airflow_provider_renderbus.farm.simulation import task_control as orders
from airflow_provider_renderbus.farm.simulation.tasks import FAILED_FRAMES, TaskState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_provider_renderbus.farm.calls.context import Desk, Request
    from airflow_provider_renderbus.farm.simulation.simulation import Life
    from airflow_provider_renderbus.farm.simulation.tasks import Frame, Task

    Order = Callable[[Life, Task], None]

MOST_MACHINES = 1000


def stop_task(desk: Desk, request: Request) -> None:
    """Stop tasks. One that has ended stays as it is."""
    _order(desk, "stop", desk.tasks(request), orders.stop)


def start_task(desk: Desk, request: Request) -> None:
    """Start tasks again that were stopped. One that is not stopped stays as it is."""
    _order(desk, "start", _alive(desk.tasks(request)), orders.start)


def abandon_task(desk: Desk, request: Request) -> None:
    """Stop tasks for good."""
    _order(desk, "abandon", desk.tasks(request), orders.abandon)


def delete_task(desk: Desk, request: Request) -> None:
    """Stop tasks and take them off the list."""
    _order(desk, "delete", desk.tasks(request), orders.delete)


def full_speed(desk: Desk, request: Request) -> str:
    """Have tasks go on after their priority frames. One that does not pause stays as it is."""
    _order(desk, "full speed", _alive(desk.tasks(request)), orders.full_speed)
    return "成功"


def update_task_limit(desk: Desk, request: Request) -> None:
    """Set how many machines a task may have."""
    task, machines = desk.task(request.number("taskId")), request.number("taskLimit", most=MOST_MACHINES)
    orders.set_machines(desk.life, task, machines)


def update_task_user_level(desk: Desk, request: Request) -> None:
    """Set the level of a task among the customer's own; it changes nothing else here."""
    task, level = desk.task(request.number("taskId")), request.number("taskUserLevel", least=0)
    task.level = level
    desk.life.touch(task)


def set_task_overtime_stop(desk: Desk, request: Request) -> None:
    """Set the seconds after which tasks are stopped."""
    tasks, seconds = desk.tasks(request), request.number("overTime", least=0)
    for task in tasks:
        orders.set_time_limit(desk.life, task, seconds)


def recommit_failed_frames(desk: Desk, request: Request) -> None:
    """Have the failed frames of tasks rendered again, or those in given states."""
    states = frozenset(request.numbers("status", []) or FAILED_FRAMES)
    tasks = _alive(desk.tasks(request))
    _order(desk, "recommit", tasks, partial(orders.recommit, choice=lambda frame: frame.state in states))


def recommit_frames(desk: Desk, request: Request) -> None:
    """Have chosen frames rendered again."""
    chosen = _chosen(desk, request)
    _alive([task for task, _ in chosen])
    for task, choice in chosen:
        _order(desk, "recommit frames", [task], partial(orders.recommit, choice=choice))


def stop_frames(desk: Desk, request: Request) -> None:
    """Stop chosen frames that wait or are rendered."""
    for task, choice in _chosen(desk, request):
        _order(desk, "stop frames", [task], partial(orders.stop_frames, choice=choice))


def _order(desk: Desk, what: str, tasks: Iterable[Task], order: Order) -> None:
    tasks = list(tasks)
    for task in tasks:
        order(desk.life, task)
    desk.books.record(desk.life.date(), what, map(alias, tasks))


def _alive(tasks: list[Task]) -> list[Task]:
    """Refuse the call where a task was abandoned."""
    for task in tasks:
        if task.state is TaskState.ABANDON or any(leaf.state is TaskState.ABANDON for leaf in task.leaves):
            raise Refused(GONE, number=task.number)
    return tasks


def _chosen(desk: Desk, request: Request) -> list[tuple[Task, Callable[[Frame], bool]]]:
    """Return tasks and which of their frames are meant: all, those in given states, or those of given ids."""
    if request.choice("selectAll", 0, 1):
        states = frozenset(request.numbers("status", []))
        return [(desk.task(request.number("taskId")), lambda frame: not states or frame.state in states)]
    ids = frozenset(request.numbers("ids", []))
    if not ids:
        raise Refused(MISSING, field="ids")
    tasks = {}
    for number in sorted(ids):
        found = desk.life.frame(number)
        if found is None or found[0].deleted:
            raise Refused(NO_FRAME, number=number)
        tasks[found[0].number] = found[0]
    if request.has("taskId"):
        own = {task.number for task in desk.life.family(desk.task(request.number("taskId")))}
        if not own.issuperset(tasks):
            raise Refused(ILLEGAL, field="ids", expected="ids of frames of the task")
    return [(task, lambda frame: frame.id in ids) for task in tasks.values()]
