"""The page ``/``: the customer's money, and the tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_renderbus.farm.pages.components import figures, pager, task_list
from airflow_provider_renderbus.farm.pages.elements import Html, amount, html, page
from airflow_provider_renderbus.farm.pages.views import TASKS_A_PAGE, TaskView, shown_tasks, task_view

if TYPE_CHECKING:
    from airflow_provider_renderbus.farm.simulation.account import Money
    from airflow_provider_renderbus.farm.simulation.simulation import Life

EMPTY = Html('<p class="empty">No task yet. A DAG that uses the connection of this farm makes the first.</p>')


@dataclass(frozen=True, slots=True)
class FarmView:
    """The farm as a person sees it."""

    money: dict[str, object]
    owing: str
    tasks: list[TaskView]
    total: int
    current: int
    last: int


def look(life: Life, current: int) -> FarmView | None:
    """Return what a page of the farm shows; None past the last."""
    tasks = shown_tasks(life)
    last = max(-(-len(tasks) // TASKS_A_PAGE), 1)
    if not 1 <= current <= last:
        return None
    cut = tasks[(current - 1) * TASKS_A_PAGE : current * TASKS_A_PAGE]
    views = [task_view(life, task) for task in cut]
    owing = "Owed" if life.money.arrears else ""
    working = {"Machines at work": sum(len(task.running) for task in life.tasks.values())}
    return FarmView(_money(life.money) | working, owing, views, len(tasks), current, last)


def show(view: FarmView) -> bytes:
    """Return the page."""
    main = html(
        '{figures}<h1 class="list">Tasks <small>{total}</small></h1>{tasks}{pager}',
        figures=figures(view.money, view.owing),
        total=view.total,
        tasks=task_list(view.tasks) if view.tasks else EMPTY,
        pager=pager("/", view.current, view.last),
    )
    return page("Render farm", main)


def _money(money: Money) -> dict[str, object]:
    shown: dict[str, object] = {
        "Balance": amount(money.balance),
        "Coupons": amount(money.coupon),
        "Price of a machine": html("{price} <small>an hour</small>", price=amount(money.price)),
    }
    return shown | ({"Owed": amount(money.arrears)} if money.arrears else {})
