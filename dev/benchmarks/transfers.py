"""How fast scenes and frames are made ready and carried: ``python -m dev.benchmarks.transfers [--check]``.

Two figures, each in processes of its own. An upload.json of 100,000 files is checked and written. 10,000
frames of 200 KB are fetched from the embedded farm by the Courier that operators use, listing included, in
turn with ``cp -r`` of the same files; in memory where there is such a file system, for a disk's own ways cost
more than what is measured. Prints a table and writes JSON. See docs/benchmarks.md.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.clients.client import Client
from dev.benchmarks import report
from dev.benchmarks.paired_timing import Pairs, in_pairs
from dev.harness.embedded_farm import settings_of

ROOT = Path(__file__).parents[2]
IN_MEMORY = Path("/dev/shm")
SHARE_OF_CP = 0.8
MOST_SECONDS, MOST_MB = 10.0, 300.0

# Both run in a process of their own: its peak of memory is its own, and nothing is warm.
BUILD = """
import json, resource, sys, tempfile, time
from pathlib import Path
from airflow_provider_renderbus.transfer import assets
begin = time.perf_counter()
found = assets.assets_from_paths([sys.argv[1]])
with tempfile.TemporaryDirectory() as folder:
    written = sum(len(listed) for _, listed in assets.write_lists(found, Path(folder)))
assets.raise_if_changed(found)
seconds = time.perf_counter() - begin
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"files": written, "seconds": seconds, "memory_mb": memory}))
"""
FETCH = """
import gc, sys, time
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.operators.file_transfer import Courier
from airflow_provider_renderbus.api import calls
hook = RenderbusHook()
hook.send(calls.query_user_profile())  # loads the client, as any task has done
gc.collect()  # what importing Airflow has left
print("ready", flush=True)
sys.stdin.readline()
begin = time.perf_counter()
done = Courier(hook).fetch(int(sys.argv[1]), sys.argv[2])
print(time.perf_counter() - begin)
assert done["files"] == int(sys.argv[3]), done
"""


def build(folder: Path, count: int) -> dict[str, float]:
    """Check and write an upload.json of many files."""
    for at in range(count):
        path = folder / f"sequence_{at // 1000:04}" / f"texture_{at:06}.exr"
        if at % 1000 == 0:
            path.parent.mkdir(parents=True)
        path.touch()
    told = subprocess.run(
        [sys.executable, "-c", BUILD, str(folder)], check=True, capture_output=True, text=True, cwd=ROOT
    )
    found: dict[str, float] = json.loads(told.stdout)
    assert found["files"] == count
    return found


def fetch_and_cp(folder: Path, count: int, size: int, rounds: int) -> Pairs:
    """Fetch frames, in turn with ``cp -r`` of the same files."""
    server = [sys.executable, "-m", "airflow_provider_renderbus.farm", "--port", "0", "--speed", "100000"]
    with subprocess.Popen([*server, "--storage", str(folder / "farm")], stdout=subprocess.PIPE) as farm:
        try:
            assert farm.stdout
            farm.stdout.readline()
            connection = json.loads((folder / "farm/connections.json").read_text())["renderbus_default"]
            environment = os.environ | {
                "AIRFLOW_CONN_RENDERBUS_DEFAULT": json.dumps(connection),
                "AIRFLOW_HOME": str(folder / "airflow"),
                "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
            }
            number, frames = _rendered(connection, folder / "farm", count, size)
            target, copy = folder / "fetched", folder / "copied"

            def ours() -> float:
                words = [sys.executable, "-c", FETCH, str(number), str(target), str(count)]
                pipe = subprocess.PIPE
                with subprocess.Popen(
                    words, stdin=pipe, stdout=pipe, text=True, cwd=ROOT, env=environment
                ) as fetching:
                    assert fetching.stdout
                    assert "ready\n" in fetching.stdout  # Airflow's own lines come before it
                    # Now, for memory that has just become free is the quickest to write to: so it is for cp.
                    _remove(target, copy)
                    told, _ = fetching.communicate("go\n")
                return float(told.splitlines()[-1])

            def cp() -> float:
                _remove(target, copy)
                copy.mkdir()
                begin = time.perf_counter()
                subprocess.run(["cp", "-r", str(frames), str(copy)], check=True)
                return time.perf_counter() - begin

            return in_pairs(ours, cp, rounds)
        finally:
            farm.kill()


def _rendered(connection: dict[str, Any], storage: Path, count: int, size: int) -> tuple[int, Path]:
    """Render a task, and put the frames that it is to have into its output folder."""
    described = {
        "task_info": {"cg_id": "2007", "input_cg_file": "/mnt/shot.blend"},
        "scene_info": {"common": {"frames": "1", "width": "64", "height": "36"}},
    }
    with Client(settings_of(connection)) as client:
        number = client.send(calls.create_task()).ids[0]
        client.send(calls.upload_task_json(number, json.dumps(described)))
        client.send(calls.submit_task(number))
        while not client.send(calls.query_task_info([number]))[number].is_terminal:
            time.sleep(0.05)
    (frames,) = (storage / "output").glob(f"*/{number}_*")
    for frame in frames.iterdir():
        frame.unlink()
    for at in range(count):
        (frames / f"shot_{at:05}.exr").write_bytes(os.urandom(size))
    return number, frames


def _remove(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    os.sync()


def main() -> int:
    parser = report.parser("Measure transfers.")
    parser.add_argument("--assets", type=int, default=100_000)
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=200_000, help="bytes of a frame (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--folder",
        type=Path,
        default=IN_MEMORY if IN_MEMORY.is_dir() else None,
        help="where to put the files, about three times the frames (%(default)s)",
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        built = build(Path(folder) / "assets", options.assets)
        pairs = fetch_and_cp(Path(folder), options.frames, options.size, options.rounds)
    share = pairs.times_as_fast()
    listed = f"s to check and write an upload.json of {options.assets:,} files"
    fetched = f"share of cp's speed with {options.frames:,} frames of {options.size:,} bytes"
    met = report.goals_met(
        [
            (listed, built["seconds"], MOST_SECONDS, "below"),
            ("MB of memory that it takes at most", built["memory_mb"], MOST_MB, "below"),
            (fetched, share, SHARE_OF_CP, "at least"),
        ]
    )
    print("seconds of ours: ", ", ".join(f"{seconds:.2f}" for seconds in pairs.ours))
    print("seconds of cp -r:", ", ".join(f"{seconds:.2f}" for seconds in pairs.beside))
    figures = {
        "upload_json": built,
        "share_of_cp": share,
        "seconds_ours": pairs.ours,
        "seconds_cp": pairs.beside,
    }
    kept = report.keep(options.results, "transfers", {"figures": figures})
    print(f"All figures: {kept}")
    return int(options.check and not met)


if __name__ == "__main__":
    sys.exit(main())
