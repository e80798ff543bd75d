"""Give a night's budget to the shots that it can pay, by what their test frames have cost.

Every shot renders its first, middle and last frame, and pauses. Then the budget is given out by the
forecasts, the important shots first, the cheap ones next. The shots that fit render the rest, each up to its
own limit, so no two can spend the same money. The others stay paused, which costs nothing, and are reported.

It needs the connection `renderbus_default`, and the scenes in the farm's input storage:
`D:/projects/sh010.blend` is `/D/projects/sh010.blend` there. Trigger it with the budget of the night, the
Param `budget` in the account's currency.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from airflow.sdk import Param, dag, task

from airflow_provider_renderbus.compat import AirflowFailException
from airflow_provider_renderbus.operators import RenderbusRenderOperator, RenderbusSubmitTaskOperator
from airflow_provider_renderbus.renders import allot
from airflow_provider_renderbus.task_json import build_task_json

log = logging.getLogger(__name__)


class Shot(NamedTuple):
    """A shot of the night; one of a higher priority gets its money before the others."""

    name: str
    frames: str
    priority: int = 0


SHOTS = (
    Shot("sh010", "1-24"),
    Shot("sh020", "1-48"),
    Shot("sh030", "1-120"),
    Shot("sh040", "1-36", priority=1),
    Shot("sh050", "1-72"),
)


def task_json(shot: Shot) -> dict[str, Any]:
    """Describe a render that pauses after its first, middle and last frame."""
    return build_task_json(
        software="Blender",
        version="4.2",
        scene=f"D:/projects/{shot.name}.blend",
        frames=shot.frames,
        width=320,
        height=180,
        image_format="PNG",
        test_frames="111",
        pause_after_test_frames=True,
    )


@task(trigger_rule="all_done")
def give_out(renders: list[dict[str, Any]], budget: float) -> dict[str, str | None]:
    """Return the limit of each shot, None for one that cannot be paid tonight."""
    # A render that did not pause, as one of three frames, has no forecast and yet has cost something.
    forecasts = {
        Path(render["scene"]).stem: render["forecast"] or {"spent": render["cost"]} for render in renders
    }
    return allot(forecasts, budget, {shot.name: shot.priority for shot in SHOTS if shot.name in forecasts})


@task(trigger_rule="all_done")
def affordable(renders: list[dict[str, Any]], limits: dict[str, str | None] | None) -> list[dict[str, Any]]:
    """Return the arguments of the renders that continue, those of shots that have a limit.

    A shot whose test frames have failed does not hold up the others. Without limits, nothing continues.
    """
    limits = limits or {}
    return [
        {"render_task_id": render["render_task_id"], "max_cost": limit}
        for render in renders
        if (limit := limits.get(Path(render["scene"]).stem)) is not None
    ]


@task(trigger_rule="all_done")
def report(renders: list[dict[str, Any]], limits: dict[str, str | None] | None) -> str:
    """Return a line on each shot, which the log has too.

    :raises AirflowFailException: a shot has no test frames, or the budget was not given out, which would
        leave the run a success.
    """
    by_shot = {Path(render["scene"]).stem: render for render in renders}
    lines = [f"{shot.name}: no test frames, see their task" for shot in SHOTS if shot.name not in by_shot]
    for shot, render in by_shot.items():
        forecast, limit = render["forecast"] or {}, (limits or {}).get(shot)
        decision = f"renders up to {limit}" if limit else f"stays {render['state']}: no money tonight"
        if render["state"] != "FINISHED_TEST":
            decision = f"is {render['state']} without a pause"
        elif limits is None:
            decision = f"stays {render['state']}: the budget was not given out, see the task give_out"
        lines.append(
            f"{shot}: test frames cost {render['cost']}, forecast {forecast.get('cost')} "
            f"({forecast.get('low')} to {forecast.get('high')}), {decision}, {render['console_url']}"
        )
    text = "\n".join(lines)
    log.info("The night:\n%s", text)
    if limits is None or len(by_shot) < len(SHOTS):
        raise AirflowFailException("A shot was left out: see the lines above")
    return text


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
    params={"budget": Param(50, type="number", minimum=0, description="For all shots of a night.")},
    tags=["renderbus", "example"],
    doc_md=__doc__,
)
def night_budget() -> None:
    """Render test frames, give out the budget, render what it pays."""
    test_frames = RenderbusRenderOperator.partial(
        task_id="test_frames", on_test_frames_done="succeed", deferrable=True
    ).expand(task_json=[task_json(shot) for shot in SHOTS])
    # Airflow replaces a task's output by its result when the tasks run; type checkers do not know that.
    renders: Any = test_frames.output
    limits: Any = give_out(renders, "{{ params.budget }}")  # type: ignore[arg-type]  # rendered from a template
    RenderbusSubmitTaskOperator.partial(
        task_id="render_rest", wait_for_completion=True, on_test_frames_done="full_speed", deferrable=True
    ).expand_kwargs(affordable(renders, limits))
    report(renders, limits)


night_budget()
