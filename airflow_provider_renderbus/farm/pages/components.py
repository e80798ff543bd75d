"""Pieces that the pages share: figures, the progress of a task, tasks in a list, pages of a list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_renderbus.farm.pages.elements import Html, amount, html, joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_renderbus.farm.pages.views import TaskView

IN_BAR = ("done", "running", "failed", "stopped")


def figures(values: Mapping[str, object], owing: str = "") -> Html:
    """Return named figures; the one whose name is ``owing`` stands out."""
    cells = (
        html(
            '<div class="{kind}"><dt>{name}</dt><dd>{value}</dd></div>',
            kind="owing" if name == owing else "",
            name=name,
            value=value,
        )
        for name, value in values.items()
    )
    return html('<dl class="figures">{cells}</dl>', cells=joined(cells))


def progress(task: TaskView) -> Html:
    """Return a bar with the frames of a task by their state, and the same in words."""
    counts, total = task.counts, task.total
    if not total:
        return Html("")
    rects, left = [], 0.0
    for hue in IN_BAR:
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
    rest = [f"{counts[hue]} {hue}" for hue in IN_BAR[1:] if counts[hue]]
    return html(
        '<svg class="bar" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">{rects}</svg>'
        "<p>{text}</p>",
        rects=joined(rects),
        text=" · ".join([f"{counts['done']} of {task.total} frames", *rest, amount(task.cost)]),
    )


def task_list(tasks: Iterable[TaskView]) -> Html:
    """Return tasks as a list of links to their pages."""
    return html('<ul class="tasks">{items}</ul>', items=joined(map(_item, tasks)))


def pager(address: str, current: int, last: int) -> Html:
    """Return links to the page before and after, nothing where there is one page."""
    if last <= 1:
        return Html("")
    links = [
        html('<a href="{address}?page={number}">{text}</a>', address=address, number=number, text=text)
        for number, text in ((current - 1, "← Previous"), (current + 1, "Next →"))
        if 1 <= number <= last
    ]
    return html(
        '<nav class="pager">{links}<span>page {current} of {last}</span></nav>',
        links=joined(links),
        current=current,
        last=last,
    )


def state(task: TaskView) -> Html:
    """Return a task's state."""
    return html('<span class="state {hue}">{state}</span>', hue=task.hue, state=task.state)


def _item(task: TaskView) -> Html:
    return html(
        '<li><a href="/task/{number}"><span class="shot">{shot}</span>'
        '<span class="name"><b>{scene}</b>{label} <span class="quiet">{number}</span></span>'
        '{state}<span class="progress">{progress}</span></a></li>',
        number=task.number,
        shot=html('<img src="{src}" alt="" loading="lazy">', src=task.shot) if task.shot else Html(""),
        scene=task.scene,
        label=html(" · {label}", label=task.label) if task.label else Html(""),
        state=state(task),
        progress=progress(task),
    )
