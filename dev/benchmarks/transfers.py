"""Measures how fast scenes and frames are prepared and transferred. See docs/benchmarks.md.

Each figure comes from a process of its own. An upload.json of 100,000 files is checked and written. 10,000
frames of 200 KB are downloaded from the embedded farm by the FrameDownload that operators use, with the
listings of frames and files and all checks, in turn with ``cp -r`` of the same files; in memory if there is
such a file system, because a disk's own behaviour costs more than what is measured.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from airflow_provider_renderbus.api import calls
from dev.benchmarks.figure import Figure, Pairs, measure_pairs
from dev.harness.embedded_farm import CONNECTION_ID, EmbeddedFarm, put_scene
from dev.harness.processes import Programs

_ROOT = Path(__file__).parents[2]
_IN_MEMORY = Path("/dev/shm")
_ASSETS, _FRAMES, _FRAME_BYTES, _ROUNDS = 100_000, 10_000, 200_000, 5
# Each runs in a process of its own: its peak of memory is its own, and nothing is warm.
_BUILD = """
import json, resource, sys, tempfile, time
from pathlib import Path
from airflow_provider_renderbus.transfer import uploads
begin = time.perf_counter()
found = uploads.assets_from_paths([sys.argv[1]])
with tempfile.TemporaryDirectory() as folder:
    written = sum(len(listed) for _, listed in uploads.write_lists(found, Path(folder)))
uploads.raise_if_changed(found)
seconds = time.perf_counter() - begin
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([written, seconds, memory]))
"""
_DOWNLOAD = """
import gc, resource, sys, time
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.operators.file_transfer import FileTransfer
from airflow_provider_renderbus.operators.frame_download import FrameDownload
from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.clients import flows
hook = RenderbusHook()
hook.send(calls.query_user_profile())  # loads the client, as any task has done
gc.collect()  # what importing Airflow has left
print("ready", flush=True)
sys.stdin.readline()
def cpu_seconds():
    both = map(resource.getrusage, [resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN])
    return sum(usage.ru_utime + usage.ru_stime for usage in both)
begin, cpu = time.perf_counter(), cpu_seconds()
task_id = int(sys.argv[1])
delivery = FrameDownload(FileTransfer(hook), task_id, sys.argv[2]).fetch(hook.run(flows.get_task(task_id)))
done = delivery.require()
print(time.perf_counter() - begin, cpu_seconds() - cpu)
assert done["files"] == int(sys.argv[3]), done
"""


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(dir=_IN_MEMORY if _IN_MEMORY.is_dir() else None) as folder:
        seconds, memory = _build_upload_json(Path(folder) / "assets")
        yield Figure(f"seconds to check and write an upload.json of {_ASSETS:,} files", seconds, 10, "below")
        yield Figure("MB of memory for it", memory, 300, "below")
        pairs, cpu_seconds = _download_beside_cp(Path(folder))
        name = f"download of {_FRAMES:,} frames of {_FRAME_BYTES:,} bytes, times as fast as cp -r"
        yield Figure(name, pairs.speedup(), 0.95, "at least", str(pairs))
        name = "CPU seconds of its worker and its command, compared with cp -r"
        yield Figure(name, cpu_seconds.time_ratio(), detail=str(cpu_seconds))


def _build_upload_json(folder: Path) -> tuple[float, float]:
    """Return the seconds and the MB to check and write an upload.json of many files."""
    for at in range(_ASSETS):
        path = folder / f"sequence_{at // 1000:04}" / f"texture_{at:06}.exr"
        if at % 1000 == 0:
            path.parent.mkdir(parents=True)
        path.touch()
    command = [sys.executable, "-c", _BUILD, str(folder)]
    count, seconds, memory = json.loads(subprocess.check_output(command, text=True, cwd=_ROOT))
    assert count == _ASSETS
    return seconds, memory


def _download_beside_cp(folder: Path) -> tuple[Pairs, Pairs]:
    """Return the seconds and the CPU seconds of both sides."""
    cpu_seconds: tuple[list[float], list[float]] = [], []
    scenario = {"pictures": False, "machines": 1_000, "frame_seconds": [1, 1]}
    farm = EmbeddedFarm(folder / "farm", folder / "farm.log", scenario=scenario)
    with Programs() as programs:
        farm.start(programs, speed=100_000)
        environment = os.environ | {
            f"AIRFLOW_CONN_{CONNECTION_ID.upper()}": json.dumps(farm.connection),
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        }
        task_id, frames = _render(farm)
        target, copy = folder / "downloaded", folder / "copied"
        command = [sys.executable, "-c", _DOWNLOAD, str(task_id), str(target), str(_FRAMES)]
        pipe = subprocess.PIPE

        def download() -> float:
            with subprocess.Popen(
                command, stdin=pipe, stdout=pipe, text=True, cwd=_ROOT, env=environment
            ) as process:
                assert process.stdout
                assert "ready\n" in process.stdout  # Airflow's own lines come before it
                # Now, because memory that has just become free is the quickest to write to: as for cp.
                _remove(target, copy)
                output, _ = process.communicate("start\n")
            seconds, cpu = map(float, output.splitlines()[-1].split())
            cpu_seconds[0].append(cpu)
            return seconds

        def cp() -> float:
            _remove(target, copy)
            copy.mkdir()
            begin, cpu = time.perf_counter(), _children_cpu_seconds()
            subprocess.run(["cp", "-r", str(frames), str(copy)], check=True)
            cpu_seconds[1].append(_children_cpu_seconds() - cpu)
            return time.perf_counter() - begin

        pairs = measure_pairs(download, cp, _ROUNDS)
        return pairs, Pairs(*map(tuple, cpu_seconds))


def _children_cpu_seconds() -> float:
    return sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])


def _render(farm: EmbeddedFarm) -> tuple[int, Path]:
    """Render a task, replace its frames, and return its id and its output folder."""
    task_json = {
        "software_config": {"cg_name": "Blender", "cg_version": "4.2", "plugins": {}},
        "task_info": {"cg_id": "2007", "input_cg_file": "/mnt/shot.blend"},
        "scene_info": {"common": {"frames": f"1-{_FRAMES}", "width": "64", "height": "36"}},
    }
    put_scene(farm.storage, "/mnt/shot.blend")
    with farm.client() as client:
        task_id = client.send(calls.create_task()).ids[0]
        client.send(calls.upload_task_json(task_id, json.dumps(task_json)))
        client.send(calls.submit_task(task_id))
        while not client.send(calls.query_task_info([task_id]))[task_id].is_terminal:
            time.sleep(0.05)
    (frames,) = farm.frames_folder.glob(f"{task_id}_*")
    for frame in frames.iterdir():
        frame.write_bytes(os.urandom(_FRAME_BYTES))
    return task_id, frames


def _remove(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    os.sync()
