"""The page ``/``: the customer's account and the tasks."""

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
    '<p class="empty">No task yet. A DAG that uses the connection of this farm creates the first.</p>'
)


@dataclass(frozen=True, slots=True)
class FarmView:
    """The content of the page."""

    facts: dict[str, object]
    highlighted: str
    tasks: list[TaskView]
    total: int
    page_number: int
    page_count: int


def build_view(simulation: Simulation, page_number: int) -> FarmView | None:
    """Return the content of a page of the task list, None if the page does not exist."""
    tasks = listed_tasks(simulation)
    page_count = max(-(-len(tasks) // TASKS_PER_PAGE), 1)
    if not 1 <= page_number <= page_count:
        return None
    page_tasks = tasks[(page_number - 1) * TASKS_PER_PAGE : page_number * TASKS_PER_PAGE]
    return FarmView(
        facts=_funds_facts(simulation.funds)
        | {"Running machines": sum(len(task.running_frames) for task in simulation.tasks.values())},
        highlighted="Owed" if simulation.funds.unpaid else "",
        tasks=[build_task_view(simulation, task) for task in page_tasks],
        total=len(tasks),
        page_number=page_number,
        page_count=page_count,
    )


def render(view: FarmView) -> bytes:
    """Return the HTML of the page."""
    main = html(
        '{facts}<h1 class="list">Tasks <small>{total}</small></h1>{tasks}{pager}',
        facts=fact_list(view.facts, view.highlighted),
        total=view.total,
        tasks=task_list(view.tasks) if view.tasks else NO_TASKS,
        pager=pager("/", view.page_number, view.page_count),
    )
    return render_page("Render farm", main)


def _funds_facts(funds: Funds) -> dict[str, object]:
    facts: dict[str, object] = {
        "Balance": format_amount(funds.balance),
        "Coupons": format_amount(funds.coupon),
        "Price of a machine": html("{price} <small>per hour</small>", price=format_amount(funds.price)),
    }
    return facts | ({"Owed": format_amount(funds.unpaid)} if funds.unpaid else {})
