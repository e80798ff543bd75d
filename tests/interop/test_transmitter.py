"""The vendor's real Linux command, of rayvision-sync 3.1.8, takes our argument lists.

It is started against a closed port of this machine, gets as far as it can there, and is ended with its
children. Nothing leaves the machine.
"""

from __future__ import annotations

import shutil
import socket

import psutil
import pytest

from airflow_provider_renderbus.transfer import assets as sources
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
from tests.processes import gone

IN_THE_WHEEL = "lib/python3.11/site-packages/rayvision_sync/transmission/linux"
NAME = 'it\'s "here" $(x) 纹理'
SECONDS = 3.0


@pytest.fixture(scope="module")
def folder(vendor_python, tmp_path_factory):
    """The command as the wheel brings it, in a folder of ours."""
    target = tmp_path_factory.mktemp("vendor") / "linux"
    return shutil.copytree(vendor_python.parents[1] / IN_THE_WHEEL, target)


@pytest.fixture
def runnable(folder):
    for program in (folder / VENDORS_NAME, folder / "aspera/ascp"):
        program.chmod(0o755)
    return folder / VENDORS_NAME


@pytest.fixture
def route():
    """The way to a port that is ours and closed."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield StorageEndpoint("127.0.0.1", str(taken.getsockname()[1]), "10201", "100001")


class Lines(TransferProgress):
    """Keeps every line, and the processes that run while the lines come."""

    def __init__(self):
        super().__init__({})
        self.lines = []
        self.running = set()

    def feed(self, line):
        self.lines.append(line)
        self.running.update(psutil.Process().children(recursive=True))
        return super().feed(line)


@pytest.fixture
def said(runnable, tmp_path):
    """Run an order, and return all that the command said; nothing that it has started runs then."""

    def said(order):
        lines = Lines()
        runner = TransferRunner(Command.find(str(runnable)), tmp_path / "logs", SECONDS)
        with pytest.raises(TransferError) as failed:
            runner.run(order, lines)
        assert len(lines.running) > 1
        assert all(gone(process.pid) for process in lines.running)
        return lines.lines, failed.value

    return said


@pytest.fixture
def scene(tmp_path):
    path = tmp_path / "shot" / NAME / "sh010.blend"
    path.parent.mkdir(parents=True)
    path.write_text("a scene")
    return path


def test_as_installed_it_cannot_be_run_and_that_is_told(folder):
    (folder / VENDORS_NAME).chmod(0o644)
    with pytest.raises(TransferSetupError, match=r"rayvision_transmitter has no run bit"):
        Command.find(str(folder / VENDORS_NAME))
    (folder / VENDORS_NAME).chmod(0o755)
    (folder / "aspera/ascp").chmod(0o644)
    with pytest.raises(TransferSetupError, match=r"aspera/ascp has no run bit"):
        Command.find(str(folder / VENDORS_NAME))


def test_assets_are_about_to_be_sent(said, route, scene, tmp_path):
    ((upload_json, _),) = sources.write_lists(sources.assets_from_paths(scene), tmp_path)
    ini = write_resume_ini(tmp_path / NAME / "remembered", "2", route)
    lines, ended = said(TransferArguments("upload_json", route, upload_json, "/", ini))
    assert "upload is begin" in lines
    assert not isinstance(ended, TransferFailed)
    assert (tmp_path / NAME / "remembered" / f"sent-{route.storage_id}-{route.user_id}.db").exists()


@pytest.mark.parametrize("kind", ["download_path", "download_list"])
def test_frames_are_about_to_be_fetched(said, route, tmp_path, kind):
    (tmp_path / NAME).mkdir()
    names = tmp_path / NAME / "list"
    names.write_text("18280_scene/a.png\n")
    remote = "18280_scene" if kind == "download_path" else str(names)
    lines, _ = said(TransferArguments(kind, route, tmp_path / NAME, remote))
    assert "download is begin" in lines


def test_a_server_that_does_not_answer_fails_a_transfer(runnable, route, scene, tmp_path):
    runner = TransferRunner(Command.find(str(runnable)), tmp_path / "logs", SECONDS)
    with pytest.raises(TransferStalled, match="Nothing has moved"):
        uploads.upload(runner, route, sources.assets_from_paths(scene), None)
    frame = downloads.RemoteFile("18280_scene/a.png", ("18280_scene", "a.png"), FileStat(1, None))
    with pytest.raises(TransferError):
        downloads.download(runner, route, [frame], tmp_path / "frames", storage_folder="18280_scene")
    assert list((tmp_path / "frames").iterdir()) == []
