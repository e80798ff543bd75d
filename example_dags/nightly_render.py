"""Render three shots every night, then make a contact sheet and a preview of the frames.

Each shot is an instance of a mapped task group: create a render, upload its task.json, submit it, wait for
its end. The wait is deferred, so it occupies no worker. It needs the connection `renderbus_default`, and the
scenes in the farm's input storage: `D:/projects/nightly/sh010.blend` is `/D/projects/nightly/sh010.blend`
there.

The frames are read from a folder. The embedded farm writes them there; those of the live farm must be
downloaded, e.g. by RenderbusDownloadFramesOperator. Its path is the Param `frames_folder`, whose default is
the environment variable RENDERBUS_FRAMES_FOLDER. If frames are still missing, Airflow retries.
The pictures need Pillow (extra `examples`).
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import Param, dag, task, task_group

from airflow_provider_renderbus.operators import (
    RenderbusCreateTaskOperator,
    RenderbusSubmitTaskOperator,
    RenderbusUploadTaskJsonOperator,
)
from airflow_provider_renderbus.sensors import RenderbusTaskSensor

SHOTS = ("sh010", "sh020", "sh030")
FRAMES = 24
FRAME_RATE = 24
WIDTH, HEIGHT = 320, 180


def task_json(shot: str) -> dict[str, Any]:
    """Describe a shot's render: Blender, one layer, every frame a PNG file."""
    return {
        "software_config": {"cg_name": "Blender", "cg_version": "4.2", "plugins": {}},
        "task_info": {
            "cg_id": "2007",
            "input_cg_file": f"D:/projects/nightly/{shot}.blend",
            "input_project_path": "D:/projects/nightly",
            "frames_per_task": "1",
            "is_picture": "0",
            "os_name": "1",
            "ram": "64",
            "channel": "4",
        },
        "scene_info_render": {
            "common": {
                "frames": f"1-{FRAMES}[1]",
                "width": str(WIDTH),
                "height": str(HEIGHT),
                "camera_name": "Camera",
                "Render_Format": "PNG",
                "Output_path": f"{shot}_",
                "scene_name": [shot],
            }
        },
    }


@task_group
def render_shot(shot: str, task_json: dict[str, Any]) -> Any:
    """Render one shot, and return the result of its sensor."""
    create = RenderbusCreateTaskOperator(task_id="create", labels=["nightly", shot])
    upload = RenderbusUploadTaskJsonOperator(
        task_id="upload", render_task_id=create.output, task_json=task_json
    )
    submit = RenderbusSubmitTaskOperator(
        task_id="submit", render_task_id=create.output, artist="nightly_render"
    )
    wait = RenderbusTaskSensor(
        task_id="wait", render_task_id=submit.output, deferrable=True, cancel_on_kill=True
    )
    upload >> submit
    return wait.output


def frame_files(context: dict[str, Any], renders: list[dict[str, Any]]) -> list[list[Path]]:
    """List the frames of each render, in order.

    :raises FileNotFoundError: some are still missing.
    """
    shots = []
    for render in renders:
        folder = Path(context["params"]["frames_folder"], render["output_folders"][0])
        files = sorted(folder.glob("*.png"))
        if len(files) < FRAMES:
            raise FileNotFoundError(f"{folder}: must hold {FRAMES} frames, got {len(files)}")
        shots.append(files)
    return shots


def picture_path(context: dict[str, Any], name: str) -> Path:
    """Return the path of a picture of a run, after creating its folder."""
    folder = Path(context["params"]["pictures_folder"], context["run_id"].replace(":", "-"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


@task(retries=6, retry_delay=timedelta(minutes=5))
def contact_sheet(renders: list[dict[str, Any]], **context: Any) -> str:
    """Lay out six frames per shot, a row per shot, and return the path of the picture."""
    from PIL import Image, ImageDraw

    margin, columns = 8, 6
    thumb = WIDTH // 2, HEIGHT // 2
    rows = frame_files(context, renders)
    size = margin + columns * (thumb[0] + margin), margin + len(rows) * (thumb[1] + 2 * margin + 8)
    sheet = Image.new("RGB", size, "#16181d")
    draw = ImageDraw.Draw(sheet)
    for row, (shot, files) in enumerate(zip(SHOTS, rows, strict=True)):
        for column, file in enumerate(files[:: max(1, len(files) // columns)][:columns]):
            x, y = margin + column * (thumb[0] + margin), margin + row * (thumb[1] + 2 * margin + 8)
            with Image.open(file) as frame:
                sheet.paste(frame.resize(thumb, Image.Resampling.LANCZOS), (x, y))
            draw.text((x, y + thumb[1] + 2), f"{shot}  {file.stem[-4:]}", fill="#aab0bc")
    path = picture_path(context, "contact_sheet.png")
    sheet.save(path)
    return str(path)


@task(retries=6, retry_delay=timedelta(minutes=5))
def preview(renders: list[dict[str, Any]], **context: Any) -> str:
    """Make an animation of all shots, one after the other, and return its path."""
    from PIL import Image

    first, *others = [Image.open(file) for shot_files in frame_files(context, renders) for file in shot_files]
    path = picture_path(context, "preview.webp")
    first.save(path, save_all=True, append_images=others, duration=1000 // FRAME_RATE, loop=0, quality=85)
    return str(path)


@dag(
    schedule="0 2 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    params={
        "frames_folder": Param(
            os.environ.get("RENDERBUS_FRAMES_FOLDER", "/mnt/renderbus/output"),
            type="string",
            description="The folder with the farm's output.",
        ),
        "pictures_folder": Param(
            os.environ.get("RENDERBUS_PICTURES_FOLDER", "/mnt/renderbus/pictures"),
            type="string",
            description="The folder for contact sheets and previews.",
        ),
    },
    tags=["renderbus", "example"],
    doc_md=__doc__,
)
def nightly_render() -> None:
    """Render the shots, and make pictures of them."""
    # Airflow replaces a task's output by its result when the tasks run; type checkers do not know that.
    renders: Any = render_shot.expand_kwargs([{"shot": shot, "task_json": task_json(shot)} for shot in SHOTS])
    contact_sheet(renders)
    preview(renders)


nightly_render()
