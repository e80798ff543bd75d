"""No name and no link leads out of the storage or out of the folder of a download."""

from __future__ import annotations

import json
import os

import pytest

from tests.farm.transmitter.files import all_files, content, write

FORBIDDEN_PATHS = [
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


@pytest.mark.parametrize("server", FORBIDDEN_PATHS)
def test_upload_path_out_of_storage_fails(run, inputs, storage, local, tmp_path, server):
    (inputs / "link").symlink_to(tmp_path)
    write(inputs / "file")
    good, bad = write(local / "good"), write(local / "bad")
    assets = [{"local": str(bad), "server": server}, {"local": str(good), "server": "good"}]
    before = all_files(tmp_path)
    upload = write(local / "upload.json", json.dumps({"asset": assets}))
    code, lines, _ = run("upload_json", upload, "/")
    assert code == 11
    assert [line.split()[2] for line in lines[1:]] == ["fail", "done"]
    assert all(line.startswith("upload ") for line in lines)
    assert all_files(tmp_path) - before == {upload, inputs / "good"}


@pytest.mark.parametrize("storage_id", ["../..", "10201/..", "", "1 2"])
def test_command_storage_id_with_path_exits_with_error(run, local, storage_id):
    code, _, errors = run("upload_path", write(local / "a"), "/a", S=storage_id)
    assert code == 255
    assert "-S" in errors


@pytest.mark.parametrize("remote", ["/..", "35000001_sh010/../..", "/link", "35000001_sh010/link"])
def test_download_path_out_of_storage_fails(run, outputs, local, tmp_path, remote):
    write(tmp_path / "secret" / "key")
    (outputs / "link").symlink_to(tmp_path / "secret")
    (outputs / "35000001_sh010" / "link").symlink_to(tmp_path / "secret" / "key")
    code, lines, _ = run("download_path", local, remote, "output")
    assert code == 11
    assert lines[-1].startswith("download file fail 1/1 ")
    assert content(local) == {}


def test_download_folder_with_link_and_pipe_copies_only_files(run, outputs, local, tmp_path):
    (outputs / "35000002_sh020" / "key").symlink_to(write(tmp_path / "key"))
    os.mkfifo(outputs / "35000002_sh020" / "pipe")
    code, lines, _ = run("download_path", local, "35000002_sh020", "output")
    assert code == 11
    assert set(content(local)) == {"35000002_sh020/b.png"}
    assert [line.split()[2] for line in lines[1:]] == ["done", "fail", "fail"]


def test_download_into_linked_folder_writes_nothing(run, outputs, local, tmp_path):
    (local / "35000002_sh020").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    assert run("download_path", local, "35000002_sh020", "output")[0] == 11
    assert content(tmp_path / "elsewhere") == {}


def test_upload_over_link_replaces_link(run, inputs, local, tmp_path):
    victim = write(tmp_path / "victim", "safe")
    (inputs / "a").symlink_to(victim)
    assert run("upload_path", write(local / "a", "new"), "/a")[0] == 0
    assert victim.read_text() == "safe"
    assert not (inputs / "a").is_symlink()
