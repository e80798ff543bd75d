"""Upload a scene, render its layers, download the frames, composite each from its layers, make a preview.

Uploads and downloads run the vendor's transfer command. Sensors start the render when the account has
sufficient funds, and the composites when a frame is done in every layer. Frames are downloaded and composited
while others are rendered, so the last composite is there soon after the last frame. All that waits does so in
the triggerer, or is rescheduled, and occupies no worker.

It needs the connection `renderbus_default`, with a transfer command on the workers, and numpy and Pillow
(extra `examples`). The Params of a run have the paths of all folders; environment variables set their
defaults.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import BaseSensorOperator, Param, PokeReturnValue, dag, task

from airflow_provider_renderbus.operators import (
    RenderbusCreateTaskOperator,
    RenderbusDownloadFramesOperator,
    RenderbusSubmitTaskOperator,
    RenderbusUploadAssetsOperator,
    RenderbusUploadTaskJsonOperator,
)
from airflow_provider_renderbus.sensors import (
    RenderbusFramesSensor,
    RenderbusFundsSensor,
    RenderbusTaskSensor,
)
from airflow_provider_renderbus.task_json import build_task_json

SHOT = "sh020"
SCENE = "{{ params.project_folder }}/sh020.ma"
LAYERS = ("beauty", "colour", "shadow", "depth")
FRAMES = 24
FRAME_RATE = 24
BURST_FRAMES = 8
WIDTH, HEIGHT = 320, 180
# By how much a channel of a composited pixel may differ from the beauty render, of 255: all passes except
# depth have eight bits, so each has a rounding error of up to half a step.
MAX_DIFFERENCE = 1


def task_json() -> dict[str, Any]:
    """Describe the render: Maya, a layer for each pass, every frame a PNG file."""
    return build_task_json(
        software="Maya",
        version="2022",
        scene=SCENE,
        project_path="{{ params.project_folder }}",
        os_name="linux",  # a template does not show it
        camera="perspShape",
        frames=f"1-{FRAMES}",
        width=WIDTH,
        height=HEIGHT,
        renderer="mayaSoftware",
        layers=LAYERS,
        image_format="png",
    )


def complete_frames(folder: Path) -> dict[int, dict[str, Path]]:
    """Return the files by layer of each frame that has arrived in every layer, in order."""
    frames = {
        frame: {layer: folder / layer / f"{SHOT}_{layer}_{frame:04}.png" for layer in LAYERS}
        for frame in range(1, FRAMES + 1)
    }
    return {frame: files for frame, files in frames.items() if all(map(Path.exists, files.values()))}


def composite_frame(files: dict[str, Path]) -> Any:
    """Composite a frame: its colour, darkened by the shadow, which fog weakens with the distance.

    The formula is that of the embedded farm (docs/farm-pictures.md). Replace it with that of your shot.
    """
    import numpy as np
    from PIL import Image

    colour, shadow = (np.asarray(Image.open(files[layer])) / 255 for layer in ("colour", "shadow"))
    distance = np.asarray(Image.open(files["depth"])) / 65535 * 32
    near = np.exp(-0.17 * np.maximum(distance - 4.4, 0))[..., None]
    beauty = colour * (1 - (1 - shadow) * near**2 * (3 - 2 * near))
    return Image.fromarray(np.rint(beauty * 255).astype(np.uint8))


def composite(context: dict[str, Any]) -> PokeReturnValue:
    """Composite the frames that have arrived; return the folder of the composites when all are done.

    A frame whose layers have changed since is composited again.

    :raises ValueError: a composited frame differs from the beauty render.
    """
    folder = picture_path(context, SHOT)
    folder.mkdir(exist_ok=True)
    frames = complete_frames(frames_path(context))
    for frame, files in frames.items():
        path = folder / f"{SHOT}_{frame:04}.png"
        # The time of a composite is that of its latest layer.
        latest = max(file.stat().st_mtime for file in files.values())
        if path.exists() and path.stat().st_mtime == latest:
            continue
        new = path.with_suffix(".new")
        composite_frame(files).save(new, "PNG")
        os.utime(new, (latest, latest))
        new.replace(path)
    if len(frames) < FRAMES:
        return PokeReturnValue(is_done=False)
    return PokeReturnValue(is_done=True, xcom_value={"folder": str(folder), **differences(folder, frames)})


class CompositeSensor(BaseSensorOperator):
    """Composite frames as they arrive, until all are done."""

    def poke(self, context: Any) -> PokeReturnValue:
        """Composite the frames that have arrived."""
        return composite(context)


def differences(folder: Path, frames: dict[int, dict[str, Path]]) -> dict[str, Any]:
    """Compare every composite with its beauty render.

    :raises ValueError: one differs by more than rounding.
    """
    import numpy as np
    from PIL import Image

    worst, sums = 0, 0.0
    for frame, files in frames.items():
        picture = np.asarray(Image.open(folder / f"{SHOT}_{frame:04}.png")).astype(int)
        error = np.abs(picture - np.asarray(Image.open(files["beauty"])))
        worst, sums = max(worst, int(error.max())), sums + float(error.mean())
    if worst > MAX_DIFFERENCE:
        raise ValueError(
            f"a composite must differ by at most {MAX_DIFFERENCE} of 255 from its beauty render, got {worst}"
        )
    return {"max_difference": worst, "mean_difference": round(sums / FRAMES, 4)}


@task
def breakdown(downloaded: dict[str, Any], composites: dict[str, Any], **context: Any) -> str:
    """Lay out layers, composite and beauty render of a frame, and return the path of the picture."""
    import numpy as np
    from PIL import Image, ImageDraw

    files = list(complete_frames(Path(downloaded["folder"])).values())[FRAMES // 3]
    composite = Path(composites["folder"], files["beauty"].name.replace("_beauty", ""))
    # A depth pass is nearly white everywhere, so its contrast is stretched.
    depth = np.asarray(Image.open(files["depth"])).astype(float)
    seen = depth[depth < depth.max()] if (depth < depth.max()).any() else depth
    grey = np.clip((depth - seen.min()) / max(1.0, float(np.percentile(seen, 90) - seen.min())), 0, 1) * 255
    tiles = [
        ("colour", Image.open(files["colour"])),
        ("shadow", Image.open(files["shadow"])),
        ("depth", Image.fromarray(grey.astype(np.uint8)).convert("RGB")),
        ("composite of the three", Image.open(composite)),
        ("beauty, as rendered", Image.open(files["beauty"])),
        (
            f"difference, x 100: at most {composites['max_difference']} of 255",
            difference(composite, files["beauty"]),
        ),
    ]
    margin, columns, line = 8, 3, 18
    sheet = Image.new(
        "RGB",
        (margin + columns * (WIDTH + margin), margin + len(tiles) // columns * (HEIGHT + line + margin)),
        "#16181d",
    )
    draw = ImageDraw.Draw(sheet)
    for at, (name, picture) in enumerate(tiles):
        x = margin + at % columns * (WIDTH + margin)
        y = margin + at // columns * (HEIGHT + line + margin)
        sheet.paste(picture, (x, y))
        draw.text((x, y + HEIGHT + 3), name, fill="#aab0bc")
    path = picture_path(context, "breakdown.png")
    sheet.save(path)
    return str(path)


def difference(one: Path, other: Path) -> Any:
    """Return the difference of two pictures, a hundred times as bright."""
    from PIL import Image, ImageChops

    return ImageChops.difference(Image.open(one), Image.open(other)).point(
        lambda value: min(255, value * 100)
    )


@task
def preview(composites: dict[str, Any], **context: Any) -> str:
    """Make an animation of the composited frames, and return its path."""
    from PIL import Image

    first, *others = [Image.open(file) for file in sorted(Path(composites["folder"]).glob("*.png"))]
    path = picture_path(context, "preview.webp")
    first.save(path, save_all=True, append_images=others, duration=1000 // FRAME_RATE, loop=0, quality=85)
    return str(path)


def frames_path(context: dict[str, Any]) -> Path:
    """Return the folder of the frames of a run, with a folder for each layer."""
    return Path(context["params"]["frames_folder"], context["run_id"].replace(":", "-"))


def picture_path(context: dict[str, Any], name: str) -> Path:
    """Return the path of a picture of a run, after creating its folder."""
    folder = Path(context["params"]["pictures_folder"], context["run_id"].replace(":", "-"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


def folder_param(variable: str, default: str, description: str) -> Param:
    """Return a Param for the path of a folder, whose default an environment variable can set."""
    return Param(os.environ.get(variable, default), type="string", description=description)


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
    params={
        "project_folder": folder_param(
            "RENDERBUS_PROJECT_FOLDER", "/mnt/projects/composite", "The folder of the scene and its assets."
        ),
        "frames_folder": folder_param(
            "RENDERBUS_DOWNLOAD_FOLDER", "/mnt/renderbus/frames", "The folder for frames."
        ),
        "pictures_folder": folder_param(
            "RENDERBUS_PICTURES_FOLDER",
            "/mnt/renderbus/pictures",
            "The folder for composited frames and previews.",
        ),
        "min_funds": Param(
            1.0, type="number", description="Available funds that the account must have before the render."
        ),
    },
    tags=["renderbus", "example"],
    doc_md=__doc__,
)
def render_and_composite() -> None:
    """Process a shot from its scene to its preview."""
    funds = RenderbusFundsSensor(task_id="funds", min_funds="{{ params.min_funds }}", deferrable=True)
    upload_assets = RenderbusUploadAssetsOperator(
        task_id="upload_assets", assets=["{{ params.project_folder }}"]
    )
    create = RenderbusCreateTaskOperator(task_id="create", labels=["composite", SHOT])
    upload_task_json = RenderbusUploadTaskJsonOperator(
        task_id="upload_task_json", render_task_id=create.output, task_json=task_json()
    )
    submit = RenderbusSubmitTaskOperator(
        task_id="submit", render_task_id=create.output, artist="render_and_composite"
    )
    wait = RenderbusTaskSensor(
        task_id="wait", render_task_id=submit.output, deferrable=True, cancel_on_kill=True
    )
    # Parallel to the wait, a few frames at a time, as they are done.
    download = RenderbusDownloadFramesOperator(
        task_id="download",
        render_task_id=submit.output,
        folder="{{ params.frames_folder }}/{{ run_id | replace(':', '-') }}",
        pattern="*.png",
        layout="{layer}",
        follow=True,
        burst_frames=BURST_FRAMES,
        deferrable=True,
    )
    first_frame = RenderbusFramesSensor(
        task_id="first_frame", render_task_id=submit.output, min_fraction=1 / FRAMES, deferrable=True
    )
    [funds, upload_assets, upload_task_json] >> submit
    composite_frames = CompositeSensor(task_id="composite", mode="reschedule", poke_interval=5)
    first_frame >> composite_frames
    # Airflow replaces a task's output by its result when the tasks run; type checkers do not know that.
    downloaded: Any = download.output
    composites: Any = composite_frames.output
    breakdown(downloaded, composites)
    wait >> preview(composites)


render_and_composite()
