"""What is sent is looked at before it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from airflow_provider_renderbus.transfer import assets as sources
from airflow_provider_renderbus.transfer.errors import InvalidFiles, TransferIncomplete

ROOT = Path(__file__).parents[2]
STRANGE = [
    "a b.exr",
    'it\'s "quoted".exr',
    "纹理/木头.png",
    "$(touch x);`y`.vdb",
    "[1].exr",
    "100%.abc",
    " .x",
]


def put(path, content="content"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


@pytest.fixture
def shot(tmp_path):
    folder = tmp_path / "shot"
    for name in ("sh010.ma", "textures/a.exr", "textures/b.exr", "cache/deep/er/smoke.vdb", "cache/.hidden"):
        put(folder / name)
    return folder


def names(found, folder):
    return [os.path.relpath(asset.local, folder) for asset in found]


ALL = ["cache/.hidden", "cache/deep/er/smoke.vdb", "sh010.ma", "textures/a.exr", "textures/b.exr"]


def test_a_folder_with_all_folders_in_it(shot):
    found = sources.assets_from_paths([shot])
    assert names(found, shot) == ALL
    assert all(asset.server == asset.local and asset.size == 7 for asset in found)


@pytest.mark.parametrize(
    ("patterns", "wanted"),
    [
        (["sh010.ma"], ["sh010.ma"]),
        (["textures/*.exr"], ["textures/a.exr", "textures/b.exr"]),
        (["**/*.vdb"], ["cache/deep/er/smoke.vdb"]),
        (["t*s", "textures/b.exr", "sh010.ma"], ["textures/a.exr", "textures/b.exr", "sh010.ma"]),
        (["./textures//", "textures/./a.exr"], ["textures/a.exr", "textures/b.exr"]),
    ],
)
def test_files_folders_and_patterns_name_each_file_once(shot, patterns, wanted):
    assert names(sources.assets_from_paths([f"{shot}/{pattern}" for pattern in patterns]), shot) == wanted


def test_one_path_is_a_list_of_one(shot):
    assert names(sources.assets_from_paths(str(shot / "sh010.ma")), shot) == ["sh010.ma"]


def test_names_of_all_kinds(tmp_path):
    for name in STRANGE:
        put(tmp_path / "s" / name)
    found = sources.assets_from_paths([tmp_path / "s"])
    assert sorted(names(found, tmp_path / "s")) == sorted(STRANGE)
    ((path, _),) = [
        (each.read_text("utf-8"), listed) for each, listed in sources.write_lists(found, tmp_path)
    ]
    assert sorted(entry["local"] for entry in json.loads(path)["asset"]) == sorted(
        f"{tmp_path}/s/{name}" for name in STRANGE
    )


def test_links_are_followed_and_a_folder_in_itself_is_walked_once(shot, tmp_path):
    put(tmp_path / "library/wood.exr")
    (shot / "library").symlink_to(tmp_path / "library")
    (shot / "cache/again").symlink_to(shot)
    (shot / "link.ma").symlink_to(shot / "sh010.ma")
    assert names(sources.assets_from_paths(shot), shot) == sorted([*ALL, "library/wood.exr", "link.ma"])


def refused(given):
    with pytest.raises(InvalidFiles, match=r"^Nothing was sent\. ") as failed:
        sources.assets_from_upload_json(given) if isinstance(given, dict) else sources.assets_from_paths(
            given
        )
    assert "\n" not in str(failed.value)
    return str(failed.value)


def test_all_that_is_wrong_is_told_at_once(shot):
    (shot / "textures/broken").symlink_to("/no/such/file")
    os.mkfifo(shot / "cache/pipe")
    put(shot / "a\nb")
    put(shot / "back\\slash")
    message = refused([shot, f"{shot}/none*", "relative.ma", f"{shot}/../x", f"{shot}/missing.ma"])
    for part in (
        "textures/broken': No such file or directory",
        "cache/pipe': a file is wanted, not a folder, a pipe or a device",
        "a\\nb': its path holds a backslash, a line break",
        "back\\\\slash': its path holds a backslash",
        "none*': there is nothing of that name, and nothing matches it",
        "'relative.ma': an absolute path without '..' is wanted",
        "../x': an absolute path without '..' is wanted",
        "missing.ma': there is nothing of that name",
    ):
        assert part in message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "at least one file"),
        ([""], "an absolute path"),
        (["/no\0such"], "no such"),
        ({"asset": []}, "lists no file"),
        ({"asset": [{"local": "a.ma", "server": "/a.ma"}]}, "an absolute path is wanted"),
        ({"asset": [{"local": "/etc/passwd", "server": "/../a"}]}, "its place in the storage holds '..'"),
        ({"asset": [{"local": "/etc/passwd", "server": "//"}]}, "its place in the storage is empty"),
        (
            {"asset": [{"local": "/etc/passwd", "server": "a\\b"}]},
            "its place in the storage holds a backslash",
        ),
        ({"asset": [{"local": "/etc", "server": "a"}]}, "a file is wanted"),
        (
            {"asset": [{"local": "/etc/passwd", "server": "/a"}, {"local": "/etc/group", "server": "a"}]},
            "'/etc/group': '/etc/passwd' is to have the same place, 'a'",
        ),
    ],
)
def test_what_cannot_be_sent(given, message):
    assert message.replace("no such", "") in refused(given)


def test_a_folder_without_files(tmp_path):
    assert "the folders hold no file" in refused([tmp_path])


def test_many_problems_are_counted(tmp_path):
    message = refused([f"{tmp_path}/{number}" for number in range(500)])
    assert message.endswith("and 480 more")


def test_a_name_that_is_not_utf_8(tmp_path):
    put(tmp_path / "s" / os.fsdecode(b"\xff.exr"))
    assert "cannot be sent" in refused([tmp_path / "s"])


AS_NOBODY = """
import os, sys
from airflow_provider_renderbus.transfer.assets import assets_from_paths
from airflow_provider_renderbus.transfer.errors import InvalidFiles
os.setgid(65534)
os.setuid(65534)
try:
    assets_from_paths(sys.argv[1:])
except InvalidFiles as problem:
    print(problem)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody who may not read")
def test_what_may_not_be_read():
    # pytest's own folders are closed to others.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        put(Path(folder) / "secret.ma").chmod(0o600)
        put(Path(folder) / "closed/a.ma").parent.chmod(0o700)
        told = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, folder],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        ).stdout
    assert "secret.ma': it may not be read" in told
    assert "closed': Permission denied" in told


def test_an_upload_json_keeps_its_places_and_its_scene(shot):
    scene, texture = str(shot / "sh010.ma"), str(shot / "textures/a.exr")
    entry = {"local": texture, "server": "D/shots/a.exr"}
    content = {"asset": [entry, entry], "scene": {"local": scene, "server": "/D/shots/sh010.ma"}}
    found = sources.assets_from_upload_json(content)
    assert [(each.local, each.server) for each in found] == [
        (texture, "D/shots/a.exr"),
        (scene, "/D/shots/sh010.ma"),
    ]
    content["scene"] = [content["scene"], {"local": scene, "server": "/elsewhere.ma"}]
    assert len(sources.assets_from_upload_json(content)) == 3


def test_a_very_long_list_is_split(shot, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "FILES_PER_LIST", 2)
    monkeypatch.setattr(sources, "_FILES_PER_WRITE", 1)
    found = sources.assets_from_paths(shot)
    lists = [
        (json.loads(path.read_text("utf-8")), listed) for path, listed in sources.write_lists(found, tmp_path)
    ]
    assert [len(listed) for _, listed in lists] == [2, 2, 1]
    for content, listed in lists:
        assert content == {"asset": [{"local": each.local, "server": each.server} for each in listed]}


@pytest.mark.parametrize("change", ["content", "time", "gone"])
def test_a_file_that_changes_is_named(shot, change):
    found = sources.assets_from_paths(shot)
    sources.raise_if_changed(found)
    scene = shot / "sh010.ma"
    if change == "content":
        scene.write_text("longer content")
    elif change == "time":
        os.utime(scene, (1, 1))
    else:
        scene.unlink()
    with pytest.raises(TransferIncomplete, match=r"have changed while they were sent: .*/sh010\.ma$"):
        sources.raise_if_changed(found)
