"""Run the DAG render_and_composite in a real Airflow on the embedded farm, and check everything it leaves."""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageSequence

from dev.demo.checks import Finding, check_run
from dev.demo.pictures import check_picture
from dev.demo.run_monitor import Follower
from dev.demo.runner import main, play

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_renderbus.clients.client import Client
    from dev.demo.run_monitor import Result
    from dev.harness.airflow_instance import AirflowInstance
    from dev.harness.embedded_farm import EmbeddedFarm

DAG_ID = "render_and_composite"
SHOT, SIZE, FRAMES = "sh020", (320, 180), 24
LAYERS = ("beauty", "colour", "shadow", "depth")
CREATE, SEND, RENDERED, FETCH = "create", "send", "rendered", "fetch"
COMPOSITE, BREAKDOWN, PREVIEW = "composite", "breakdown", "preview"
_RETURNING = (CREATE, SEND, RENDERED, FETCH, COMPOSITE, BREAKDOWN, PREVIEW)
INSTANCES = frozenset((task_id, -1) for task_id in (*_RETURNING, "funds", "describe", "submit", "listed"))
ASSETS = {f"{SHOT}.ma": b"//Maya ASCII scene", "textures/rusty metal.exr": b"rust", "纹理/木头.png": b"wood"}
WORST = 1
"""By how much a channel of a composited pixel may differ from the beauty render, of 255."""


def run(folder: Path, speed: float, keep: bool) -> list[Finding]:
    """Run the pipeline in a new folder, and return what is not as it must be."""
    project = _put_project(folder / "project")
    own = {
        "RENDERBUS_PROJECT_FOLDER": str(project),
        "RENDERBUS_DOWNLOAD_FOLDER": str(folder / "frames"),
        "TMPDIR": tempfile.gettempdir(),
    }
    return play(folder, speed, keep, DAG_ID, own, begin, partial(check, project=project), summary)


def begin(airflow: AirflowInstance, farm: Client) -> Follower:
    """Trigger the run, and return who follows it."""
    airflow.trigger(DAG_ID, "demo")
    return Follower(airflow, farm, DAG_ID, CREATE, _RETURNING)


def summary(result: Result) -> str:
    """Return the pictures' paths."""
    return "\n".join(f"{name:<16}{result.returned[name, -1]}" for name in (BREAKDOWN, PREVIEW))


def _put_project(folder: Path) -> Path:
    for name, content in ASSETS.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def check(result: Result, farm: EmbeddedFarm, airflow: AirflowInstance, project: Path) -> Iterator[Finding]:
    """Yield what is wrong with the run, then with what was sent, fetched and made."""
    findings = check_run(result, airflow, DAG_ID, INSTANCES)
    if first := next(findings, None):
        yield from (first, *findings)
        return
    yield from _check_sent(farm, project)
    frames = Path(result.returned[FETCH, -1]["folder"])
    yield from _check_fetched(farm, frames)
    composites = Path(result.returned[COMPOSITE, -1]["folder"])
    yield from _check_composites(frames, composites)
    yield from check_picture(Path(result.returned[BREAKDOWN, -1]), "PNG")
    yield from _check_preview(Path(result.returned[PREVIEW, -1]))


def _check_sent(farm: EmbeddedFarm, project: Path) -> Iterator[Finding]:
    (inputs,) = (farm.storage / "input").iterdir()
    for name, content in ASSETS.items():
        place = inputs / str(project / name).lstrip("/")
        if not place.is_file() or place.read_bytes() != content:
            yield Finding(f"{name} in the input storage", "what was sent", "something else", place)


def _check_fetched(farm: EmbeddedFarm, frames: Path) -> Iterator[Finding]:
    there = {path.relative_to(farm.frames_folder): path for path in farm.frames_folder.rglob("*.png")}
    came = {path.relative_to(frames) for path in frames.rglob("*") if path.is_file()}
    if len(there) != FRAMES * len(LAYERS) or came != there.keys():
        yield Finding("frames that were fetched", f"{FRAMES * len(LAYERS)}", str(len(came)), frames)
    for name in sorted(came & there.keys()):
        if (frames / name).read_bytes() != there[name].read_bytes():
            yield Finding(f"{name}", "the farm's own", "something else", frames / name)


def _check_composites(frames: Path, composites: Path) -> Iterator[Finding]:
    """Check that each composited frame is its beauty render, but for the rounding of the layers."""
    for number in range(1, FRAMES + 1):
        picture = composites / f"{SHOT}_{number:04}.png"
        yield from check_picture(picture, "PNG", SIZE)
        (beauty,) = frames.rglob(f"{SHOT}_beauty_{number:04}.png")
        error = np.abs(_values(picture) - _values(beauty)).max()
        if error > WORST:
            yield Finding(f"{picture.name}", f"off by {WORST} of 255 at most", f"off by {error}", picture)


def _check_preview(path: Path) -> Iterator[Finding]:
    if findings := list(check_picture(path, "WEBP", SIZE)):
        yield from findings
        return
    with Image.open(path) as animation:
        count = len(list(ImageSequence.Iterator(animation)))
    if count != FRAMES:
        yield Finding("frames of the preview", str(FRAMES), str(count), path)


def _values(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    with Image.open(path) as picture:
        return np.asarray(picture).astype(np.int64)


if __name__ == "__main__":
    sys.exit(main(run, "python -m dev.demo.pipeline", __doc__, seconds=240))
