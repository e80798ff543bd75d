"""The vendor's released Linux command, of rayvision-sync 3.1.8, accepts our argument lists.

It is run against a closed port of this machine, and killed with its child processes. Nothing leaves the
machine.
"""

from __future__ import annotations

import shutil
import socket

import psutil
import pytest

from airflow_provider_renderbus.transfer import downloads, uploads
from airflow_provider_renderbus.transfer.command import (
    VENDORS_NAME,
    Command,
    TransferArguments,
    write_resume_ini,
)
from airflow_provider_renderbus.transfer.endpoints import StorageEndpoint
from airflow_provider_renderbus.transfer.errors import (
    TransferError,
    TransferFailed,
    TransferSetupError,
    TransferStalled,
)
from airflow_provider_renderbus.transfer.folder import FileStat
from airflow_provider_renderbus.transfer.process import TransferRunner
from airflow_provider_renderbus.transfer.progress import TransferProgress
from tests.processes import has_ended

IN_THE_WHEEL = "lib/python3.11/site-packages/rayvision_sync/transmission/linux"
NAME = 'it\'s "here" $(x) 纹理'
SECONDS = 3.0


@pytest.fixture(scope="module")
def folder(vendor_python, tmp_path_factory):
    """A copy of the folder with the command, as installed."""
    target = tmp_path_factory.mktemp("vendor") / "linux"
    return shutil.copytree(vendor_python.parents[1] / IN_THE_WHEEL, target)


@pytest.fixture
def runnable(folder):
    for program in (folder / VENDORS_NAME, folder / "aspera/ascp"):
        program.chmod(0o755)
    return folder / VENDORS_NAME


@pytest.fixture
def endpoint():
    """A storage at a closed port of this machine."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield StorageEndpoint("127.0.0.1", str(taken.getsockname()[1]), "10201", "100001")


class Lines(TransferProgress):
    """Records every line, and the child processes at that time."""

    def __init__(self):
        super().__init__({})
        self.lines = []
        self.running = set()

    def feed(self, line):
        self.lines.append(line)
        self.running.update(psutil.Process().children(recursive=True))
        return super().feed(line)


@pytest.fixture
def run(runnable, tmp_path):
    """Return a function that runs the command, checks that all processes are gone, and returns the output."""

    def run(arguments):
        lines = Lines()
        runner = TransferRunner(Command.find(str(runnable)), tmp_path / "logs", SECONDS)
        with pytest.raises(TransferError) as failed:
            runner.run(arguments, lines)
        assert len(lines.running) > 1
        assert all(has_ended(process.pid) for process in lines.running)
        return lines.lines, failed.value

    return run


@pytest.fixture
def scene(tmp_path):
    path = tmp_path / "shot" / NAME / "sh010.blend"
    path.parent.mkdir(parents=True)
    path.write_text("a scene")
    return path


def test_find_command_as_installed_is_not_executable(folder):
    (folder / VENDORS_NAME).chmod(0o644)
    with pytest.raises(TransferSetupError, match=r"rayvision_transmitter is not executable"):
        Command.find(str(folder / VENDORS_NAME))
    (folder / VENDORS_NAME).chmod(0o755)
    (folder / "aspera/ascp").chmod(0o644)
    with pytest.raises(TransferSetupError, match=r"aspera/ascp is not executable"):
        Command.find(str(folder / VENDORS_NAME))


def test_upload_arguments_are_accepted(run, endpoint, scene, tmp_path):
    ((upload_json, _),) = uploads.write_lists(uploads.assets_from_paths(scene), tmp_path)
    ini = write_resume_ini(tmp_path / NAME / "transfer_state", "2", endpoint)
    lines, error = run(TransferArguments("upload_json", endpoint, upload_json, "/", ini))
    assert "upload is begin" in lines
    assert not isinstance(error, TransferFailed)
    assert (tmp_path / NAME / "transfer_state" / f"sent-{endpoint.storage_id}-{endpoint.user_id}.db").exists()


@pytest.mark.parametrize("kind", ["download_path", "download_list"])
def test_download_arguments_are_accepted(run, endpoint, tmp_path, kind):
    (tmp_path / NAME).mkdir()
    names = tmp_path / NAME / "list"
    names.write_text("18280_scene/a.png\n")
    remote = "18280_scene" if kind == "download_path" else str(names)
    lines, _ = run(TransferArguments(kind, endpoint, tmp_path / NAME, remote))
    assert "download is begin" in lines


def test_transfer_without_server_fails(runnable, endpoint, scene, tmp_path):
    runner = TransferRunner(Command.find(str(runnable)), tmp_path / "logs", SECONDS)
    with pytest.raises(TransferStalled, match="no progress for"):
        uploads.upload(runner, endpoint, uploads.assets_from_paths(scene), None)
    parts = ("18280_scene", "a.png")
    frame = downloads.RemoteFile("18280_scene/a.png", parts, FileStat(1, None), parts)
    with pytest.raises(TransferError):
        downloads.download(runner, endpoint, [frame], tmp_path / "frames", storage_folder="18280_scene")
    assert list((tmp_path / "frames").iterdir()) == []
