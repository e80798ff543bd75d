"""Frames come whole or not at all, and nothing is written outside the folder."""

from __future__ import annotations

import os

import pytest

from airflow_provider_renderbus.api.models.outputs import read_output_file
from airflow_provider_renderbus.transfer import downloads
from airflow_provider_renderbus.transfer.errors import (
    InvalidFiles,
    TransferCancelled,
    TransferFailed,
    TransferIncomplete,
    TransferStalled,
)
from airflow_provider_renderbus.transfer.folder import staging_folder
from tests.transfer.conftest import ROUTE

LEAF = "35000001_sh010"
WHEN = "2026-11-22 18:30:00"
SECONDS = 1795372200.0
FIND = """while [ $# -gt 0 ]; do
case $1 in -L) L=$2;; -R) R=$2;; -T) T=$2;; esac; shift 2
done
cd "$L"
"""


def listed(*files, modified=WHEN):
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


def wanted(*files, pattern="*", **how):
    return downloads.select_files(listed(*files, **how), pattern)


@pytest.fixture
def frames(tmp_path):
    return tmp_path / "frames"


@pytest.fixture
def fetch(runner, frames):
    """Fetch files with a script, which finds the folder in $L and the remote path or list in $R."""

    def fetch(script, files, whole=LEAF, **how):
        return downloads.download(runner(FIND + script, **how), ROUTE, files, frames, storage_folder=whole)

    return fetch


def content(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def nothing_is_left(folder):
    return not list(folder.glob(".*"))


TWO = ((f"/{LEAF}/a.png", 4), (f"/{LEAF}/deep/b.png", 2))
WRITE = f"mkdir -p {LEAF}/deep; printf 1234 > {LEAF}/a.png; printf 12 > {LEAF}/deep/b.png"
DONE = f"echo 'download file done (/{LEAF}/a.png)'"


def test_a_whole_folder(fetch, frames):
    result = fetch(f"{WRITE}; [ $T $R = 'download_path {LEAF}' ]".replace("$T $R", '"$T $R"'), wanted(*TWO))
    assert result == downloads.DownloadResult(2, 6, 0)
    assert content(frames) == {f"{LEAF}/a.png": "1234", f"{LEAF}/deep/b.png": "12"}
    assert (frames / LEAF / "a.png").stat().st_mtime == SECONDS
    assert nothing_is_left(frames)


def test_what_is_there_is_not_fetched_again(fetch, frames):
    fetch(WRITE, wanted(*TWO))
    assert fetch("exit 9", wanted(*TWO)) == downloads.DownloadResult(2, 6, 2)


@pytest.mark.parametrize("change", ["size", "time", "gone", "link", "second name"])
def test_what_is_not_the_listed_file_is_fetched_by_its_name(fetch, frames, tmp_path, change):
    fetch(WRITE, wanted(*TWO))
    frame, elsewhere = frames / LEAF / "deep/b.png", tmp_path / "elsewhere"
    elsewhere.write_text("my")
    os.utime(elsewhere, (SECONDS, SECONDS))
    if change == "size":
        frame.write_text("123")
        os.utime(frame, (SECONDS, SECONDS))
    elif change == "time":
        os.utime(frame, (1, 1))
    else:
        frame.unlink()
        if change == "link":
            frame.symlink_to(elsewhere)
        if change == "second name":
            frame.hardlink_to(elsewhere)
    script = f'[ "$T $(cat "$R")" = "download_list {LEAF}/deep/b.png" ] || exit 9; mkdir -p {LEAF}/deep'
    result = fetch(f"{script}; printf ab > {LEAF}/deep/b.png", wanted(*TWO))
    assert result.already_present == 1
    assert frame.read_text() == "ab"
    assert elsewhere.read_text() == "my"


def test_chosen_files(fetch, frames):
    files = wanted(*TWO, pattern="*/b.*")
    script = f'[ "$T $(cat "$R")" = "download_list {LEAF}/deep/b.png" ] || exit 9; {WRITE}'
    assert fetch(script, files, whole=None) == downloads.DownloadResult(1, 2, 0)
    assert content(frames) == {f"{LEAF}/deep/b.png": "12"}


def test_a_listing_that_lies_about_sizes(fetch, frames):
    with pytest.raises(
        TransferIncomplete, match=rf"1 of 2 files .* {LEAF}/a\.png: 5 bytes are listed, 4 came"
    ):
        fetch(WRITE, wanted((f"/{LEAF}/a.png", 5), TWO[1]))
    assert content(frames) == {f"{LEAF}/deep/b.png": "12"}
    assert nothing_is_left(frames)


def test_a_listing_without_sizes_and_times(fetch, frames):
    files = wanted((TWO[0][0], None), (TWO[1][0], None), modified=None)
    assert fetch(WRITE, files).files == 2
    assert fetch(WRITE.replace("1234", "123"), files).already_present == 0
    assert content(frames)[f"{LEAF}/a.png"] == "123"


@pytest.mark.parametrize("modified", ["yesterday", "2026-13-45 00:00:00", ""])
def test_a_listing_with_times_that_are_none(fetch, modified):
    fetch(WRITE, wanted(*TWO, modified=modified))
    assert fetch("exit 9", wanted(*TWO, modified=modified)).already_present == 2


def test_a_file_that_is_listed_and_does_not_come(fetch, frames):
    with pytest.raises(TransferIncomplete, match=r"a\.png: not there"):
        fetch(WRITE + f"; rm {LEAF}/a.png", wanted(*TWO))


@pytest.mark.parametrize(
    ("end", "error"),
    [
        ("exit 10", TransferIncomplete),
        ("exit 255", TransferFailed),
        ("kill -9 $$", TransferIncomplete),
        ("sleep 600", TransferStalled),
    ],
)
def test_only_what_the_command_calls_done_is_kept_where_it_fails(fetch, frames, end, error):
    with pytest.raises(error):
        fetch(f"{WRITE}; {DONE}; {end}", wanted(*TWO), stall_timeout=0.3)
    assert content(frames) == {f"{LEAF}/a.png": "1234"}
    assert nothing_is_left(frames)


def test_a_file_has_its_name_as_soon_as_the_command_is_done_with_it(fetch, frames):
    until_it_has_its_name = f"while [ ! -f {frames}/{LEAF}/a.png ]; do sleep 0.02; done"
    fetch(f"{WRITE}; {DONE}; {until_it_has_its_name}", wanted(*TWO))
    assert len(content(frames)) == 2


def test_a_file_of_another_size_can_be_done_again(fetch, frames):
    fetch(f"{WRITE}; : > {LEAF}/a.png; {DONE}; {WRITE}; {DONE}; {DONE}", wanted(*TWO))
    assert content(frames)[f"{LEAF}/a.png"] == "1234"


def test_the_list_of_what_is_wanted_lies_where_no_file_comes(fetch, frames):
    script = f'{WRITE}; case $(cat "$R") in *.list*) printf ok > .list;; esac'
    fetch(script, wanted(*TWO, ("/.list", 2)), whole=None)
    assert content(frames)[".list"] == "ok"


def test_what_a_killed_worker_left_is_removed(fetch, frames):
    (frames / ".renderbus-left" / LEAF).mkdir(parents=True)
    (frames / ".renderbus-left" / LEAF / "a.png").write_text("12")
    os.utime(frames / ".renderbus-left", (1, 1))
    fetch(WRITE, wanted(*TWO))
    assert nothing_is_left(frames)


def test_what_another_worker_uses_stays(fetch, frames):
    frames.mkdir()
    with staging_folder(frames) as used:
        os.utime(used.list.parent, (1, 1))
        fetch(WRITE, wanted(*TWO))
        assert used.files.path.is_dir()
    assert nothing_is_left(frames)


STRANGE = [
    "a b.png",
    'it\'s "quoted".png',
    "纹理 木头.png",
    "$(touch x);`y`.png",
    "..png",
    "-rf",
    "100%.png",
    "(2).png",
]


def test_names_of_all_kinds(runner, frames, tmp_path):
    source = tmp_path / "source"
    (source / LEAF).mkdir(parents=True)
    for name in STRANGE:
        (source / LEAF / name).write_text("1234")
    files = wanted(*[(f"/{LEAF}/{name}", 4) for name in STRANGE])
    downloads.download(runner(f'{FIND} cp -r {source}/. "$L"'), ROUTE, files, frames, storage_folder=LEAF)
    assert sorted(content(frames / LEAF)) == sorted(STRANGE)


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
        "",
        "/./a",
        "/-C/a.png",
        "/.renderbus-mine/a.png",
        f"/{LEAF}/\ud800.png",
    ],
)
def test_names_that_are_not_written(path):
    with pytest.raises(InvalidFiles, match=r"^The storage lists '.*name") as failed:
        wanted((path, 1))
    assert "\n" not in str(failed.value)


class TestNothingOutside:
    """Whatever the command writes into its folder, and whatever stands in the way."""

    @pytest.fixture
    def outside(self, tmp_path):
        folder = tmp_path / "outside"
        folder.mkdir()
        (folder / "a.png").write_text("mine")
        return folder

    @pytest.fixture(autouse=True)
    def _untouched(self, outside):
        yield
        assert content(outside) == {"a.png": "mine"}
        assert (outside / "a.png").stat().st_nlink == 1

    def test_a_folder_of_the_command_that_is_a_link(self, fetch, outside, frames):
        with pytest.raises(TransferIncomplete, match="not there"):
            fetch(f"ln -s {outside} {LEAF}", wanted((f"/{LEAF}/a.png", 4)))
        assert content(frames) == {}

    def test_a_file_of_the_command_that_is_a_link(self, fetch, outside, frames):
        with pytest.raises(TransferIncomplete, match="not there"):
            fetch(f"mkdir {LEAF}; ln -s {outside}/a.png {LEAF}/a.png", wanted((f"/{LEAF}/a.png", 4)))
        assert content(frames) == {}

    def test_a_file_of_the_command_that_is_another_ones_second_name(self, fetch, outside, frames):
        with pytest.raises(TransferIncomplete, match="not there"):
            fetch(
                f"mkdir {LEAF}; ln {outside}/a.png {LEAF}/a.png; echo 'download file done (x)'",
                wanted((f"/{LEAF}/a.png", 4)),
            )
        assert content(frames) == {}

    def test_a_folder_in_the_way_that_is_a_link(self, fetch, outside, frames):
        frames.mkdir()
        (frames / LEAF).symlink_to(outside)
        with pytest.raises(
            InvalidFiles, match=r"35000001_sh010/a\.png is not written: a link or a file stands"
        ):
            fetch(WRITE, wanted(*TWO))

    def test_a_file_in_the_way_that_is_a_link(self, fetch, outside, frames):
        (frames / LEAF).mkdir(parents=True)
        (frames / LEAF / "a.png").symlink_to(outside / "a.png")
        fetch(WRITE, wanted(*TWO))
        assert (frames / LEAF / "a.png").read_text() == "1234"
        assert not (frames / LEAF / "a.png").is_symlink()

    def test_a_folder_in_a_files_place(self, fetch, frames):
        (frames / LEAF / "a.png").mkdir(parents=True)
        with pytest.raises(InvalidFiles, match=r"a folder where a file is"):
            fetch(WRITE, wanted(*TWO))

    def test_a_file_in_a_folders_place(self, fetch, frames):
        frames.mkdir()
        (frames / LEAF).write_text("")
        with pytest.raises(InvalidFiles, match=r"a link or a file stands where a folder is"):
            fetch(WRITE, wanted(*TWO))

    def test_files_that_were_not_asked_for_are_not_kept(self, fetch, frames):
        fetch(f"{WRITE}; printf 1 > {LEAF}/more; printf 1 > .bashrc", wanted(*TWO))
        assert set(content(frames)) == {f"{LEAF}/a.png", f"{LEAF}/deep/b.png"}


def test_the_folder_itself_may_be_reached_through_a_link(fetch, frames, tmp_path):
    (tmp_path / "real").mkdir()
    frames.symlink_to(tmp_path / "real")
    fetch(WRITE, wanted(*TWO))
    assert len(content(tmp_path / "real")) == 2


def test_no_room_is_told_before_anything_moves(fetch, frames):
    with pytest.raises(TransferIncomplete, match=r"has no room: 1,000,000,000,000\.0 MB are wanted"):
        fetch("exit 9", wanted((f"/{LEAF}/a.png", 10**18)))


def test_a_stop_leaves_nothing_half(runner, frames):
    run = runner("sleep 600")
    run.cancel()
    with pytest.raises(TransferCancelled):
        downloads.download(run, ROUTE, wanted(*TWO), frames, storage_folder=LEAF)
    assert content(frames) == {}
    assert nothing_is_left(frames)


def test_nothing_wanted_runs_nothing(fetch):
    assert fetch("exit 9", []) == downloads.DownloadResult(0, 0, 0)
