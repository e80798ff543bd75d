"""A worker that is killed in a transfer leaves no file of it behind, and nothing half."""

import signal
import subprocess
import sys
import time

import pytest

from tests.processes import TIMEOUT

WORKER = """
import sys
from pathlib import Path
from airflow_provider_renderbus.transfer import downloads, uploads
from airflow_provider_renderbus.transfer.command import Command, write_resume_ini
from airflow_provider_renderbus.transfer.folder import FileStat
from airflow_provider_renderbus.transfer.process import TransferRunner
from tests.transfer.conftest import ENDPOINT

kind, command, top = sys.argv[1], sys.argv[2], Path(sys.argv[3])
runner = TransferRunner(Command.find(command), top / "logs", 600)
if kind == "download":
    files = [
        downloads.RemoteFile(f"leaf/{name}", ("leaf", name), FileStat(4, None), ("leaf", name))
        for name in ("a.png", "b.png")
    ]
    downloads.download(runner, ENDPOINT, files, top / "frames", storage_folder="leaf")
else:
    ini = write_resume_ini(top / "state", "2", ENDPOINT) if kind == "upload" else None
    uploads.upload(runner, ENDPOINT, uploads.assets_from_paths(str(top / "scene.ma")), ini)
"""
SCRIPT = """#!/bin/sh
while [ $# -gt 0 ]; do
case $1 in -L) L=$2;; esac; shift 2
done
if [ -d "$L" ]; then
  mkdir -p "$L/leaf"; printf 1234 > "$L/leaf/a.png"; printf 12 > "$L/leaf/b.png"
  echo 'download file done (/leaf/a.png)'
fi
echo "$L" > {top}/started
while :; do [ -d "$L" ] && printf x >> "$L/leaf/more"; sleep 0.01; done
"""


def wait_until(is_true):
    deadline = time.monotonic() + TIMEOUT
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("kind", ["download", "upload", "upload without resume"])
def test_killed_worker_leaves_no_file(tmp_path, monkeypatch, kind):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    (tmp_path / "scene.ma").write_text("x")
    command = tmp_path / "command"
    command.write_text(SCRIPT.replace("{top}", str(tmp_path)))
    command.chmod(0o755)
    worker = subprocess.Popen([sys.executable, "-c", WORKER, kind, str(command), str(tmp_path)])
    try:
        wait_until((tmp_path / "started").exists)
        if kind == "download":
            wait_until((tmp_path / "frames/leaf/a.png").exists)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    staged = [path for path in tmp_path.rglob(".renderbus-*") if path.is_dir()]
    wait_until(lambda: not any(path.exists() for path in staged))
    assert not list(tmp_path.rglob(".renderbus-*"))
    assert not list(tmp_path.rglob("upload.json"))
    if kind == "download":
        assert [path.name for path in (tmp_path / "frames").rglob("*.png")] == ["a.png"]
        assert (tmp_path / "frames/leaf/a.png").read_text() == "1234"
        command.write_text(SCRIPT.split("echo", maxsplit=1)[0].replace("printf 12 ", "printf 5678 ") + "fi\n")
        subprocess.run([sys.executable, "-c", WORKER, kind, str(command), str(tmp_path)], check=True)
        assert (tmp_path / "frames/leaf/b.png").read_text() == "5678"
        assert not list(tmp_path.rglob(".renderbus-*"))
