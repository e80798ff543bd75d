"""Run the DAG render_and_composite in a real Airflow on the embedded farm, and check its results."""

from __future__ import annotations

import sys
import tempfile
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
    (task_id, -1) for task_id in (*_RETURNING, "funds", "upload_task_json", "submit", "wait_for_files")
)
ASSETS = {f"{SHOT}.ma": b"//Maya ASCII scene", "textures/rusty metal.exr": b"rust", "纹理/木头.png": b"wood"}
MAX_DIFFERENCE = 1
"""By how much a channel of a composited pixel may differ from the beauty render, of 255."""


def extra_env(folder: Path) -> dict[str, str]:
    """Make the project to upload, and return the environment variables that the DAG reads."""
    for name, content in ASSETS.items():
        path = folder / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return {
        "RENDERBUS_PROJECT_FOLDER": str(folder / "project"),
        "RENDERBUS_DOWNLOAD_FOLDER": str(folder / "frames"),
        "TMPDIR": tempfile.gettempdir(),
    }


def monitor(airflow: AirflowInstance, farm: Client) -> RunMonitor:
    """Trigger the run, and return its monitor."""
    airflow.trigger(DAG_ID, "demo")
    return RunMonitor(airflow, farm, DAG_ID, CREATE, _RETURNING)


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
    yield from _check_composites(frames, Path(result.return_values[COMPOSITE, -1]["folder"]))
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
    rendered = {path.relative_to(farm.frames_folder): path for path in farm.frames_folder.rglob("*.png")}
    downloaded = {path.relative_to(frames) for path in frames.rglob("*") if path.is_file()}
    expected = FRAMES * len(LAYERS)
    if len(rendered) != expected or downloaded != rendered.keys():
        yield CheckFailure("downloaded frames", str(expected), str(len(downloaded)), frames)
    for name in sorted(downloaded & rendered.keys()):
        if (frames / name).read_bytes() != rendered[name].read_bytes():
            yield CheckFailure(str(name), "the farm's file", "another one", frames / name)


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
    demo = Demo("python -m dev.demo.pipeline", __doc__, DAG_ID, 240, monitor, check, summary, extra_env)
    sys.exit(main(demo))
