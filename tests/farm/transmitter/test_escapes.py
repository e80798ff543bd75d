"""Nothing leaves the storage, or the folder of a download, by a name or a link."""

from __future__ import annotations

import json
import os

import pytest

from tests.farm.transmitter.files import content, everything, write

OUTSIDE = [
    "/../escaped",
    "a/../../../escaped",
    "..",
    "link/escaped",
    "file/escaped",
    "line\nbreak",
    "nul\0",
    "a\\..\\escaped",
    "x" * 256,
    "字" * 86,
    "",
    "/",
]


@pytest.mark.parametrize("server", OUTSIDE)
def test_what_would_leave_the_storage_is_refused(run, inputs, storage, local, tmp_path, server):
    (inputs / "link").symlink_to(tmp_path)
    write(inputs / "file")
    good, bad = write(local / "good"), write(local / "bad")
    assets = [{"local": str(bad), "server": server}, {"local": str(good), "server": "good"}]
    before = everything(tmp_path)
    upload = write(local / "upload.json", json.dumps({"asset": assets}))
    code, lines, _ = run("upload_json", upload, "/")
    assert code == 11
    assert [line.split()[2] for line in lines[1:]] == ["fail", "done"]
    assert all(line.startswith("upload ") for line in lines)
    assert everything(tmp_path) - before == {upload, inputs / "good"}


@pytest.mark.parametrize("storage_id", ["../..", "10201/..", "", "1 2"])
def test_a_storage_id_is_no_path(run, local, storage_id):
    code, _, errors = run("upload_path", write(local / "a"), "/a", S=storage_id)
    assert code == 255
    assert "-S" in errors


@pytest.mark.parametrize("remote", ["/..", "35000001_sh010/../..", "/link", "35000001_sh010/link"])
def test_nothing_outside_the_storage_is_fetched(run, outputs, local, tmp_path, remote):
    write(tmp_path / "secret" / "key")
    (outputs / "link").symlink_to(tmp_path / "secret")
    (outputs / "35000001_sh010" / "link").symlink_to(tmp_path / "secret" / "key")
    code, lines, _ = run("download_path", local, remote, "output")
    assert code == 11
    assert lines[-1].startswith("download file fail 1/1 ")
    assert content(local) == {}


def test_links_are_left_out_of_a_folder_that_is_fetched(run, outputs, local, tmp_path):
    (outputs / "35000002_sh020" / "key").symlink_to(write(tmp_path / "key"))
    os.mkfifo(outputs / "35000002_sh020" / "pipe")
    code, lines, _ = run("download_path", local, "35000002_sh020", "output")
    assert code == 11
    assert set(content(local)) == {"35000002_sh020/b.png"}
    assert [line.split()[2] for line in lines[1:]] == ["done", "fail", "fail"]


def test_nothing_outside_the_local_folder_is_written(run, outputs, local, tmp_path):
    (local / "35000002_sh020").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    assert run("download_path", local, "35000002_sh020", "output")[0] == 11
    assert content(tmp_path / "elsewhere") == {}


def test_a_link_in_place_of_a_file_is_replaced_and_not_followed(run, inputs, local, tmp_path):
    victim = write(tmp_path / "victim", "safe")
    (inputs / "a").symlink_to(victim)
    assert run("upload_path", write(local / "a", "new"), "/a")[0] == 0
    assert victim.read_text() == "safe"
    assert not (inputs / "a").is_symlink()
