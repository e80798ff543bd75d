"""Downloads to real file systems that are full, read-only, or refuse what others allow."""

from __future__ import annotations

import logging
import os

import pytest

from airflow_provider_renderbus.transfer import downloads
from airflow_provider_renderbus.transfer.command import Command
from airflow_provider_renderbus.transfer.errors import TransferError, TransferIncomplete
from airflow_provider_renderbus.transfer.folder import FileStat, probe_folder
from airflow_provider_renderbus.transfer.process import TransferRunner
from tests.mounts import mounts
from tests.transfer.conftest import ENDPOINT
from tests.transfer_command import transfer_command

LEAF = "35000001_sh010"
MODIFIED = 1_764_000_001
FRAME_BYTES = 100_000


@pytest.fixture
def mount(tmp_path):
    with mounts(tmp_path / "mounts") as mount:
        yield mount


@pytest.fixture
def storage(tmp_path, monkeypatch):
    """The folder with the frames of a leaf, in a storage of the farm."""
    folder = tmp_path / "storage" / "output" / f"{ENDPOINT.storage_id}-{ENDPOINT.user_id}" / LEAF
    folder.mkdir(parents=True)
    monkeypatch.setenv("RENDERBUS_FARM_STORAGE", str(tmp_path / "storage"))
    return folder


@pytest.fixture
def render(storage):
    """Returns a function that writes frames with some names, and returns them as the farm lists them."""

    def render(names, size=FRAME_BYTES):
        for at, name in enumerate(names):
            (storage / name).write_bytes(bytes([at % 251 + 1]) * size)
        return [
            downloads.RemoteFile(f"{LEAF}/{name}", (LEAF, name), FileStat(size, MODIFIED), (LEAF, name))
            for name in names
        ]

    return render


@pytest.fixture
def download(tmp_path):
    """Returns a function that downloads files to a folder with the farm's transfer command."""
    command = Command.find(str(transfer_command(tmp_path / "command")))

    def download(files, folder):
        runner = TransferRunner(command, tmp_path / "logs", 60.0)
        return downloads.download(runner, ENDPOINT, files, folder, storage_folder=LEAF)

    return download


def numbered(count):
    return [f"sh010_{at:04}.exr" for at in range(1, count + 1)]


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def require_whole(folder, storage, expected=None):
    """Check that the frames in a folder are whole, and that nothing else is there; return how many."""
    present = sorted(path.name for path in (folder / LEAF).iterdir())
    for name in present:
        assert (folder / LEAF / name).read_bytes() == (storage / name).read_bytes(), name
    left_behind = {path.name for path in folder.iterdir()} - {LEAF, "lost+found", ".renderbus-times"}
    assert left_behind == set()
    if expected is not None:
        assert present == sorted(expected)
    return len(present)


def leave_inodes(folder, count):
    """Create files of others until a file system has only so many free inodes."""
    for at in range(os.statvfs(folder).f_favail - count):
        (folder / f"other{at}").touch()


def remove_others(folder):
    for other in folder.glob("other*"):
        other.unlink()


class TestFull:
    def test_download_to_small_disk_writes_what_fits_and_the_rest_later(
        self, mount, render, download, storage
    ):
        folder = mount.tmpfs(10 * FRAME_BYTES)
        files = render(numbered(15))
        with pytest.raises(TransferIncomplete, match=r"of 15 files could not be .* not enough disk space"):
            download(files, folder)
        assert 5 <= require_whole(folder, storage) < 15
        mount.remount(folder, f"size={20 * FRAME_BYTES}")
        download(files, folder)
        require_whole(folder, storage, numbered(15))

    def test_download_disk_full_in_between_keeps_whole_frames_and_continues(
        self, mount, render, download, storage
    ):
        """The disk says that it has space, as one with a quota does."""
        disk = mount.tmpfs(10 * FRAME_BYTES)
        folder = mount.fuse(disk)
        files = render(numbered(15))
        with pytest.raises(TransferIncomplete, match="No space left on device") as caught:
            download(files, folder)
        assert numbered(15)[-1] in str(caught.value)
        assert 5 <= require_whole(folder, storage) < 15
        mount.remount(disk, f"size={20 * FRAME_BYTES}")
        assert download(files, folder).already_present >= 5
        require_whole(folder, storage, numbered(15))

    def test_download_no_free_inodes_in_between_continues(self, mount, render, download, storage):
        folder = mount.ext4(8_000_000, inodes=64)
        files = render(numbered(30), size=1_000)
        leave_inodes(folder, 20)
        with pytest.raises(TransferIncomplete, match="No space left on device"):
            download(files, folder)
        remove_others(folder)
        assert 5 <= require_whole(folder, storage) < 30
        download(files, folder)
        require_whole(folder, storage, numbered(30))

    def test_download_no_free_inode_at_all_says_so(self, mount, render, download, storage):
        folder = mount.ext4(8_000_000, inodes=32)
        files = render(numbered(3), size=1_000)
        leave_inodes(folder, 0)
        with pytest.raises(OSError, match="it has no free inodes, so remove some files"):
            download(files, folder)
        remove_others(folder)
        download(files, folder)
        require_whole(folder, storage, numbered(3))


class TestReadOnly:
    def test_download_to_read_only_folder_fails_and_keeps_frames(self, mount, render, download, storage):
        folder = mount.tmpfs(40 * FRAME_BYTES)
        files = render(numbered(6))
        download(files[:3], folder)
        mount.remount(folder, "ro")
        with pytest.raises(OSError, match="Read-only file system"):
            download(files, folder)
        with pytest.raises(OSError, match="Read-only"):
            probe_folder(folder)
        require_whole(folder, storage, numbered(3))
        mount.remount(folder, "rw")
        download(files, folder)
        require_whole(folder, storage, numbered(6))

    def test_download_nothing_new_succeeds_on_read_only_folder(self, mount, render, download):
        folder = mount.tmpfs(40 * FRAME_BYTES)
        files = render(numbered(3))
        download(files, folder)
        mount.remount(folder, "ro")
        assert download(files, folder).already_present == 3


class TestRefusals:
    @pytest.mark.parametrize(
        "rules",
        [
            {"refuse_times": True, "refuse_modes": True},
            {"space": [0, 0], "time_step": 2},
            {"space_unknown": True, "refuse_times": True},
        ],
        ids=["times and modes refused", "no free space, rounded times", "free space unknown"],
    )
    def test_download_to_share_that_refuses_times_warns_once_and_is_not_repeated(
        self, mount, render, download, storage, rules, caplog
    ):
        folder = mount.fuse(**rules)
        files = render(numbered(80))
        assert download(files, folder).already_present == 0
        require_whole(folder, storage, numbered(80))
        (warning,) = warnings(caplog)
        assert "80 files are complete, but do not have the time" in warning
        assert "sh010_0001.exr" in warning
        caplog.clear()
        assert download(files, folder).already_present == 80
        assert warnings(caplog) == []

    def test_download_name_that_the_disk_refuses_keeps_no_other_away(self, mount, render, download, storage):
        folder = mount.fuse(refused_characters=':*?"<>|', ignore_case=True, refuse_modes=True)
        files = render([*numbered(70), "sh010:beauty.exr"])
        for _ in range(2):
            with pytest.raises(TransferError, match=r"sh010:beauty.exr: .*Invalid argument"):
                download(files, folder)
            require_whole(folder, storage, numbered(70))

    @pytest.mark.parametrize("ignores_case", [True, False])
    def test_find_same_names_only_on_a_disk_that_ignores_case(self, mount, render, ignores_case):
        folder = mount.fuse(ignore_case=ignores_case) / "not" / "there yet"
        names = [*numbered(3), "Beauty.exr", "beauty.exr", "\u00dc.exr", "U\u0308.exr"]
        found = downloads.find_same_names(folder, render(names, size=1))
        assert list(found) == ([(LEAF, "beauty.exr")] if ignores_case else [])
        assert all("does not distinguish its name from that of" in reason for reason in found.values())
        assert list(folder.iterdir()) == []
