"""Render test frames, show them to a supervisor in Airflow's UI, and render the others after the approval.

The render pauses after its first, middle and last frame. Small pictures of these are shown in a request for
approval (in Airflow's UI under "Required Actions"). "Approve" requests full speed, "Reject" abandons the
render. While it is paused it costs nothing, however long the approval takes.

It needs Airflow 3.1 or later, the connection `renderbus_default`, a scene in the farm's input storage, and
Pillow (extra `examples`). Airflow shows pictures by URL only, so a web server that the supervisor's browser
can reach must serve the folder of the small pictures. Three environment variables are read:

- RENDERBUS_FRAMES_FOLDER: folder with the farm's output (see the example nightly_render)
- RENDERBUS_PICTURES_FOLDER: folder for the small pictures
- RENDERBUS_PICTURES_URL: URL of that folder on the web server; on your machine,
  `python -m http.server --bind 127.0.0.1 --directory FOLDER 8001` serves it at http://127.0.0.1:8001
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.hitl import HITLBranchOperator
from airflow.sdk import dag, task

from airflow_provider_renderbus.operators import (
    RenderbusAbandonTaskOperator,
    RenderbusCreateTaskOperator,
    RenderbusFullSpeedOperator,
    RenderbusSubmitTaskOperator,
    RenderbusUploadTaskJsonOperator,
)
from airflow_provider_renderbus.sensors import RenderbusTaskSensor
from airflow_provider_renderbus.task_json import build_task_json

SHOT = "sh010"
FRAMES_FOLDER = Path(os.environ.get("RENDERBUS_FRAMES_FOLDER", "/mnt/renderbus/output"))
PICTURES_FOLDER = Path(os.environ.get("RENDERBUS_PICTURES_FOLDER", "/mnt/renderbus/pictures"))
PICTURES_URL = os.environ.get("RENDERBUS_PICTURES_URL", "http://127.0.0.1:8001")
MAX_WIDTH = 240  # pixels: three of these fit side by side into Airflow's page


@task(retries=6, retry_delay=timedelta(minutes=5))
def show(render: dict[str, Any]) -> str:
    """Make a small picture of each test frame, and return the text of the request, as Markdown.

    :raises FileNotFoundError: frames are still missing.
    """
    from PIL import Image

    (output,) = render["output_folders"]
    frames = sorted((FRAMES_FOLDER / output).glob("*.png"))
    if len(frames) < render["frames"]["done"]:
        raise FileNotFoundError(
            f"{FRAMES_FOLDER / output}: must hold {render['frames']['done']} frames, got {len(frames)}"
        )
    folder = PICTURES_FOLDER / output
    folder.mkdir(parents=True, exist_ok=True)
    for frame in frames:
        with Image.open(frame) as picture:
            small = picture.convert("RGB")
        small.thumbnail((MAX_WIDTH, MAX_WIDTH))
        small.save(folder / f"{frame.stem}.jpg")
    names = [frame.stem for frame in frames]
    return "\n".join(
        (
            (
                f"{len(names)} test frames of [task {render['render_task_id']}]({render['console_url']}) "
                f"cost {render['cost']}."
            ),
            "",
            f"| {' | '.join(names)} |",
            f"| {' | '.join('---' for _ in names)} |",
            f"| {' | '.join(f'![{name}]({PICTURES_URL}/{output}/{name}.jpg)' for name in names)} |",
        )
    )


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    tags=["renderbus", "example"],
    doc_md=__doc__,
)
def approve_test_frames() -> None:
    """Render the test frames, ask for approval, then render the others or abandon the render."""
    create = RenderbusCreateTaskOperator(task_id="create", labels=[SHOT])
    upload = RenderbusUploadTaskJsonOperator(
        task_id="upload",
        render_task_id=create.output,
        task_json=build_task_json(
            software="Blender",
            version="4.2",
            scene=f"D:/projects/{SHOT}.blend",
            frames="1-24",
            width=960,
            height=540,
            image_format="PNG",
            test_frames="111",
            pause_after_test_frames=True,
        ),
    )
    test_frames = RenderbusSubmitTaskOperator(
        task_id="test_frames",
        render_task_id=create.output,
        wait_for_completion=True,
        on_test_frames_done="succeed",
        deferrable=True,
    )
    # Airflow replaces a task's output by its result when the tasks run; type checkers do not know that.
    rendered: Any = test_frames.output
    approve = HITLBranchOperator(
        task_id="approve",
        subject=f"Do the test frames of {SHOT} look right?",
        body=show(rendered),
        options=["Approve", "Reject"],
        options_mapping={"Approve": "full_speed", "Reject": "abandon"},
    )
    full_speed = RenderbusFullSpeedOperator(task_id="full_speed", render_task_id=create.output)
    wait = RenderbusTaskSensor(
        task_id="wait", render_task_id=create.output, deferrable=True, cancel_on_kill=True
    )
    abandon = RenderbusAbandonTaskOperator(task_id="abandon", render_task_id=create.output)
    upload >> test_frames
    approve >> [full_speed, abandon]
    full_speed >> wait


approve_test_frames()
