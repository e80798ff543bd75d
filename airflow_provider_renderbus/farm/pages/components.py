"""Components of the pages: facts, progress bar, state badge, task list and pager."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_renderbus.farm.pages.elements import Html, format_amount, html, join

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_renderbus.farm.pages.views import TaskView

BAR_CLASSES = ("done", "running", "failed", "stopped")


def fact_list(values: Mapping[str, object], highlighted: str = "") -> Html:
    """Return a list of named facts with one of them highlighted."""
    cells = (
        html(
            '<div class="{css_class}"><dt>{name}</dt><dd>{value}</dd></div>',
            css_class="owed" if name == highlighted else "",
            name=name,
            value=value,
        )
        for name, value in values.items()
    )
    return html('<dl class="facts">{cells}</dl>', cells=join(cells))


def progress_bar(task: TaskView) -> Html:
    """Return a bar and a text with the frames of a task by state."""
    counts, total = task.counts, task.total
    if not total:
        return Html("")
    rects, left = [], 0.0
    for css_class in BAR_CLASSES:
        width = counts[css_class] * 100 / total
        rects.append(
            html(
                '<rect class="{css_class}" x="{x}" width="{w}" height="1"/>',
                css_class=css_class,
                x=round(left, 2),
                w=round(width, 2),
            )
        )
        left += width
    others = [f"{counts[css_class]} {css_class}" for css_class in BAR_CLASSES[1:] if counts[css_class]]
    return html(
        '<svg class="bar" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">{rects}</svg>'
        "<p>{text}</p>",
        rects=join(rects),
        text=" · ".join([f"{counts['done']} of {task.total} frames", *others, format_amount(task.cost)]),
    )


def task_list(tasks: Iterable[TaskView]) -> Html:
    """Return a list of tasks with links to their pages."""
    return html('<ul class="tasks">{items}</ul>', items=join(map(_task_item, tasks)))


def pager(path: str, page_number: int, page_count: int) -> Html:
    """Return links to the previous and the next page of a list, "" if it has one page."""
    if page_count <= 1:
        return Html("")
    links = [
        html('<a href="{path}?page={number}">{text}</a>', path=path, number=number, text=text)
        for number, text in ((page_number - 1, "← Previous"), (page_number + 1, "Next →"))
        if 1 <= number <= page_count
    ]
    return html(
        '<nav class="pager">{links}<span>page {page_number} of {page_count}</span></nav>',
        links=join(links),
        page_number=page_number,
        page_count=page_count,
    )


def state_badge(task: TaskView) -> Html:
    """Return the state of a task with its colour."""
    return html('<span class="state {css_class}">{state}</span>', css_class=task.css_class, state=task.state)


def _task_item(task: TaskView) -> Html:
    return html(
        '<li><a href="/task/{task_id}"><span class="thumbnail">{thumbnail}</span>'
        '<span class="name"><b>{scene}</b>{label} <span class="quiet">{task_id}</span></span>'
        '{state}<span class="progress">{progress}</span></a></li>',
        task_id=task.task_id,
        thumbnail=html('<img src="{src}" alt="" loading="lazy">', src=task.thumbnail)
        if task.thumbnail
        else Html(""),
        scene=task.scene,
        label=html(" · {label}", label=task.label) if task.label else Html(""),
        state=state_badge(task),
        progress=progress_bar(task),
    )
