"""Downloaded files are complete, and nothing is written outside the folder."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil

import pytest

from airflow_provider_renderbus.api.models.transfer import read_output_file
from airflow_provider_renderbus.transfer import downloads
from airflow_provider_renderbus.transfer.errors import (
    InvalidFiles,
    TransferCancelled,
    TransferFailed,
    TransferIncomplete,
    TransferStalled,
)
from airflow_provider_renderbus.transfer.folder import staging_folder
from tests.transfer.conftest import ENDPOINT

LEAF = "35000001_sh010"
MODIFIED = "2026-11-22 18:30:00"
MODIFIED_SECONDS = 1795372200.0
PARSE_OPTIONS = """while [ $# -gt 0 ]; do
case $1 in -L) L=$2;; -R) R=$2;; -T) T=$2;; esac; shift 2
done
cd "$L"
"""


def listing(*files, modified=MODIFIED):
    return [
        read_output_file(
            {
                "fileName": path.rpartition("/")[2],
                "filePath": path,
                "fileSize": size,
                "directory": False,
                "lastModify": modified,
            }
        )
        for path, size in files
    ]


def select(*files, pattern="*", **options):
    return downloads.select_files(listing(*files, **options), pattern).files


@pytest.fixture
def frames(tmp_path):
    return tmp_path / "frames"


@pytest.fixture
def download(make_runner, frames):
    """Download with a script, which has the local folder in $L and the remote path or list in $R."""

    def download(script, files, storage_folder=LEAF, subject="download", **options):
        return downloads.download(
            make_runner(PARSE_OPTIONS + script, **options),
            ENDPOINT,
            files,
            frames,
            storage_folder=storage_folder,
            subject=subject,
        )

    return download


def content(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def has_no_staging_folder(folder):
    return not list(folder.glob(".*"))


TWO = ((f"/{LEAF}/a.png", 4), (f"/{LEAF}/deep/b.png", 2))
TWO_PATHS = (f"{LEAF}/a.png", f"{LEAF}/deep/b.png")
WRITE = f"mkdir -p {LEAF}/deep; printf 1234 > {LEAF}/a.png; printf 12 > {LEAF}/deep/b.png"
DONE = f"echo 'download file done (/{LEAF}/a.png)'"


def test_download_of_whole_folder_uses_download_path(download, frames):
    result = download(
        f"{WRITE}; [ $T $R = 'download_path {LEAF}' ]".replace("$T $R", '"$T $R"'), select(*TWO)
    )
    assert result == downloads.DownloadResult(2, 6, 0, frozenset(TWO_PATHS))
    assert content(frames) == {f"{LEAF}/a.png": "1234", f"{LEAF}/deep/b.png": "12"}
    assert (frames / LEAF / "a.png").stat().st_mtime == MODIFIED_SECONDS
    assert has_no_staging_folder(frames)


def test_download_present_files_are_skipped(download, frames):
    download(WRITE, select(*TWO))
    assert download("exit 9", select(*TWO)) == downloads.DownloadResult(2, 6, 2)


@pytest.mark.parametrize("change", ["size", "time", "gone", "link", "second name"])
def test_download_differing_file_is_downloaded_by_name(download, frames, tmp_path, change):
    download(WRITE, select(*TWO))
    frame, elsewhere = frames / LEAF / "deep/b.png", tmp_path / "elsewhere"
    elsewhere.write_text("my")
    os.utime(elsewhere, (MODIFIED_SECONDS, MODIFIED_SECONDS))
    if change == "size":
        frame.write_text("123")
        os.utime(frame, (MODIFIED_SECONDS, MODIFIED_SECONDS))
    elif change == "time":
        os.utime(frame, (1, 1))
    else:
        frame.unlink()
        if change == "link":
            frame.symlink_to(elsewhere)
        if change == "second name":
            frame.hardlink_to(elsewhere)
    script = f'[ "$T $(cat "$R")" = "download_list {LEAF}/deep/b.png" ] || exit 9; mkdir -p {LEAF}/deep'
    result = download(f"{script}; printf ab > {LEAF}/deep/b.png", select(*TWO))
    assert result.already_present == 1
    assert frame.read_text() == "ab"
    assert elsewhere.read_text() == "my"


def test_download_selected_files_uses_download_list(download, frames):
    files = select(*TWO, pattern="*/b.*")
    script = f'[ "$T $(cat "$R")" = "download_list {LEAF}/deep/b.png" ] || exit 9; {WRITE}'
    assert download(script, files, storage_folder=None) == downloads.DownloadResult(
        1, 2, 0, frozenset(TWO_PATHS[1:])
    )
    assert content(frames) == {f"{LEAF}/deep/b.png": "12"}


def test_download_of_other_size_than_listed_is_incomplete(download, frames):
    with pytest.raises(
        TransferIncomplete,
        match=rf"1 of 2 files could not be downloaded: {LEAF}/a\.png: 4 bytes instead of the listed 5",
    ):
        download(WRITE, select((f"/{LEAF}/a.png", 5), TWO[1]))
    assert content(frames) == {f"{LEAF}/deep/b.png": "12"}
    assert has_no_staging_folder(frames)


def test_download_without_listed_size_and_time_is_repeated(download, frames):
    files = select((TWO[0][0], None), (TWO[1][0], None), modified=None)
    assert download(WRITE, files).files == 2
    assert download(WRITE.replace("1234", "123"), files).already_present == 0
    assert content(frames)[f"{LEAF}/a.png"] == "123"


@pytest.mark.parametrize("modified", ["yesterday", "2026-13-45 00:00:00", ""])
def test_download_with_invalid_listed_time_compares_sizes(download, modified):
    download(WRITE, select(*TWO, modified=modified))
    assert download("exit 9", select(*TWO, modified=modified)).already_present == 2


def test_download_missing_file_is_incomplete(download, frames):
    with pytest.raises(TransferIncomplete, match=r"a\.png: missing"):
        download(WRITE + f"; rm {LEAF}/a.png", select(*TWO))


def test_download_that_brings_nothing_leaves_nothing(download, frames):
    (frames / "of an artist").mkdir(parents=True)
    with pytest.raises(TransferIncomplete):
        download("exit 10", select(*TWO))
    assert [path.name for path in frames.iterdir()] == ["of an artist"]


@pytest.mark.parametrize(
    ("end", "error"),
    [
        ("exit 10", TransferIncomplete),
        ("exit 255", TransferFailed),
        ("kill -9 $$", TransferIncomplete),
        ("sleep 600", TransferStalled),
    ],
)
def test_download_that_fails_keeps_only_files_reported_as_done(download, frames, end, error):
    with pytest.raises(error):
        download(f"{WRITE}; {DONE}; {end}", select(*TWO), stall_timeout=0.3)
    assert content(frames) == {f"{LEAF}/a.png": "1234"}
    assert has_no_staging_folder(frames)
    assert not (frames / LEAF / "deep").exists()


def test_download_publishes_a_file_as_soon_as_it_is_done(download, frames):
    until_published = f"while [ ! -f {frames}/{LEAF}/a.png ]; do sleep 0.02; done"
    download(f"{WRITE}; {DONE}; {until_published}", select(*TWO))
    assert len(content(frames)) == 2


def test_download_file_of_other_size_can_be_done_again(download, frames):
    download(f"{WRITE}; : > {LEAF}/a.png; {DONE}; {WRITE}; {DONE}; {DONE}", select(*TWO))
    assert content(frames)[f"{LEAF}/a.png"] == "1234"


def test_download_list_does_not_collide_with_files(download, frames):
    script = f'{WRITE}; case $(cat "$R") in *.list*) printf ok > .list;; esac'
    download(script, select(*TWO, ("/.list", 2)), storage_folder=None)
    assert content(frames)[".list"] == "ok"


def test_download_removes_staging_folder_of_killed_worker(download, frames):
    (frames / ".renderbus-stale" / LEAF).mkdir(parents=True)
    (frames / ".renderbus-stale" / LEAF / "a.png").write_text("12")
    os.utime(frames / ".renderbus-stale", (1, 1))
    download(WRITE, select(*TWO))
    assert has_no_staging_folder(frames)


def test_download_keeps_staging_folder_of_running_worker(download, frames):
    frames.mkdir()
    with staging_folder(frames) as staging:
        os.utime(staging.list.parent, (1, 1))
        download(WRITE, select(*TWO))
        assert staging.files.path.is_dir()
    assert has_no_staging_folder(frames)


UNUSUAL_NAMES = [
    "a b.png",
    'it\'s "quoted".png',
    "纹理 木头.png",
    "$(touch x);`y`.png",
    "..png",
    "-rf",
    "100%.png",
    "(2).png",
]


def test_download_files_with_unusual_names(make_runner, frames, tmp_path):
    source = tmp_path / "source"
    (source / LEAF).mkdir(parents=True)
    for name in UNUSUAL_NAMES:
        (source / LEAF / name).write_text("1234")
    files = select(*[(f"/{LEAF}/{name}", 4) for name in UNUSUAL_NAMES])
    downloads.download(
        make_runner(f'{PARSE_OPTIONS} cp -r {source}/. "$L"'), ENDPOINT, files, frames, storage_folder=LEAF
    )
    assert sorted(content(frames / LEAF)) == sorted(UNUSUAL_NAMES)


@pytest.mark.parametrize(
    "path",
    [
        "/../outside",
        f"/{LEAF}/../../outside",
        f"/{LEAF}/a\nb.png",
        f"/{LEAF}/a\\..\\b.png",
        f"/{LEAF}/a\0b",
        f"/{LEAF}/" + "x" * 256,
        "/",
        "/./a",
        "/-C/a.png",
        "/.renderbus-mine/a.png",
        f"/{LEAF}/\ud800.png",
    ],
)
def test_select_files_invalid_name_is_a_problem_of_that_file(path):
    files, (problem,) = downloads.select_files(listing((path, 1), *TWO), "*")
    assert problem.startswith("The storage lists '")
    assert "name" in problem
    assert "\n" not in problem
    assert len(files) == 2


class TestNothingIsWrittenOutside:
    """Whatever the command writes to the staging folder, and whatever is in the target folder."""

    @pytest.fixture
    def outside(self, tmp_path):
        folder = tmp_path / "outside"
        folder.mkdir()
        (folder / "a.png").write_text("mine")
        return folder

    @pytest.fixture(autouse=True)
    def _outside_is_unchanged(self, outside):
        yield
        assert content(outside) == {"a.png": "mine"}
        assert (outside / "a.png").stat().st_nlink == 1

    def test_download_staged_folder_that_is_a_link_is_ignored(self, download, outside, frames):
        with pytest.raises(TransferIncomplete, match="missing"):
            download(f"ln -s {outside} {LEAF}", select((f"/{LEAF}/a.png", 4)))
        assert content(frames) == {}

    def test_download_staged_file_that_is_a_link_is_ignored(self, download, outside, frames):
        with pytest.raises(TransferIncomplete, match="missing"):
            download(f"mkdir {LEAF}; ln -s {outside}/a.png {LEAF}/a.png", select((f"/{LEAF}/a.png", 4)))
        assert content(frames) == {}

    def test_download_staged_file_that_is_a_hard_link_is_ignored(self, download, outside, frames):
        with pytest.raises(TransferIncomplete, match="missing"):
            download(
                f"mkdir {LEAF}; ln {outside}/a.png {LEAF}/a.png; echo 'download file done (x)'",
                select((f"/{LEAF}/a.png", 4)),
            )
        assert content(frames) == {}

    def test_download_target_folder_that_is_a_link_is_rejected(self, download, outside, frames):
        frames.mkdir()
        (frames / LEAF).symlink_to(outside)
        with pytest.raises(
            InvalidFiles,
            match=r"Cannot write .*35000001_sh010/a\.png in .*: a link or a file is in place of a folder",
        ):
            download(f"{WRITE}; printf 1 > c.png", [*select(*TWO), *select(("/c.png", 1))])
        assert content(frames) == {"c.png": "1"}

    def test_download_target_file_that_is_a_link_is_replaced(self, download, outside, frames):
        (frames / LEAF).mkdir(parents=True)
        (frames / LEAF / "a.png").symlink_to(outside / "a.png")
        download(WRITE, select(*TWO))
        assert (frames / LEAF / "a.png").read_text() == "1234"
        assert not (frames / LEAF / "a.png").is_symlink()

    def test_download_folder_in_place_of_a_file_is_rejected(self, download, frames):
        (frames / LEAF / "a.png").mkdir(parents=True)
        with pytest.raises(InvalidFiles, match=r"a folder in place of a file"):
            download(f"{WRITE}; {DONE}", select(*TWO))
        assert content(frames) == {f"{LEAF}/deep/b.png": "12"}

    def test_download_file_in_place_of_a_folder_is_rejected(self, download, frames):
        frames.mkdir()
        (frames / LEAF).write_text("")
        with pytest.raises(InvalidFiles, match=r"a link or a file is in place of a folder"):
            download(WRITE, select(*TWO))

    def test_download_unexpected_files_are_discarded(self, download, frames):
        download(f"{WRITE}; printf 1 > {LEAF}/more; printf 1 > .bashrc", select(*TWO))
        assert set(content(frames)) == {f"{LEAF}/a.png", f"{LEAF}/deep/b.png"}


def test_download_folder_may_be_a_link(download, frames, tmp_path):
    (tmp_path / "real").mkdir()
    frames.symlink_to(tmp_path / "real")
    download(WRITE, select(*TWO))
    assert len(content(tmp_path / "real")) == 2


def test_download_without_disk_space_for_a_file_downloads_the_others(download, frames):
    with pytest.raises(
        TransferIncomplete,
        match=r"1 of 2 files .*/a\.png: not enough disk space, 1,000,000,000\.0 MB required",
    ):
        download(f'[ "$(cat "$R")" = {LEAF}/deep/b.png ] && {WRITE}', select((TWO[0][0], 10**15), TWO[1]))
    assert content(frames) == {f"{LEAF}/deep/b.png": "12"}


def refuse(*_, **__):
    raise OSError(errno.EOPNOTSUPP, "Operation not supported")


def keep_even_seconds(path, times, **options):
    real_utime(path, tuple(time // 2 * 2 for time in times), **options)


real_utime = os.utime


@pytest.mark.parametrize(
    ("module", "function", "stand_in"),
    [
        (os, "utime", refuse),
        (os, "utime", lambda *_, **__: None),
        (os, "utime", keep_even_seconds),
        (shutil, "disk_usage", refuse),
        (shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(0, 0, 0)),
        (shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**12, 10**12, 0)),
        (fcntl, "flock", refuse),
    ],
    ids=["no times", "times ignored", "even seconds", "no free space", "zero space", "zero free", "no locks"],
)
def test_download_to_odd_file_system_is_whole_and_not_repeated(
    download, frames, monkeypatch, module, function, stand_in
):
    files = select(*TWO, modified="2026-11-22 18:30:01")
    monkeypatch.setattr(module, function, stand_in)
    assert download(WRITE, files) == downloads.DownloadResult(2, 6, 0, frozenset(TWO_PATHS))
    assert content(frames / LEAF) == {"a.png": "1234", "deep/b.png": "12"}
    assert download("exit 9", files).already_present == 2


def test_download_without_times_warns_once_with_names(download, frames, monkeypatch, caplog):
    monkeypatch.setattr(os, "utime", refuse)
    download(WRITE, select(*TWO))
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert re.search(r"2 files are complete, but .*\(Operation not supported\): .*a\.png; .*b\.png", warning)


def test_download_without_times_of_re_rendered_or_changed_frame_is_repeated(download, frames, monkeypatch):
    monkeypatch.setattr(os, "utime", refuse)
    download(WRITE, select(*TWO))
    (frames / LEAF / "a.png").write_text("mine")
    monkeypatch.undo()
    os.utime(frames / LEAF / "a.png", (1, 1))
    assert download(WRITE, select(*TWO)).already_present == 1
    assert content(frames / LEAF)["a.png"] == "1234"
    assert download(WRITE, select(*TWO, modified="2026-11-23 18:30:00")).already_present == 0


def test_download_with_invalid_record_of_times_is_complete(download, frames):
    frames.mkdir()
    for invalid in ("[1]", "{", '{"a": 3}', "\0"):
        (frames / ".renderbus-times").write_text(invalid)
        assert download(WRITE, select(*TWO)).files == 2


def test_download_file_that_cannot_be_moved_keeps_no_other_away(download, frames, monkeypatch):
    rename = os.rename

    def refuse_one(name, *args, **options):
        if name == "a.png":
            raise PermissionError(errno.EACCES, "Permission denied")
        rename(name, *args, **options)

    monkeypatch.setattr(os, "rename", refuse_one)
    with pytest.raises(TransferIncomplete, match=r"1 of 2 files .*/a\.png: Permission denied"):
        download(f"{WRITE}; {DONE}", select(*TWO))
    assert content(frames) == {f"{LEAF}/deep/b.png": "12"}


def test_download_files_lose_special_modes(download, frames):
    download(f"{WRITE}; chmod 6755 {LEAF}/a.png; chmod 1644 {LEAF}/deep/b.png", select(*TWO))
    assert (frames / LEAF / "a.png").stat().st_mode & 0o7777 == 0o755
    assert (frames / LEAF / "deep/b.png").stat().st_mode & 0o7777 == 0o644


def test_download_cancelled_leaves_no_partial_file(make_runner, frames):
    runner = make_runner("sleep 600")
    runner.cancel()
    with pytest.raises(TransferCancelled):
        downloads.download(runner, ENDPOINT, select(*TWO), frames, storage_folder=LEAF)
    assert content(frames) == {}
    assert has_no_staging_folder(frames)


def test_download_log_has_start_and_end_also_if_nothing_is_new(download, caplog, frames):
    caplog.set_level("INFO")
    download(f"echo 'Continue? (y/n)'; {WRITE}", select(*TWO), subject="layer beauty")
    download("exit 9", select(*TWO), subject="layer beauty")
    assert [message.replace(" 1 s", " 0 s") for message in caplog.messages] == [
        f"layer beauty: downloading 2 files (0.0 MB) of 2 files (0.0 MB) to {frames}",
        "layer beauty: downloaded 2 files (0.0 MB) in 0 s, 0 were there already",
        "layer beauty: nothing new, 2 files (0.0 MB) are there already",
    ]


def test_download_of_no_files_starts_nothing(download):
    assert download("exit 9", []) == downloads.DownloadResult(0, 0, 0)
