"""Run the DAG render_and_composite in a real Airflow on the embedded farm, and check its results."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from airflow_provider_renderbus.clients.client import Client
from dev.demo.checks import check_run
from dev.demo.pictures import check_picture, check_preview
from dev.demo.run_monitor import RunMonitor, RunResult
from dev.demo.runner import Demo, main
from dev.harness.airflow_instance import AirflowInstance
from dev.harness.embedded_farm import EmbeddedFarm
from dev.harness.event_log import CheckFailure

DAG_ID = "render_and_composite"
SHOT, SIZE, FRAMES = "sh020", (320, 180), 24
LAYERS = ("beauty", "colour", "shadow", "depth")
CREATE, UPLOAD, WAIT, DOWNLOAD = "create", "upload_assets", "wait", "download"
COMPOSITE, BREAKDOWN, PREVIEW = "composite", "breakdown", "preview"
_RETURNING = (CREATE, UPLOAD, WAIT, DOWNLOAD, COMPOSITE, BREAKDOWN, PREVIEW)
INSTANCES = frozenset(
    (task_id, -1) for task_id in (*_RETURNING, "funds", "upload_task_json", "submit", "first_frame")
)
ASSETS = {f"{SHOT}.ma": b"//Maya ASCII scene", "textures/rusty metal.exr": b"rust", "纹理/木头.png": b"wood"}
MAX_DIFFERENCE = 1
"""By how much a channel of a composited pixel may differ from the beauty render, of 255."""
SLOW_LAYER = {"renders": [{"scene": f"{SHOT}*", "layer": "shadow", "seconds": [250, 300]}]}
"""The shadows take longer than the other layers, so that the gate waits for them."""
_MAX_COMPOSITE_SECONDS = 60.0


def extra_env(folder: Path) -> dict[str, str]:
    """Make the project to upload, and return the environment variables that the DAG reads."""
    for name, content in ASSETS.items():
        path = folder / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return {
        "RENDERBUS_PROJECT_FOLDER": str(folder / "project"),
        "RENDERBUS_DOWNLOAD_FOLDER": str(folder / "frames"),
    }


def monitor(airflow: AirflowInstance, farm: Client) -> RunMonitor:
    """Trigger the run, and return its monitor."""
    airflow.trigger(DAG_ID, "demo")
    return RunMonitor(airflow, farm, DAG_ID, _RETURNING)


def summary(result: RunResult) -> str:
    """Return the pictures' paths."""
    return "\n".join(f"{name:<16}{result.return_values[name, -1]}" for name in (BREAKDOWN, PREVIEW))


def check(
    result: RunResult, farm: EmbeddedFarm, airflow: AirflowInstance, folder: Path
) -> Iterator[CheckFailure]:
    """Check the run, the uploaded files, the downloaded frames, and the pictures."""
    failures = check_run(result, airflow, DAG_ID, INSTANCES)
    if first := next(failures, None):
        yield from (first, *failures)
        return
    yield from _check_uploaded(farm, folder / "project")
    frames = Path(result.return_values[DOWNLOAD, -1]["folder"])
    yield from _check_downloaded(farm, frames)
    composites = Path(result.return_values[COMPOSITE, -1]["folder"])
    yield from _check_composites(frames, composites)
    yield from _check_times(frames, composites)
    yield from check_picture(Path(result.return_values[BREAKDOWN, -1]), "PNG")
    yield from check_preview(Path(result.return_values[PREVIEW, -1]), FRAMES)


def _check_uploaded(farm: EmbeddedFarm, project: Path) -> Iterator[CheckFailure]:
    (inputs,) = (farm.storage / "input").iterdir()
    for name, content in ASSETS.items():
        path = inputs / str(project / name).lstrip("/")
        if not path.is_file() or path.read_bytes() != content:
            yield CheckFailure(
                f"{name} in the input storage", "the file that was uploaded", "another one", path
            )


def _check_downloaded(farm: EmbeddedFarm, frames: Path) -> Iterator[CheckFailure]:
    rendered = {path.name: path for path in farm.frames_folder.rglob("*.png")}
    downloaded = {path.name: path for layer in LAYERS for path in (frames / layer).iterdir()}
    expected = FRAMES * len(LAYERS)
    if len(rendered) != expected or downloaded.keys() != rendered.keys():
        yield CheckFailure("downloaded frames", str(expected), str(len(downloaded)), frames)
    if others := {path.name for path in frames.iterdir()} - set(LAYERS):
        yield CheckFailure("folder of the frames", "a folder for each layer", f"also {others}", frames)
    for name in sorted(downloaded.keys() & rendered.keys()):
        if downloaded[name].read_bytes() != rendered[name].read_bytes():
            yield CheckFailure(name, "the farm's file", "another one", downloaded[name])


def _check_times(frames: Path, composites: Path) -> Iterator[CheckFailure]:
    """Check that frames were composited while others were rendered, and the last one soon after it came."""
    arrived = [path.stat().st_ctime for path in frames.rglob("*.png")]
    made = [path.stat().st_ctime for path in composites.glob("*.png")]
    if min(made) >= max(arrived):
        yield CheckFailure("the first composite", "before the last frame came", "after it", composites)
    if (late := max(made) - max(arrived)) > _MAX_COMPOSITE_SECONDS:
        expected = f"within {_MAX_COMPOSITE_SECONDS:.0f} s after the last frame"
        yield CheckFailure("the last composite", expected, f"{late:.0f} s after it", composites)


def _check_composites(frames: Path, composites: Path) -> Iterator[CheckFailure]:
    """Check that each composited frame is its beauty render, except for the rounding of the layers."""
    for frame in range(1, FRAMES + 1):
        path = composites / f"{SHOT}_{frame:04}.png"
        yield from check_picture(path, "PNG", SIZE)
        (beauty,) = frames.rglob(f"{SHOT}_beauty_{frame:04}.png")
        difference = np.abs(_values(path) - _values(beauty)).max()
        if difference > MAX_DIFFERENCE:
            expected = f"off by {MAX_DIFFERENCE} of 255 at most"
            yield CheckFailure(path.name, expected, f"off by {difference}", path)


def _values(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    with Image.open(path) as picture:
        return np.asarray(picture).astype(np.int64)


if __name__ == "__main__":
    demo = Demo(
        "python -m dev.demo.pipeline",
        __doc__,
        DAG_ID,
        240,
        monitor,
        check,
        summary,
        extra_env,
        scenario=SLOW_LAYER,
    )
    sys.exit(main(demo))
