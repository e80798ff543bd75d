"""Run the DAG render_and_composite in a real Airflow on the embedded farm, and check everything it leaves.

Exit status 0 means that all of it is there; 1 that something is not; 130 and the like that it was ended by
Ctrl-C or another signal.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageSequence

from demo.__main__ import PROJECT, main, settings
from demo.airflow_instance import AirflowInstance
from demo.checks import Finding, check_run
from demo.embedded_farm import EmbeddedFarm
from demo.follow import Follower, Result
from demo.pictures import check_picture
from demo.processes import Programs
from demo.report import Journal
from demo.secrecy import check_files, check_processes, check_triggers

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def run(folder: Path, speed: float) -> list[Finding]:
    """Run the pipeline in a new folder, print what happens, and return what is not as it must be."""
    journal = Journal()
    journal.event("run folder", str(folder))
    farm = EmbeddedFarm(folder / "farm", folder / "farm.log")
    project = _put_project(folder / "project")
    findings: dict[Finding, None] = {}
    triggers: set[str] = set()

    with Programs(seconds_to_end=3.0) as programs:
        farm.start(programs, speed)
        journal.event("farm", f"http://{farm.address}")
        own = {
            "RENDERBUS_PROJECT_FOLDER": str(project),
            "RENDERBUS_DOWNLOAD_FOLDER": str(folder / "frames"),
            "TMPDIR": tempfile.gettempdir(),
        }
        dags = PROJECT / "example_dags"
        airflow = AirflowInstance(folder / "airflow", dags, programs, settings(folder, farm) | own)
        with airflow, farm.client() as client:
            secrets = farm.secrets(client)
            airflow.unpause(DAG_ID)
            airflow.trigger(DAG_ID, "demo")
            journal.event("Airflow", f"{airflow.url}, {DAG_ID} has begun")
            follower = Follower(airflow, client, DAG_ID, CREATE, _RETURNING)
            for changed in follower.follow():
                for shot in changed:
                    journal.say(str(shot))
                findings |= dict.fromkeys(check_processes(programs.members(), secrets, folder))
                triggers |= airflow.triggers()
            result = follower.result()
        journal.event("the run", result.state)

    journal.event("processes", "ended")
    findings |= dict.fromkeys(check(result, farm, airflow, project))
    findings |= dict.fromkeys(check_triggers(triggers, secrets, airflow.home))
    findings |= dict.fromkeys(check_files(folder, secrets, farm.private_files))
    if not findings:
        journal.event("checks", "passed")
        print("", *(f"{name:<16}{result.returned[name, -1]}" for name in (BREAKDOWN, PREVIEW)), sep="\n")
    return list(findings)


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
    sys.exit(main(run, "python -m demo.pipeline", __doc__, seconds=240))
