"""The transfer command: copied files, output lines and exit codes."""

from __future__ import annotations

import json

import pytest

from airflow_provider_renderbus.farm import Farm, ManualClock
from airflow_provider_renderbus.farm.server.server import Server
from airflow_provider_renderbus.farm.storage.location import find_storage
from airflow_provider_renderbus.farm.transmitter.command import STORAGE_VARIABLE
from airflow_provider_renderbus.farm.transmitter.file_list import server_path
from tests.farm.transmitter.files import content, write


def test_upload_path_task_file_goes_to_config_storage(run, storage, local):
    write(local / "task.json", "{}")
    code, lines, errors = run(
        "upload_path", local / "task.json", "/35000001/cfg/task.json", "config", keep="false"
    )
    assert (code, errors) == (0, "")
    assert lines == ["upload is begin", f"upload file done 1/1 2 bytes ({local}/task.json)"]
    assert content(storage / "config" / "30201-100001") == {"35000001/cfg/task.json": "{}"}


def test_upload_json_assets_go_to_server_paths(run, inputs, local):
    names = {"a.blend": "/D/shots/a.blend", "b 'q\" .png": "mnt/b 'q\" .png", "衣帽间.max": "/衣帽间.max"}
    assets = [{"local": str(write(local / name, name)), "server": server} for name, server in names.items()]
    scene = {"local": str(write(local / "s.c4d", "s")), "server": "/s.c4d"}
    upload = write(local / "upload.json", json.dumps({"asset": assets, "scene": scene}))
    code, lines, _ = run("upload_json", upload, "/", keep="false")
    assert code == 0
    assert len([line for line in lines if line.startswith("upload file done ")]) == 4
    expected = {server.lstrip("/"): name for name, server in names.items()}
    assert content(inputs) == expected | {"s.c4d": "s"}


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        ("true", {"35000001_sh010/sh010_0001.png", "35000001_sh010/deep/er.png"}),
        ("false", {"sh010_0001.png", "deep/er.png"}),
    ],
)
def test_download_path_folder_copies_frames(run, outputs, local, keep, expected):
    code, lines, _ = run("download_path", local / "new", "/35000001_sh010", "output", keep)
    assert code == 0
    assert set(content(local / "new")) == expected
    assert lines[0] == "download is begin"
    assert lines[-1] == "download file done 2/2 29 bytes (/35000001_sh010/sh010_0001.png)"


def test_download_path_single_frame_copies_it(run, outputs, local):
    assert run("download_path", local, "35000002_sh020/b.png", "output", "false")[0] == 0
    assert set(content(local)) == {"b.png"}


def test_lists_with_entries_copy_only_those(run, inputs, outputs, local):
    paths = [str(write(local / f"{index}.exr")) for index in range(5)]
    local_list = write(local / "list.txt", "\n".join(paths) + "\n")
    assert run("upload_list", local_list, "/set", keep="false", c="1 3")[0] == 0
    assert set(content(inputs)) == {"set/1.exr", "set/2.exr"}
    assert run("upload_list", local_list, "/", c="0 1")[0] == 0
    assert f"{paths[0]}".lstrip("/") in content(inputs)
    remote_list = write(
        local / "remote.txt", "\ufeff/35000002_sh020\n/35000001_sh010/sh010_0001.png\n/nothing\n"
    )
    assert run("download_list", local / "new", remote_list, "output", c="0 2")[0] == 0
    assert set(content(local / "new")) == {"35000002_sh020/b.png", "35000001_sh010/sh010_0001.png"}


@pytest.mark.parametrize(
    ("path", "server"),
    [
        ("D:/shots/a.blend", "D/shots/a.blend"),
        ("D:\\shots\\a.blend", "D/shots/a.blend"),
        ("/mnt/a.blend", "mnt/a.blend"),
        ("\\\\srv\\s\\a", "srv/s/a"),
    ],
)
def test_server_path_follows_vendor_rule(path, server):
    assert server_path(path) == server


@pytest.fixture
def ini(local):
    settings = "[database]\non=true\nplatform_id=2\ntype={}\n[sqlite]\ndb_path=db/r.db\ntemporary={}\n"
    return lambda kind="sqlite", temporary="false": write(local / "t.ini", settings.format(kind, temporary))


def test_upload_unchanged_file_with_resume_database_is_skipped(run, inputs, local, ini):
    write(local / "a", "one")
    args = ("upload_path", local / "a", "/a")
    assert "3 bytes" in run(*args, C=ini())[1][1]
    assert run(*args, C=ini())[:2] == (0, ["upload is begin", f"upload file done 1/1 was there ({local}/a)"])
    assert "3 bytes" in run(*args, C=ini(temporary="true"))[1][1]
    (inputs / "a").unlink()
    assert "3 bytes" in run(*args, C=ini())[1][1]
    write(local / "a", "other")
    assert "5 bytes" in run(*args, C=ini())[1][1]
    assert content(inputs) == {"a": "other"}


def test_upload_unusable_resume_database_exits_with_error(run, inputs, local, ini):
    args = ("upload_path", write(local / "a"), "/a")
    assert "type: must be sqlite, got 'redis'" in run(*args, C=ini("redis"))[2]
    assert run(*args, C=local / "missing.ini")[0] == 255
    assert run(*args, C=write(local / "bad.ini", "nothing"))[0] == 255
    write(local / "db" / "r.db", "no database" * 100)
    assert run(*args, C=ini())[0] == 255
    assert content(inputs) == {}


@pytest.mark.parametrize(
    "more", [{"E": "ftp"}, {"P": "x"}, {"K": "yes"}, {"c": "1"}, {"T": "upload"}, {"p": "3"}, {"Z": "1"}]
)
def test_command_invalid_argument_exits_with_error(run, storage, local, more):
    code, lines, errors = run("upload_path", write(local / "a"), "/a", **more)
    assert (code, lines) == (255, [])
    assert errors.startswith("renderbus-farm-transmitter: ")


def test_command_missing_local_path_exits_with_error(run, inputs, local):
    assert run("upload_path", local / "missing", "/a")[0] == 255
    assert run("upload_json", local / "missing", "/")[0] == 255
    assert run("upload_list", local / "missing", "/")[0] == 255
    assert run("download_list", local, local / "missing", "output")[0] == 255
    for text in (
        "{",
        "[]",
        "{}",
        '{"asset": [1]}',
        '{"asset": [{"local": 1, "server": "a"}]}',
        "[" * 100_000,
    ):
        code, _, errors = run("upload_json", write(local / "u.json", text), "/")
        assert (code, "as in upload.json" in errors) == (255, True)


def test_command_prompt_not_answered_exits_with_error(run, inputs, local):
    for answer in ("", "n\n"):
        code, lines, errors = run("upload_path", write(local / "a"), "/a", answer=answer)
        assert (code, lines) == (255, [])
        assert "was not answered" in errors
    assert content(inputs) == {}


def test_command_wrong_user_id_exits_with_bad_storage(run, storage, local):
    code, _, errors = run("upload_path", write(local / "a"), "/a", U="100002")
    assert code == 9
    assert "does not belong to user id" in errors


def test_command_storage_variable_overrides_farm(run, storage, local, monkeypatch):
    moved = storage.rename(storage.with_name("mounted"))
    monkeypatch.setenv(STORAGE_VARIABLE, str(moved))
    assert run("upload_path", write(local / "a"), "/a", P=1)[0] == 0
    assert content(moved / "input" / "10201-100001") == {"a": "content"}


def test_find_storage_farm_with_pages_returns_its_storage(tmp_path):
    with Farm(tmp_path / "farm", ManualClock()) as farm:
        port = farm.connection()["port"]
        assert find_storage("127.0.0.1", port) == find_storage("localhost", port) == tmp_path / "farm"
    assert find_storage("127.0.0.1", port) is None


@pytest.mark.parametrize(
    "answer", [b"", b"<html>", b"[]", b"{}", b'{"storage": 1}', b'{"storage": "farm"}', b"[" * 100_000]
)
def test_find_storage_other_server_returns_none(answer):
    server = Server(("127.0.0.1", 0), lambda *_: (404, {}, b""), lambda *_: (200, {}, answer))
    try:
        assert find_storage("127.0.0.1", server.port) is None
    finally:
        server.close()
