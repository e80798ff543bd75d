"""The page ``/``: the customer's money, and the tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_renderbus.farm.pages.components import fact_list, pager, task_list
from airflow_provider_renderbus.farm.pages.elements import Html, format_amount, html, render_page
from airflow_provider_renderbus.farm.pages.views import (
    TASKS_PER_PAGE,
    TaskView,
    build_task_view,
    listed_tasks,
)

if TYPE_CHECKING:
    from airflow_provider_renderbus.farm.simulation.account import Funds
    from airflow_provider_renderbus.farm.simulation.simulation import Simulation

NO_TASKS = Html(
    '<p class="empty">No task yet. A DAG that uses the connection of this farm makes the first.</p>'
)


@dataclass(frozen=True, slots=True)
class FarmView:
    """The farm as a person sees it."""

    facts: dict[str, object]
    highlighted: str
    tasks: list[TaskView]
    total: int
    page_number: int
    page_count: int


def build_view(life: Simulation, page_number: int) -> FarmView | None:
    """Return what a page of the farm shows; None past the last."""
    tasks = listed_tasks(life)
    last = max(-(-len(tasks) // TASKS_PER_PAGE), 1)
    if not 1 <= page_number <= last:
        return None
    cut = tasks[(page_number - 1) * TASKS_PER_PAGE : page_number * TASKS_PER_PAGE]
    views = [build_task_view(life, task) for task in cut]
    owing = "Owed" if life.funds.unpaid else ""
    working = {"Machines at work": sum(len(task.running_frames) for task in life.tasks.values())}
    return FarmView(_money_facts(life.funds) | working, owing, views, len(tasks), page_number, last)


def render(view: FarmView) -> bytes:
    """Return the page."""
    main = html(
        '{figures}<h1 class="list">Tasks <small>{total}</small></h1>{tasks}{pager}',
        figures=fact_list(view.facts, view.highlighted),
        total=view.total,
        tasks=task_list(view.tasks) if view.tasks else NO_TASKS,
        pager=pager("/", view.page_number, view.page_count),
    )
    return render_page("Render farm", main)


def _money_facts(money: Funds) -> dict[str, object]:
    shown: dict[str, object] = {
        "Balance": format_amount(money.balance),
        "Coupons": format_amount(money.coupon),
        "Price of a machine": html("{price} <small>an hour</small>", price=format_amount(money.price)),
    }
    return shown | ({"Owed": format_amount(money.unpaid)} if money.unpaid else {})
