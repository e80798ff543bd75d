"""The renders of a page as JSON: plain values for the browser, which shows them as text only."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.states import TASK_STATUS_INFO, Phase, TaskStatus
from airflow_provider_renderbus.api.text import printable
from airflow_provider_renderbus.api.validation import parse_decimal
from airflow_provider_renderbus.renders.forecast import forecast
from airflow_provider_renderbus.renders.layers import list_layers, shot_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_renderbus.api.models.tasks import Progress, TaskInfo
    from airflow_provider_renderbus.clients.settings import Settings
    from airflow_provider_renderbus.web.airflow_reads import RenderTask
    from airflow_provider_renderbus.web.farm_view import Look

_WAITING = {TaskStatus.WAITING, TaskStatus.ANALYSE, TaskStatus.RENDERING_TASK_SUBMITTING}
_TONES = {
    Phase.ACTIVE: "running",
    Phase.PAUSED: "paused",
    Phase.SUCCEEDED: "done",
    Phase.INCOMPLETE: "failed",
    Phase.STOPPED: "stopped",
    Phase.FAILED: "failed",
}


def render_view(
    render_task_id: int, task: RenderTask, look: Look | None, settings: Settings | None, problem: str
) -> dict[str, Any]:
    """Return a render.

    :param task: the Airflow task that it belongs to.
    :param look: the last look at the farm; None if there was none.
    :param settings: of the connection; None if it cannot be used.
    :param problem: why there is no look.
    """
    view: dict[str, Any] = {
        "id": str(render_task_id),
        "task": task.key.task_id,
        "map_index": task.key.map_index,
        "label": task.label,
        "task_state": task.state,
        "max_cost": task.max_cost,
        "url": settings.console_url(render_task_id) if settings else None,
        "name": f"Render {render_task_id}",
        "problem": look.problem if look else problem,
        "seen": look.time if look else None,
    }
    if not look or not look.task:
        return view
    fields = _farm_fields(look.task)
    return (
        {**view, **fields, "tone": "stopped", "state": "DELETED", "meaning": "deleted"}
        if look.task.is_deleted
        else {**view, **fields}
    )


def sums(renders: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the sums over renders; without cost or budget if these are not known of each.

    Costs on several connections may be in different currencies, which cannot be added.
    """
    seen = [render for render in renders if "frames" in render]
    frames = {name: sum(render["frames"][name] for render in seen) for name in _counts_names(seen)}
    budgets = [_amount(render["max_cost"]) for render in seen]
    return {
        "renders": len(seen),
        "done": sum(render["tone"] == "done" for render in seen),
        "failed": sum(render["tone"] == "failed" for render in seen),
        "frames": frames,
        "cost": str(sum((Decimal(render["cost"]) for render in seen), Decimal(0))),
        "forecast": _sum_of_forecasts(seen),
        "max_cost": str(sum(filter(None, budgets))) if budgets and all(budgets) else None,
        "machine_seconds": sum(render["machine_seconds"] for render in seen),
    }


def _sum_of_forecasts(seen: list[dict[str, Any]]) -> str | None:
    """Return what renders are likely to cost in the end; None if that is not known of each."""
    ended = {"done", "failed", "stopped"}
    if not any(render["forecast"] for render in seen):
        return None
    if any(render["forecast"] is None and render["tone"] not in ended for render in seen):
        return None
    return str(sum((Decimal(render["forecast"] or render["cost"]) for render in seen), Decimal(0)))


def _counts_names(seen: list[dict[str, Any]]) -> Iterable[str]:
    return seen[0]["frames"] if seen else ()


def _farm_fields(task: TaskInfo) -> dict[str, Any]:
    """Return what the farm says about a render."""
    status = task.status
    leaves = tuple(task.leaves())
    started = [leaf.started_at.timestamp() for leaf in leaves if leaf.started_at]
    completed = [leaf.completed_at.timestamp() for leaf in leaves if leaf.completed_at]
    return {
        "name": shot_name(task) or f"Render {task.id}",
        "scene": printable(task.scene_name or ""),
        "state": status.name if status is not TaskStatus.UNKNOWN else f"state {task.status_code}",
        "meaning": TASK_STATUS_INFO[status].meaning,
        "tone": "waiting" if status in _WAITING else _TONES[status.phase],
        "frames": _counts(task.progress),
        "cost": str(task.cost),
        "forecast": _forecast(task),
        "machine_seconds": sum(leaf.render_duration or 0 for leaf in leaves),
        "started": min(started, default=None),
        "completed": max(completed) if len(completed) == len(leaves) and completed else None,
        "layers": [
            {
                "leaf": str(leaf.id),
                "name": name,
                "has_frames": layer.has_frames,
                "frames": _counts(leaf.progress),
                "cost": str(leaf.cost),
                "state": leaf.status.name,
                "tone": "waiting" if leaf.status in _WAITING else _TONES[leaf.status.phase],
                "machine_seconds": leaf.render_duration or 0,
            }
            for layer in list_layers(task)
            for name, leaf in [layer]
        ],
    }


def _forecast(task: TaskInfo) -> str | None:
    """Return what a render is likely to cost in the end; None if that is not known, or is its cost."""
    expected = forecast(task)
    return str(expected.cost) if expected.cost is not None and expected.frames_left else None


def _counts(progress: Progress) -> dict[str, int]:
    return {
        "total": progress.total,
        "done": progress.done,
        "failed": progress.failed,
        "running": progress.running,
        "stopped": progress.aborted,
    }


def _amount(text: str | None) -> Decimal | None:
    """Return a budget, None for none and for what operators do not accept as one."""
    try:
        return None if text is None else parse_decimal("max_cost", text, above_zero=True)
    except ValueError:
        return None
