"""Render a shot in passes, and composite them in another DAG that an Asset schedules.

`render_passes` renders two layers and updates the Asset PASSES; the event has the id, state, frames, cost,
layers and console URL of the render. `composite_on_render` is scheduled by the Asset, so it needs
neither a sensor nor the name of the other DAG. It multiplies colour and shadow pass of each frame.

It needs the connection `renderbus_default`, a scene in the farm's input storage, the environment variables
RENDERBUS_FRAMES_FOLDER and RENDERBUS_PICTURES_FOLDER (see the example nightly_render), and Pillow (extra
`examples`).
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import Asset, dag, task

from airflow_provider_renderbus.task_json import build_task_json

SHOT = "sh010"
FRAMES = 8
PASSES = Asset(f"renderbus://shots/{SHOT}/passes")
FRAMES_FOLDER = Path(os.environ.get("RENDERBUS_FRAMES_FOLDER", "/mnt/renderbus/output"))
PICTURES_FOLDER = Path(os.environ.get("RENDERBUS_PICTURES_FOLDER", "/mnt/renderbus/pictures"))


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    tags=["renderbus", "example"],
    doc_md=__doc__,
)
def render_passes() -> None:
    """Render colour and shadow pass of the shot."""

    @task.renderbus(
        labels=[SHOT], outlets=[PASSES], deferrable=True, retries=2, retry_delay=timedelta(minutes=1)
    )
    def render() -> dict[str, Any]:
        return build_task_json(
            software="Maya",
            version="2024",
            scene=f"/mnt/projects/{SHOT}.ma",
            frames=f"1-{FRAMES}",
            width=320,
            height=180,
            renderer="arnold",
            plugins={"mtoa": "5.3.4"},
            layers=["colour", "shadow"],
            image_format="png",
        )

    render()


@task
def renders(**context: Any) -> list[dict[str, Any]]:
    """Return the renders of the events that this run is for: several if more than one has finished."""
    # Airflow 2.11 calls Assets datasets.
    triggering = context.get("triggering_asset_events") or context["triggering_dataset_events"]
    return [event.extra for events in triggering.values() for event in events]


def pass_files(render: dict[str, Any], name: str) -> list[Path]:
    """List the frames of a pass, in order.

    :raises FileNotFoundError: some are still missing.
    """
    (folder,) = [layer["output_folder"] for layer in render["layers"] if layer["name"] == name]
    files = list((FRAMES_FOLDER / folder).glob("*.png"))
    if len(files) < FRAMES:
        raise FileNotFoundError(f"{folder}: must hold {FRAMES} frames of {name}, got {len(files)}")
    return sorted(files)


@task(
    retries=6,
    retry_delay=timedelta(minutes=5),
    map_index_template="{{ task.op_kwargs.render.render_task_id }}",
)
def composite(render: dict[str, Any]) -> dict[str, Any]:
    """Composite the passes of a render; return its id, its cost, and the folder of the composites."""
    from PIL import Image, ImageChops

    folder = PICTURES_FOLDER / str(render["render_task_id"])
    folder.mkdir(parents=True, exist_ok=True)
    for colour, shadow in zip(pass_files(render, "colour"), pass_files(render, "shadow"), strict=True):
        with Image.open(colour) as lit, Image.open(shadow) as shade:
            ImageChops.multiply(lit, shade).save(folder / colour.name.replace("_colour_", "_composite_"))
    return {"render_task_id": render["render_task_id"], "cost": render["cost"], "folder": str(folder)}


@dag(
    schedule=[PASSES],
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    tags=["renderbus", "example"],
    doc_md=__doc__,
)
def composite_on_render() -> None:
    """Composite each render that has finished."""
    composite.expand(render=renders())


render_passes()
composite_on_render()
