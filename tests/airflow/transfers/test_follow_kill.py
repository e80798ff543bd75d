"""A worker that is killed within a burst of frames leaves nothing half and nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from airflow_provider_renderbus.operators.download_frames import RenderbusDownloadFramesOperator
from airflow_provider_renderbus.transfer.folder import staging_folder
from tests.airflow.context import context
from tests.airflow.transfers.files import contents
from tests.processes import TIMEOUT
from tests.scenes import make_task_json

FRAMES = 96
WORKER = """
import sys
from airflow_provider_renderbus.operators.download_frames import RenderbusDownloadFramesOperator
from tests.airflow.context import context

RenderbusDownloadFramesOperator(
    task_id="download", render_task_id=int(sys.argv[1]), folder=sys.argv[2], poll_interval=0.05, follow=True
).execute(context())
"""


@pytest.fixture
def scenario():
    return {"machines": 8}


def wait_until(is_true):
    deadline = time.monotonic() + 6 * TIMEOUT
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def staged(frames):
    """Return the files that are being downloaded."""
    return [path for path in frames.glob(".renderbus-*/files/**/*") if path.is_file()]


def processes_of(command):
    """Return the running processes of a transfer command, with what watches it."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "status"])
        if str(command) in (process.info["cmdline"] or []) and process.info["status"] != "zombie"
    ]


# The fault of the command in the burst of the kill, and how far it has come then.
MOMENTS = {
    "before the first file": ("hang times=1", lambda frames, arrived: True),
    "after a file": ("after=1 hang times=1", lambda frames, arrived: arrived),
    "with half a file": ("after=1 half hang times=1", lambda frames, arrived: arrived and staged(frames)),
    "while it copies": ("", lambda frames, arrived: arrived),
}


@pytest.mark.parametrize(
    ("burst", "moment"),
    [
        ("first", "before the first file"),
        ("first", "while it copies"),
        ("second", "after a file"),
        ("second", "with half a file"),
    ],
)
def test_follow_killed_within_a_burst_leaves_whole_frames_and_continues(
    burst, moment, submit, farm, frames, fault, storage, command, hook_sleeps
):
    text, has_come = MOMENTS[moment]
    task_id = submit(make_task_json(frames=f"1-{FRAMES}[1]"))
    leaf = f"{task_id}_sh010"

    def names(folder):
        return {path.name for path in (folder / leaf).glob("*")}

    while len(names(farm.output_root)) < FRAMES * 3 // 4:
        farm.advance(10)
    for file in farm.output_root.rglob("*.png"):
        file.write_bytes(os.urandom(300_000))  # so that a copy takes its time
    before = names(farm.output_root) if burst == "second" else set()
    if burst == "first" and text:
        fault(text)
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(task_id), str(frames)], cwd=Path(__file__).parents[3]
    )
    try:
        if burst == "second":
            wait_until(lambda: names(frames) == before and not processes_of(command))
            fault(text)
            farm.advance(120)
        if text:
            wait_until(lambda: not (storage / "transfer-fault").exists())
        wait_until(lambda: has_come(frames, names(frames) - before))
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    # The staging folder is being removed meanwhile.
    for name in names(frames):
        assert (frames / leaf / name).read_bytes() == (farm.output_root / leaf / name).read_bytes()
    # A frame is rendered again, while the old try's command may still be there.
    again = next(farm.output_root.rglob("*.png"))
    again.write_bytes(os.urandom(300_000))
    os.utime(again, (1_900_000_000, 1_900_000_000))
    hook_sleeps(farm.advance)
    result = RenderbusDownloadFramesOperator(
        task_id="download", render_task_id=task_id, folder=str(frames), poll_interval=60, follow=True
    ).execute(context(2))
    assert (result["files"], result["missing_frames"]) == (FRAMES, [])
    wait_until(lambda: not processes_of(command))
    # If the worker was killed before or after its command ran, a later download removes the staging folder.
    for path in frames.glob(".renderbus-*"):
        os.utime(path, (0, 0))
    with staging_folder(frames):
        pass
    assert contents(frames) == contents(farm.output_root)
