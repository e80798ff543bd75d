"""The page ``/task/<number>``: a task, its leaves, its frames and what has happened to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_renderbus.farm.pages.components import (
    fact_list,
    pager,
    progress_bar,
    state_badge,
    task_list,
)
from airflow_provider_renderbus.farm.pages.elements import (
    DASH,
    Html,
    format_amount,
    format_duration,
    html,
    join,
    render_page,
    time_element,
)
from airflow_provider_renderbus.farm.pages.views import (
    FRAMES_PER_PAGE,
    FrameView,
    LogEntry,
    TaskView,
    build_frame_view,
    build_log,
    build_task_view,
)

if TYPE_CHECKING:
    from airflow_provider_renderbus.farm.simulation.simulation import Simulation
    from airflow_provider_renderbus.farm.simulation.tasks import Task


FRAMES_FACT = "{range} <small>{width} &times; {height}</small>"


@dataclass(frozen=True, slots=True)
class TaskPageView:
    """What the page of a task shows."""

    task: TaskView
    parent: TaskView | None
    facts: dict[str, object]
    leaves: list[TaskView]
    frames: list[FrameView]
    log: list[LogEntry]
    page_number: int
    page_count: int


def build_view(life: Simulation, task: Task, page_number: int) -> TaskPageView | None:
    """Return what a page of a task shows; None past the last."""
    frames = life.frames(task)
    last = max(-(-len(frames) // FRAMES_PER_PAGE), 1)
    if not 1 <= page_number <= last:
        return None
    cut = frames[(page_number - 1) * FRAMES_PER_PAGE : page_number * FRAMES_PER_PAGE]
    parent = life.tasks.get(task.parent_id)
    view, job = build_task_view(life, task), task.job
    facts: dict[str, object] = {
        "Cost": format_amount(view.cost),
        "Machine time": format_duration(view.seconds),
        "Frames": html(FRAMES_FACT, range=job.frames_range, width=job.width, height=job.height)
        if job.width
        else DASH,
        "Submitted": time_element(task.submitted_at),
        "Ended": time_element(max((leaf.completed_at or 0 for leaf in life.leaves(task)), default=0) or None),
    }
    return TaskPageView(
        view,
        build_task_view(life, parent) if parent else None,
        facts,
        [build_task_view(life, leaf) for leaf in task.leaves],
        [build_frame_view(task, frame) for frame in cut],
        build_log(task, frames),
        page_number,
        last,
    )


def render(view: TaskPageView) -> bytes:
    """Return the page."""
    task = view.task
    parts = [
        html(
            '<div class="title">{parent}<h1>{scene}{label}</h1>{state}</div>'
            '<div class="progress wide">{progress}</div>{facts}',
            parent=_breadcrumbs(task, view.parent),
            scene=task.scene,
            label=html(" · {label}", label=task.label) if task.label else Html(""),
            state=state_badge(task),
            progress=progress_bar(task),
            facts=fact_list(view.facts),
        )
    ]
    if view.leaves:
        parts.append(html("<h2>Layers</h2>{leaves}", leaves=task_list(view.leaves)))
    if view.frames:
        parts.append(
            html(
                '<h2>Frames</h2><ol class="frames">{frames}</ol>{pager}',
                frames=join(_frame_item(task.task_id, frame) for frame in view.frames),
                pager=pager(f"/task/{task.task_id}", view.page_number, view.page_count),
            )
        )
    if view.log:
        parts.append(html('<h2>Log</h2><ol class="log">{lines}</ol>', lines=join(map(_log_item, view.log))))
    return render_page(f"{task.scene} ({task.task_id})", join(parts))


def _breadcrumbs(task: TaskView, parent: TaskView | None) -> Html:
    if parent is None:
        return html('<p class="quiet">Task {number}</p>', number=task.task_id)
    return html(
        '<p class="quiet">Task {number} of <a href="/task/{parent}">{parent}</a></p>',
        number=task.task_id,
        parent=parent.task_id,
    )


def _frame_item(task_id: int, frame: FrameView) -> Html:
    picture = html('<span class="picture"><b>{state}</b></span>', state=frame.state)
    if frame.file:
        picture = html(
            '<a href="/task/{number}/{kind}/{file}"><span class="picture">'
            '<img src="/task/{number}/thumbnail/{file}?{version}" alt="Frame {name}" loading="lazy">'
            "</span></a>",
            number=task_id,
            kind="tile" if frame.is_tile else "frame",
            file=frame.file,
            version=frame.version,
            name=frame.name,
        )
    paid = DASH if frame.seconds is None else format_amount(frame.cost, 4)
    took = "" if frame.seconds is None else format_duration(frame.seconds)
    return html(
        '<li class="frame {hue}" title="{title}">{picture}'
        '<p><b>{name}</b><span class="quiet">{paid}</span></p></li>',
        hue=frame.css_class,
        title=" · ".join(part for part in (f"Frame {frame.name}", frame.state, took) if part),
        picture=picture,
        name=frame.name,
        paid=paid,
    )


def _log_item(line: LogEntry) -> Html:
    return html("<li>{date}<span>{text}</span></li>", date=time_element(line.time), text=line.text)
