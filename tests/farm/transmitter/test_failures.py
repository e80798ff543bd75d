"""Failures of the transfer command: file errors, simulated faults, and a killed command."""

from __future__ import annotations

import json
import os
import sys

import pytest

from airflow_provider_renderbus.farm.storage import confined_folder
from tests.farm.transmitter.files import all_files, content, write


def test_upload_unreadable_files_fail_and_others_are_sent(run, inputs, local):
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
        f"upload file fail 2/3 must be a regular file, not a folder, pipe or device ({local}/pipe)",
        f"upload file done 3/3 7 bytes ({local}/there)",
    ]


def test_upload_file_changed_during_copy_is_incomplete(run, inputs, local, monkeypatch):
    write(local / "a", "before")
    sendfile = os.sendfile

    def change_file(*args):
        write(local / "a", "longer than before")
        return sendfile(*args)

    monkeypatch.setattr(confined_folder.os, "sendfile", change_file)
    code, lines, _ = run("upload_path", local / "a", "/a")
    assert code == 10
    assert "the file changed during the copy" in lines[1]
    assert all_files(inputs) == set()


def test_upload_full_disk_is_incomplete(run, inputs, local, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(confined_folder.os, "sendfile", full)
    assert run("upload_path", write(local / "a"), "/a")[0] == 10
    assert all_files(inputs) == set()


def test_fault_from_environment_is_applied(run, inputs, local, monkeypatch):
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
    assert "must be half, hang, exit=" in errors


def test_fault_from_storage_counts_down(run, storage, inputs, local):
    write(storage / "transfer-fault", "exit=10 times=2\n")
    args = ("upload_path", write(local / "a"), "/a")
    assert [run(*args)[0] for _ in range(3)] == [10, 10, 0]
    assert content(inputs) == {"a": "content"}


def test_fault_hang_lasts_until_sigterm(start, inputs, local):
    process = start("upload_path", write(local / "a"), "/a", RENDERBUS_FARM_TRANSFER_FAULT="hang after=1")
    assert "upload is begin" in process.stdout.readline() + process.stdout.readline()
    assert "upload file done" in process.stdout.readline()
    process.terminate()
    assert process.wait(30) == 143


def test_command_no_running_farm_retries_forever(start, local):
    process = start("upload_path", write(local / "a"), "/a", port=1)
    assert "no farm runs at 127.0.0.1:1;" in process.stderr.readline()
    assert process.poll() is None


@pytest.mark.parametrize("signal_name", ["SIGKILL", "SIGTERM"])
def test_command_killed_during_copy_leaves_no_partial_output(start, inputs, local, signal_name):
    code = (
        "import os, signal, sys\n"
        "from airflow_provider_renderbus.farm.storage import confined_folder\n"
        "from airflow_provider_renderbus.farm.transmitter import command\n"
        "def stop(target, *_):\n"
        "    os.write(target, b'half')\n"
        f"    os.kill(os.getpid(), signal.{signal_name})\n"
        "    return 4\n"
        "confined_folder.os.sendfile = stop\n"
        "sys.exit(command.main())\n"
    )
    process = start("upload_path", write(local / "a"), "/a", program=[sys.executable, "-c", code])
    process.wait(30)
    left = [path.name for path in all_files(inputs)]
    assert "a" not in left
    assert all(name.startswith(".unfinished-") for name in left)
    assert len(left) == (1 if signal_name == "SIGKILL" else 0)
