"""Check the renders of a whole night, then render them: a typing error costs nothing, and is found at once.

The first task checks all shots against the farm's lists and creates nothing. If one shot asks for a version,
a plug-in or a machine that the farm does not have, it fails with all faults of all shots, and none is paid.
It needs the connection `renderbus_default`, and the scenes in the farm's input storage.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import dag

from airflow_provider_renderbus.operators import RenderbusPreflightOperator, RenderbusRenderOperator
from airflow_provider_renderbus.task_json import build_task_json

SHOTS = ("sh010", "sh020", "sh030")


def task_json(shot: str) -> dict[str, Any]:
    """Describe a shot's render."""
    return build_task_json(
        software="Blender",
        version="4.2",
        scene=f"D:/projects/nightly/{shot}.blend",
        frames="1-24",
        width=320,
        height=180,
        image_format="PNG",
    )


@dag(
    schedule="0 2 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
    tags=["renderbus", "example"],
    doc_md=__doc__,
)
def preflight_night() -> None:
    """Check all shots, then render each."""
    renders = [task_json(shot) for shot in SHOTS]
    preflight = RenderbusPreflightOperator(task_id="preflight", renders=renders)
    render = RenderbusRenderOperator.partial(task_id="render", max_cost="20", deferrable=True).expand(
        task_json=renders
    )
    preflight >> render


preflight_night()
