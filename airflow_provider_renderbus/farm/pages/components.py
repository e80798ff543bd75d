"""Pieces that the pages share: figures, the progress of a task, tasks in a list, pages of a list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_renderbus.farm.pages.elements import Html, format_amount, html, join

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_renderbus.farm.pages.views import TaskView

BAR_CLASSES = ("done", "running", "failed", "stopped")


def fact_list(values: Mapping[str, object], highlighted: str = "") -> Html:
    """Return named figures; the one whose name is ``highlighted`` stands out."""
    cells = (
        html(
            '<div class="{kind}"><dt>{name}</dt><dd>{value}</dd></div>',
            kind="owing" if name == highlighted else "",
            name=name,
            value=value,
        )
        for name, value in values.items()
    )
    return html('<dl class="figures">{cells}</dl>', cells=join(cells))


def progress_bar(task: TaskView) -> Html:
    """Return a bar with the frames of a task by their state, and the same in words."""
    counts, total = task.counts, task.total
    if not total:
        return Html("")
    rects, left = [], 0.0
    for hue in BAR_CLASSES:
        width = counts[hue] * 100 / total
        rects.append(
            html(
                '<rect class="{hue}" x="{x}" width="{w}" height="1"/>',
                hue=hue,
                x=round(left, 2),
                w=round(width, 2),
            )
        )
        left += width
    rest = [f"{counts[hue]} {hue}" for hue in BAR_CLASSES[1:] if counts[hue]]
    return html(
        '<svg class="bar" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">{rects}</svg>'
        "<p>{text}</p>",
        rects=join(rects),
        text=" · ".join([f"{counts['done']} of {task.total} frames", *rest, format_amount(task.cost)]),
    )


def task_list(tasks: Iterable[TaskView]) -> Html:
    """Return tasks as a list of links to their pages."""
    return html('<ul class="tasks">{items}</ul>', items=join(map(_task_item, tasks)))


def pager(path: str, current: int, last: int) -> Html:
    """Return links to the page before and after, nothing where there is one page."""
    if last <= 1:
        return Html("")
    links = [
        html('<a href="{address}?page={number}">{text}</a>', address=path, number=number, text=text)
        for number, text in ((current - 1, "← Previous"), (current + 1, "Next →"))
        if 1 <= number <= last
    ]
    return html(
        '<nav class="pager">{links}<span>page {current} of {last}</span></nav>',
        links=join(links),
        current=current,
        last=last,
    )


def state_badge(task: TaskView) -> Html:
    """Return a task's state."""
    return html('<span class="state {hue}">{state}</span>', hue=task.css_class, state=task.state)


def _task_item(task: TaskView) -> Html:
    return html(
        '<li><a href="/task/{number}"><span class="shot">{shot}</span>'
        '<span class="name"><b>{scene}</b>{label} <span class="quiet">{number}</span></span>'
        '{state}<span class="progress">{progress}</span></a></li>',
        number=task.task_id,
        shot=html('<img src="{src}" alt="" loading="lazy">', src=task.thumbnail)
        if task.thumbnail
        else Html(""),
        scene=task.scene,
        label=html(" · {label}", label=task.label) if task.label else Html(""),
        state=state_badge(task),
        progress=progress_bar(task),
    )
