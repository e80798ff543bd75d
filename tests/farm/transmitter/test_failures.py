"""The transfer command when things go wrong: by themselves, on demand, and when it is killed."""

from __future__ import annotations

import json
import os
import sys

import pytest

from airflow_provider_renderbus.farm.storage import confined_folder as enclosure
from tests.farm.transmitter.files import content, everything, write


def test_files_that_cannot_be_sent_are_told_and_the_others_sent(run, inputs, local):
    os.mkfifo(local / "pipe")
    names = ["missing", "pipe", ".", "there"]
    write(local / "there")
    assets = [{"local": str(local / name), "server": name} for name in names]
    code, lines, _ = run(
        "upload_json", write(local / "u.json", json.dumps({"asset": assets[:2] + assets[3:]})), "/"
    )
    assert code == 11
    assert lines[1:] == [
        f"upload file fail 1/3 No such file or directory ({local}/missing)",
        f"upload file fail 2/3 expected a file, not a folder, a pipe or a device ({local}/pipe)",
        f"upload file done 3/3 7 bytes ({local}/there)",
    ]


def test_a_file_that_changes_meanwhile_is_left(run, inputs, local, monkeypatch):
    write(local / "a", "before")
    sendfile = os.sendfile

    def meanwhile(*args):
        write(local / "a", "longer than before")
        return sendfile(*args)

    monkeypatch.setattr(enclosure.os, "sendfile", meanwhile)
    code, lines, _ = run("upload_path", local / "a", "/a")
    assert code == 10
    assert "it has changed" in lines[1]
    assert everything(inputs) == set()


def test_a_full_disk_leaves_files_for_the_next_run(run, inputs, local, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(enclosure.os, "sendfile", full)
    assert run("upload_path", write(local / "a"), "/a")[0] == 10
    assert everything(inputs) == set()


def test_faults_come_from_the_environment(run, inputs, local, monkeypatch):
    paths = [str(write(local / name, "twelve bytes")) for name in "abc"]
    args = ("upload_list", write(local / "list", "\n".join(paths)), "/", "input", "false")
    monkeypatch.setenv("RENDERBUS_FARM_TRANSFER_FAULT", "after=1 half exit=0")
    assert run(*args)[0] == 0
    assert content(inputs) == {"a": "twelve bytes", "b": "twelve"}
    monkeypatch.setenv("RENDERBUS_FARM_TRANSFER_FAULT", "exit=11")
    assert run(*args)[:2] == (11, ["upload is begin"])
    monkeypatch.setenv("RENDERBUS_FARM_TRANSFER_FAULT", "exit=1000")
    code, _, errors = run(*args)
    assert code == 255
    assert "expected half, silence, exit=" in errors


def test_faults_in_the_storage_are_counted(run, storage, inputs, local):
    write(storage / "transfer-fault", "exit=10 times=2\n")
    args = ("upload_path", write(local / "a"), "/a")
    assert [run(*args)[0] for _ in range(3)] == [10, 10, 0]
    assert content(inputs) == {"a": "content"}


def test_silence_lasts_until_it_is_ended(start, inputs, local):
    process = start("upload_path", write(local / "a"), "/a", RENDERBUS_FARM_TRANSFER_FAULT="silence after=1")
    assert "upload is begin" in process.stdout.readline() + process.stdout.readline()
    assert "upload file done" in process.stdout.readline()
    process.terminate()
    assert process.wait(30) == 143


def test_a_farm_that_does_not_run_is_tried_for_ever(start, local):
    process = start("upload_path", write(local / "a"), "/a", TMPDIR=str(local))
    assert "no farm runs at 127.0.0.1:8899" in process.stderr.readline()
    assert process.poll() is None


@pytest.mark.parametrize("end", ["SIGKILL", "SIGTERM"])
def test_a_command_killed_half_way_leaves_no_half_file(start, inputs, local, end):
    code = (
        "import os, signal, sys\n"
        "from airflow_provider_renderbus.farm.storage import confined_folder as enclosure\n"
        "from airflow_provider_renderbus.farm.transmitter import command\n"
        "def stop(target, *_):\n"
        "    os.write(target, b'half')\n"
        f"    os.kill(os.getpid(), signal.{end})\n"
        "    return 4\n"
        "enclosure.os.sendfile = stop\n"
        "sys.exit(command.main())\n"
    )
    process = start("upload_path", write(local / "a"), "/a", program=[sys.executable, "-c", code])
    process.wait(30)
    left = [path.name for path in everything(inputs)]
    assert "a" not in left
    assert all(name.startswith(".unfinished-") for name in left)
    assert len(left) == (1 if end == "SIGKILL" else 0)
