"""The page ``/task/<id>``: a task with its leaves, its frames and its log."""

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
    """The content of the page."""

    task: TaskView
    parent: TaskView | None
    facts: dict[str, object]
    leaves: list[TaskView]
    frames: list[FrameView]
    log: list[LogEntry]
    page_number: int
    page_count: int


def build_view(simulation: Simulation, task: Task, page_number: int) -> TaskPageView | None:
    """Return the content of a page of the frame list, None if the page does not exist."""
    frames = simulation.frames(task)
    page_count = max(-(-len(frames) // FRAMES_PER_PAGE), 1)
    if not 1 <= page_number <= page_count:
        return None
    page_frames = frames[(page_number - 1) * FRAMES_PER_PAGE : page_number * FRAMES_PER_PAGE]
    parent = simulation.tasks.get(task.parent_id)
    view, job = build_task_view(simulation, task), task.job
    frames_fact = DASH
    if job.width:
        frames_fact = html(FRAMES_FACT, range=job.frames_range, width=job.width, height=job.height)
    ended_at = max((leaf.completed_at or 0 for leaf in simulation.leaves(task)), default=0) or None
    facts: dict[str, object] = {
        "Cost": format_amount(view.cost),
        "Machine time": format_duration(view.seconds),
        "Frames": frames_fact,
        "Submitted": time_element(task.submitted_at),
        "Ended": time_element(ended_at),
    }
    return TaskPageView(
        view,
        build_task_view(simulation, parent) if parent else None,
        facts,
        [build_task_view(simulation, leaf) for leaf in task.leaves],
        [build_frame_view(task, frame) for frame in page_frames],
        build_log(task, frames),
        page_number,
        page_count,
    )


def render(view: TaskPageView) -> bytes:
    """Return the HTML of the page."""
    task = view.task
    parts = [
        html(
            '<div class="title">{breadcrumbs}<h1>{scene}{label}</h1>{state}</div>'
            '<div class="progress wide">{progress}</div>{facts}',
            breadcrumbs=_breadcrumbs(task, view.parent),
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
        entries = join(map(_log_item, view.log))
        parts.append(html('<h2>Log</h2><ol class="log">{entries}</ol>', entries=entries))
    return render_page(f"{task.scene} ({task.task_id})", join(parts))


def _breadcrumbs(task: TaskView, parent: TaskView | None) -> Html:
    if parent is None:
        return html('<p class="quiet">Task {task_id}</p>', task_id=task.task_id)
    return html(
        '<p class="quiet">Task {task_id} of <a href="/task/{parent}">{parent}</a></p>',
        task_id=task.task_id,
        parent=parent.task_id,
    )


def _frame_item(task_id: int, frame: FrameView) -> Html:
    picture = html('<span class="picture"><b>{state}</b></span>', state=frame.state)
    if frame.file:
        picture = html(
            '<a href="/task/{task_id}/{kind}/{file}"><span class="picture">'
            '<img src="/task/{task_id}/thumbnail/{file}?{version}" alt="Frame {name}" loading="lazy">'
            "</span></a>",
            task_id=task_id,
            kind="tile" if frame.is_tile else "frame",
            file=frame.file,
            version=frame.version,
            name=frame.name,
        )
    cost = DASH if frame.seconds is None else format_amount(frame.cost, 4)
    render_time = "" if frame.seconds is None else format_duration(frame.seconds)
    return html(
        '<li class="frame {css_class}" title="{title}">{picture}'
        '<p><b>{name}</b><span class="quiet">{cost}</span></p></li>',
        css_class=frame.css_class,
        title=" · ".join(part for part in (f"Frame {frame.name}", frame.state, render_time) if part),
        picture=picture,
        name=frame.name,
        cost=cost,
    )


def _log_item(entry: LogEntry) -> Html:
    return html("<li>{date}<span>{text}</span></li>", date=time_element(entry.time), text=entry.text)
