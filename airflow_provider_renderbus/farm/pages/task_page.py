"""The page ``/task/<number>``: a task, its leaves, its frames and what has happened to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_renderbus.farm.pages.components import figures, pager, progress, state, task_list
from airflow_provider_renderbus.farm.pages.elements import (
    NONE,
    Html,
    amount,
    duration,
    html,
    joined,
    moment,
    page,
)
from airflow_provider_renderbus.farm.pages.views import (
    FRAMES_A_PAGE,
    FrameView,
    Line,
    TaskView,
    frame_view,
    log_of,
    task_view,
)

if TYPE_CHECKING:
    from airflow_provider_renderbus.farm.simulation.simulation import Life
    from airflow_provider_renderbus.farm.simulation.tasks import Task


SHOT = "{range} <small>{width} &times; {height}</small>"


@dataclass(frozen=True, slots=True)
class TaskPageView:
    """What the page of a task shows."""

    task: TaskView
    parent: TaskView | None
    facts: dict[str, object]
    leaves: list[TaskView]
    frames: list[FrameView]
    log: list[Line]
    current: int
    last: int


def look(life: Life, task: Task, current: int) -> TaskPageView | None:
    """Return what a page of a task shows; None past the last."""
    frames = life.frames(task)
    last = max(-(-len(frames) // FRAMES_A_PAGE), 1)
    if not 1 <= current <= last:
        return None
    cut = frames[(current - 1) * FRAMES_A_PAGE : current * FRAMES_A_PAGE]
    parent = life.tasks.get(task.parent)
    view, job = task_view(life, task), task.job
    facts: dict[str, object] = {
        "Cost": amount(view.cost),
        "Machine time": duration(view.seconds),
        "Frames": html(SHOT, range=job.frames_range, width=job.width, height=job.height)
        if job.width
        else NONE,
        "Submitted": moment(task.submitted),
        "Ended": moment(max((leaf.completed or 0 for leaf in life.leaves(task)), default=0) or None),
    }
    return TaskPageView(
        view,
        task_view(life, parent) if parent else None,
        facts,
        [task_view(life, leaf) for leaf in task.leaves],
        [frame_view(task, frame) for frame in cut],
        log_of(task, frames),
        current,
        last,
    )


def show(view: TaskPageView) -> bytes:
    """Return the page."""
    task = view.task
    parts = [
        html(
            '<div class="title">{parent}<h1>{scene}{label}</h1>{state}</div>'
            '<div class="progress wide">{progress}</div>{facts}',
            parent=_way(task, view.parent),
            scene=task.scene,
            label=html(" · {label}", label=task.label) if task.label else Html(""),
            state=state(task),
            progress=progress(task),
            facts=figures(view.facts),
        )
    ]
    if view.leaves:
        parts.append(html("<h2>Layers</h2>{leaves}", leaves=task_list(view.leaves)))
    if view.frames:
        parts.append(
            html(
                '<h2>Frames</h2><ol class="frames">{frames}</ol>{pager}',
                frames=joined(_frame(task.number, frame) for frame in view.frames),
                pager=pager(f"/task/{task.number}", view.current, view.last),
            )
        )
    if view.log:
        parts.append(html('<h2>Log</h2><ol class="log">{lines}</ol>', lines=joined(map(_line, view.log))))
    return page(f"{task.scene} ({task.number})", joined(parts))


def _way(task: TaskView, parent: TaskView | None) -> Html:
    if parent is None:
        return html('<p class="quiet">Task {number}</p>', number=task.number)
    return html(
        '<p class="quiet">Task {number} of <a href="/task/{parent}">{parent}</a></p>',
        number=task.number,
        parent=parent.number,
    )


def _frame(number: int, frame: FrameView) -> Html:
    picture = html('<span class="picture"><b>{state}</b></span>', state=frame.state)
    if frame.file:
        picture = html(
            '<a href="/task/{number}/{kind}/{file}"><span class="picture">'
            '<img src="/task/{number}/thumbnail/{file}?{version}" alt="Frame {name}" loading="lazy">'
            "</span></a>",
            number=number,
            kind="tile" if frame.is_tile else "frame",
            file=frame.file,
            version=frame.version,
            name=frame.name,
        )
    paid = NONE if frame.seconds is None else amount(frame.cost, 4)
    took = "" if frame.seconds is None else duration(frame.seconds)
    return html(
        '<li class="frame {hue}" title="{title}">{picture}'
        '<p><b>{name}</b><span class="quiet">{paid}</span></p></li>',
        hue=frame.hue,
        title=" · ".join(part for part in (f"Frame {frame.name}", frame.state, took) if part),
        picture=picture,
        name=frame.name,
        paid=paid,
    )


def _line(line: Line) -> Html:
    return html("<li>{date}<span>{text}</span></li>", date=moment(line.date), text=line.text)
