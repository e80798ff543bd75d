"""Render three shots every night, then make a contact sheet, a preview, and a report of what it has cost.

Each shot is an instance of one mapped task, which is named after the shot in the grid: it creates a render,
uploads its task.json, submits it, and waits for its end. The wait is deferred, so it occupies no worker. If
a worker is lost, a retry reattaches to the same render. If a shot fails, the pictures are made of the others,
and the report says why.

It needs the connection `renderbus_default`, and the scenes in the farm's input storage:
`D:/projects/nightly/sh010.blend` is `/D/projects/nightly/sh010.blend` there.

The frames are read from a folder. The embedded farm writes them there; those of the live farm must be
downloaded, e.g. with the argument `download_folder`. Its path is the Param `frames_folder`, whose default is
the environment variable RENDERBUS_FRAMES_FOLDER. If frames are still missing, Airflow retries.
The pictures need Pillow (extra `examples`).
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import Param, dag, task

from airflow_provider_renderbus.compat import AirflowFailException, AirflowSkipException
from airflow_provider_renderbus.reports import collect_results, report
from airflow_provider_renderbus.task_json import build_task_json

SHOTS = ("sh010", "sh020", "sh030")
FRAMES = 24
FRAME_RATE = 24
WIDTH, HEIGHT = 320, 180


@task.renderbus(
    labels=["{{ task.op_kwargs.shot }}"],
    artist="nightly_render",
    deferrable=True,
    retries=2,
    retry_delay=timedelta(minutes=1),
)
def render(shot: str) -> dict[str, Any]:
    """Describe a shot's render: Blender, one layer, every frame a PNG file."""
    return build_task_json(
        software="Blender",
        version="4.2",
        scene=f"D:/projects/nightly/{shot}.blend",
        frames=f"1-{FRAMES}",
        width=WIDTH,
        height=HEIGHT,
        image_format="PNG",
    )


def frame_files(context: dict[str, Any], renders: list[dict[str, Any]]) -> dict[str, list[Path]]:
    """Return the frames of each shot that was rendered, in order.

    :raises FileNotFoundError: some are still missing.
    :raises AirflowSkipException: no shot was rendered.
    """
    shots = {}
    for result in renders or ():
        folder = Path(context["params"]["frames_folder"], result["output_folders"][0])
        files = sorted(folder.glob("*.png"))
        if len(files) < FRAMES:
            raise FileNotFoundError(f"{folder}: must hold {FRAMES} frames, got {len(files)}")
        shots[Path(result["scene"]).stem] = files
    if not shots:
        raise AirflowSkipException("No shot was rendered")
    return shots


def picture_path(context: dict[str, Any], name: str) -> Path:
    """Return the path of a picture of a run, after creating its folder."""
    folder = Path(context["params"]["pictures_folder"], context["run_id"].replace(":", "-"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


@task(trigger_rule="all_done", retries=6, retry_delay=timedelta(minutes=5))
def contact_sheet(renders: list[dict[str, Any]], **context: Any) -> str:
    """Lay out six frames per shot, a row per shot, and return the path of the picture."""
    from PIL import Image, ImageDraw

    margin, columns = 8, 6
    thumb = WIDTH // 2, HEIGHT // 2
    shots = frame_files(context, renders)
    size = margin + columns * (thumb[0] + margin), margin + len(shots) * (thumb[1] + 2 * margin + 8)
    sheet = Image.new("RGB", size, "#16181d")
    draw = ImageDraw.Draw(sheet)
    for row, (shot, files) in enumerate(shots.items()):
        for column, file in enumerate(files[:: max(1, len(files) // columns)][:columns]):
            x, y = margin + column * (thumb[0] + margin), margin + row * (thumb[1] + 2 * margin + 8)
            with Image.open(file) as frame:
                sheet.paste(frame.resize(thumb, Image.Resampling.LANCZOS), (x, y))
            draw.text((x, y + thumb[1] + 2), f"{shot}  {file.stem[-4:]}", fill="#aab0bc")
    path = picture_path(context, "contact_sheet.png")
    sheet.save(path)
    return str(path)


@task(trigger_rule="all_done", retries=6, retry_delay=timedelta(minutes=5))
def preview(renders: list[dict[str, Any]], **context: Any) -> str:
    """Make an animation of all shots, one after the other, and return its path."""
    from PIL import Image

    shots = frame_files(context, renders)
    first, *others = [Image.open(file) for files in shots.values() for file in files]
    path = picture_path(context, "preview.webp")
    first.save(path, save_all=True, append_images=others, duration=1000 // FRAME_RATE, loop=0, quality=85)
    return str(path)


@task(trigger_rule="all_done", retries=2, retry_delay=timedelta(minutes=1))
def morning_report(**context: Any) -> dict[str, Any]:
    """Write the report of the night as a page; return its path, its summary, and the number of failures."""
    results = collect_results()
    frames = Path(context["params"]["frames_folder"])
    firsts = {
        result["render_task_id"]: next((frames / folder).glob("*.png"), None)
        for result in results
        for folder in result.get("output_folders", ())[:1]
    }
    thumbnails = {render_task_id: file for render_task_id, file in firsts.items() if file}
    night = report(results, title=f"Night of {context['run_id']}", thumbnails=thumbnails)
    path = picture_path(context, "report.html")
    path.write_text(night.html, "utf-8")
    return {"page": str(path), "summary": night.summary, "failures": night.failures}


@task
def require_all(night: dict[str, Any]) -> str:
    """Fail the run if a shot has failed, after everything else is done; return the summary of the night."""
    if night["failures"]:
        raise AirflowFailException(f"{night['summary']}: see {night['page']}")
    return str(night["summary"])


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
    """Render the shots, make pictures of them, and report."""
    # Airflow replaces a task's output by its result when the tasks run; type checkers do not know that.
    renders: Any = render.expand(shot=list(SHOTS))
    contact_sheet(renders)
    preview(renders)
    night: Any = morning_report()
    renders >> night
    require_all(night)


nightly_render()
